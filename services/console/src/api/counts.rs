//! Reports, rejects, key figures, freshness.

use super::ask::{Ask, EVER_MS, wrong};
use super::model::{
    FreshnessView, KpiView, ProblemView, RejectCountView, RejectView, RejectsView, ReportView, ReportsView,
};
use super::places::required_level;
use super::{Api, reader, sheet_of, store};
use crate::fold::{self, Summary};
use crate::{figures, kpi, views};
use axum::Json;
use axum::extract::State;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::Problem;
use gridwarden_store::read::{ReportFilter, ReportFound};

fn filter(ask: &Ask) -> Result<ReportFilter, Problem> {
    let (from, to) = ask.between("from", "to")?;
    Ok(ReportFilter {
        from_ms: from.unwrap_or(0),
        to_ms: to.unwrap_or(EVER_MS),
        class: ask.optional("class").unwrap_or_default().to_owned(),
        feed: ask.optional("feed").map(str::to_owned),
    })
}

/// Reports counted by where they lie, from the archive. A report in several areas counts in each, in totals once.
#[utoipa::path(get, path = "/reports/summary", tag = "reports", operation_id = "report_summary",
    params(("layer" = String, Query), ("level" = String, Query),
        ("from" = Option<String>, Query, description = "event time at or after (RFC 3339 or epoch ms)"), ("to" = Option<String>, Query, description = "event time before"),
        ("class" = Option<String>, Query, description = "class code"), ("feed" = Option<String>, Query),
        ("label" = Option<String>, Query, description = "attribute whose text is compared with the codes of the areas a report lies in")),
    responses((status = 200, body = Summary), (status = 400, body = ProblemView), (status = 404, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn summary(State(api): State<Api>, ask: Ask) -> Result<Json<Summary>, Problem> {
    ask.only(&["layer", "level", "from", "to", "class", "feed", "label"])?;
    let sheet = sheet_of(&api, ask.text("layer")?)?;
    let level = required_level(&sheet, &ask)?;
    let label = ask.optional("label").unwrap_or_default();
    let groups = reader(&api)?.report_groups(&filter(&ask)?, sheet.id(), label).await.map_err(store)?;
    let mut summary = fold::summarise(&groups, &sheet, level, now_ms());
    match &mut summary.label {
        Some(count) if !label.is_empty() => count.attribute = label.to_owned(),
        _ => summary.label = None,
    }
    Ok(Json(summary))
}

/// The reports behind a count, in the order of ids.
#[utoipa::path(get, path = "/reports", tag = "reports", operation_id = "reports",
    params(("layer" = Option<String>, Query, description = "needs `area`"), ("area" = Option<String>, Query, description = "code; needs `layer`"),
        ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("class" = Option<String>, Query), ("feed" = Option<String>, Query),
        ("after" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 1_000, description = "100 when missing")),
    responses((status = 200, body = ReportsView), (status = 400, body = ProblemView), (status = 404, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn list(State(api): State<Api>, ask: Ask) -> Result<Json<ReportsView>, Problem> {
    ask.only(&["layer", "area", "from", "to", "class", "feed", "after", "limit"])?;
    let area = match (ask.optional("layer"), ask.optional("area")) {
        (Some(layer), Some(code)) => Some((sheet_of(&api, layer).map(|_| layer)?, code)),
        (None, Some(_)) => return Err(wrong("layer", "is missing: area is the code of one of its areas")),
        (Some(_), None) => return Err(wrong("area", "is missing: layer goes with the code of one of its areas")),
        (None, None) => None,
    };
    let limit = ask.number("limit", 100u32, 1..=1_000)?;
    let after = ask.optional("after").unwrap_or_default();
    let found = reader(&api)?.reports(&filter(&ask)?, area, after, limit).await.map_err(store)?;
    let next = if found.len() < limit as usize { None } else { found.last().map(|report| report.id.clone()) };
    Ok(Json(ReportsView { reports: found.into_iter().map(|report| view(&api, report)).collect(), next }))
}

fn view(api: &Api, report: ReportFound) -> ReportView {
    let atlas = api.world.atlas.load();
    ReportView {
        class_name: api.world.city.names.class(&report.class_code).into(),
        position: report.lon.zip(report.lat).map(|(lon, lat)| [lon, lat]),
        areas: views::area_refs(&atlas, &report.area_layers, &report.area_codes, now_ms()),
        time: report.time_ms,
        appended_at: report.appended_ms,
        catalogue: report.class_catalogue,
        class: report.class_code,
        attributes: report.attributes.into_iter().collect(),
        id: report.id,
        feed: report.feed,
        channel: report.channel,
        description: report.description,
        external_id: report.external_id,
    }
}

/// Messages that could not be read: counts by reason, and the newest.
#[utoipa::path(get, path = "/rejects", tag = "operations",
    params(("since" = Option<String>, Query, description = "appended at or after; seven days ago when missing"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 1_000, description = "100 when missing")),
    responses((status = 200, body = RejectsView), (status = 400, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn rejects(State(api): State<Api>, ask: Ask) -> Result<Json<RejectsView>, Problem> {
    ask.only(&["since", "limit"])?;
    let week = || kpi::day_begin_before(now_ms(), &api.world.city.zone, 7);
    let since = ask.moment("since")?.unwrap_or_else(week);
    let limit = ask.number("limit", 100u32, 1..=1_000)?;
    let (found, counts) = reader(&api)?.rejects(since, limit).await.map_err(store)?;
    let rejects = found.into_iter().map(|reject| RejectView {
        topic: reject.topic,
        partition: reject.partition,
        offset: reject.offset,
        code: reject.code,
        field: reject.field,
        detail: reject.detail,
        appended_at: reject.appended_ms,
        excerpt: reject.excerpt,
    });
    let total = counts.iter().map(|count| count.rejects).sum();
    let counts = counts.into_iter().map(|c| RejectCountView { topic: c.topic, code: c.code, count: c.rejects });
    Ok(Json(RejectsView { since, total, counts: counts.collect(), rejects: rejects.collect() }))
}

/// Key figures; each field says what it counts.
#[utoipa::path(get, path = "/kpi", tag = "operations", operation_id = "kpi", responses((status = 200, body = KpiView), (status = 503, body = ProblemView)))]
pub(super) async fn kpis(State(api): State<Api>) -> Result<Json<KpiView>, Problem> {
    reader(&api)?;
    Ok(Json(figures::kpi(&api.world, now_ms()).await.map_err(store)?))
}

/// How fresh archive, stream and windows are.
#[utoipa::path(get, path = "/freshness", tag = "operations", responses((status = 200, body = FreshnessView), (status = 503, body = ProblemView)))]
pub(super) async fn freshness(State(api): State<Api>) -> Result<Json<FreshnessView>, Problem> {
    reader(&api)?;
    Ok(Json(figures::freshness(&api.world, now_ms()).await.map_err(store)?))
}
