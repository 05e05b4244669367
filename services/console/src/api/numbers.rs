//! Metrics: which there are, values per area, a series of one area.

use super::ask::{Ask, wrong};
use super::model::{AreaValuesView, MetricView, MetricsView, PointView, ProblemView, SeriesView};
use super::places::required_level;
use super::{Api, not_found, reader, sheet_of, store};
use crate::catalogue::Statistic;
use crate::looks::{self, Subject};
use axum::Json;
use axum::extract::State;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::Problem;
use gridwarden_store::read::WindowsOf;

/// Span of the map when none is asked for, in seconds.
const USUAL_SPAN_S: u32 = 600;
/// Most points of a series.
const MOST_POINTS: u32 = 10_000;

/// Metrics that have windows at the root of any layer.
#[utoipa::path(get, path = "/metrics", tag = "metrics", responses((status = 200, body = MetricsView), (status = 503, body = ProblemView)))]
pub(super) async fn metrics(State(api): State<Api>) -> Result<Json<MetricsView>, Problem> {
    let newest = api.world.metric_list.newest(&api.world, now_ms()).await.map_err(store)?;
    let metrics = newest.into_iter().map(|(metric, newest)| {
        let named = api.world.city.names.metric(&metric);
        MetricView {
            name: named.name.into(),
            unit: named.unit,
            statistic: named.statistic,
            newest: Some(newest),
            metric,
        }
    });
    Ok(Json(MetricsView { metrics: metrics.collect() }))
}

/// The statistic asked for, or the metric's own.
fn statistic_of(api: &Api, ask: &Ask, metric: &str) -> Result<Statistic, Problem> {
    let Some(name) = ask.optional("statistic") else { return Ok(api.world.city.names.metric(metric).statistic) };
    Statistic::parse(name).ok_or_else(|| wrong("statistic", "must be mean, sum, count, min, max or last"))
}

/// What a question is about; also the live stream's.
pub(super) fn subject(api: &Api, ask: &Ask) -> Result<Subject, Problem> {
    let sheet = sheet_of(api, ask.text("layer")?)?;
    required_level(&sheet, ask)?;
    let metric = ask.text("metric")?;
    let statistic = statistic_of(api, ask, metric)?;
    let usual = match ask.optional("window") {
        None => USUAL_SPAN_S,
        Some(_) => ask.one_of("window", 60, &[10, 60])?,
    };
    Ok(Subject {
        layer: sheet.id().to_owned(),
        level: ask.text("level")?.to_owned(),
        metric: metric.to_owned(),
        span_s: ask.number("span", usual, 10..=looks::MOST_SPAN_S)?,
        statistic,
    })
}

/// Values per area: the windows of the last `span` seconds folded, up to the newest one or up to `at`.
#[utoipa::path(get, path = "/metrics/areas", tag = "metrics", operation_id = "area_values",
    params(("layer" = String, Query), ("level" = String, Query), ("metric" = String, Query),
        ("span" = Option<u32>, Query, minimum = 10, maximum = 2_678_400, description = "seconds folded; `window` or 600 when missing"),
        ("window" = Option<u32>, Query, description = "10 or 60: one window alone"),
        ("at" = Option<String>, Query, description = "end of the span (RFC 3339 or epoch ms); `latest` or missing: the newest window's end"),
        ("statistic" = Option<String>, Query, description = "mean, sum, count, min, max or last; the metric's own when missing")),
    responses((status = 200, body = AreaValuesView), (status = 400, body = ProblemView), (status = 404, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn areas(State(api): State<Api>, ask: Ask) -> Result<Json<AreaValuesView>, Problem> {
    ask.only(&["layer", "level", "metric", "span", "window", "at", "statistic"])?;
    let subject = subject(&api, &ask)?;
    let sheet = sheet_of(&api, &subject.layer)?;
    let at = if ask.optional("at") == Some("latest") { None } else { ask.moment("at")? };
    let look = looks::read(reader(&api)?, &sheet, &subject, at, now_ms()).await.map_err(store)?;
    let code = |id: &u32| sheet.area(*id).map(|area| area.code.clone()).unwrap_or_default();
    Ok(Json(AreaValuesView {
        window_s: subject.window_s(),
        span_s: subject.span_s,
        statistic: subject.statistic,
        codes: look.values.keys().map(code).collect(),
        ids: look.values.keys().copied().collect(),
        values: look.values.values().copied().collect(),
        version: look.version,
        until: look.until,
        closed: look.closed,
        layer: subject.layer,
        level: subject.level,
        metric: subject.metric,
    }))
}

/// Windows of one area, oldest first: `from`..`to`, or the `last` seconds up to the newest window.
#[utoipa::path(get, path = "/metrics/series", tag = "metrics",
    params(("layer" = String, Query), ("code" = String, Query), ("metric" = String, Query),
        ("window" = Option<u32>, Query, description = "10, 60, 3600 (hours) or 86400 (days, in the city's time); 60 when missing"),
        ("from" = Option<String>, Query, description = "RFC 3339 or epoch ms"), ("to" = Option<String>, Query, description = "RFC 3339 or epoch ms"),
        ("last" = Option<u32>, Query, minimum = 10, maximum = 2_678_400, description = "seconds; 3600 when neither from nor to is given"), ("statistic" = Option<String>, Query)),
    responses((status = 200, body = SeriesView), (status = 400, body = ProblemView), (status = 404, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn series(State(api): State<Api>, ask: Ask) -> Result<Json<SeriesView>, Problem> {
    ask.only(&["layer", "code", "metric", "window", "from", "to", "last", "statistic"])?;
    let sheet = sheet_of(&api, ask.text("layer")?)?;
    let (code, metric) = (ask.text("code")?, ask.text("metric")?);
    let window_s = ask.one_of("window", 60, &[10, 60, 3_600, 86_400])?;
    let statistic = statistic_of(&api, &ask, metric)?;
    let now = now_ms();
    let area = sheet.layer.find(code, now).and_then(|number| sheet.area(number));
    let area = area.ok_or_else(|| not_found("code", format!("layer {} has no area {code} now", sheet.id())))?;
    let of = WindowsOf {
        layer: sheet.id().to_owned(),
        level: sheet.level_id(area.level).to_owned(),
        metric: metric.to_owned(),
        window_s,
    };
    let range = range_of(&api, &ask, &of, now).await?;
    let points = reader(&api)?.window_series(&of, code, range, MOST_POINTS).await.map_err(store)?;
    let points = points.iter().map(|point| PointView {
        start: i64::from(point.start) * 1000,
        value: statistic.of(&point.into()),
        count: point.events,
        closed: point.closed,
    });
    let (code, metric) = (code.to_owned(), metric.to_owned());
    Ok(Json(SeriesView { layer: of.layer, code, metric, statistic, window_s, points: points.collect() }))
}

/// First and last start of windows asked for, epoch seconds.
async fn range_of(api: &Api, ask: &Ask, of: &WindowsOf, now: i64) -> Result<(u32, u32), Problem> {
    let seconds = |ms: i64| u32::try_from(ms / 1000).unwrap_or_default();
    let (from, to) = ask.between("from", "to")?;
    if from.is_some() || to.is_some() {
        return Ok((seconds(from.unwrap_or(0)), seconds(to.unwrap_or(now)).saturating_sub(1)));
    }
    let last = ask.number("last", 3600u32, 10..=looks::MOST_SPAN_S)?;
    let newest = looks::newest(reader(api)?, of, now).await.map_err(store)?.unwrap_or_else(|| seconds(now));
    Ok(((newest + of.window_s).saturating_sub(last), newest))
}
