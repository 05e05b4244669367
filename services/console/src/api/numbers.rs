//! Metrics: which there are, values per area, a series of one area.

use super::ask::{Ask, wrong};
use super::model::{AreaValuesView, MetricView, MetricsView, PointView, ProblemView, SeriesView, Told};
use super::places::required_level;
use super::{Api, not_found, reader, sheet_of, store};
use crate::catalogue::{Estimate, Statistic};
use crate::looks::{self, Subject};
use axum::Json;
use axum::extract::State;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::Problem;
use gridwarden_store::StoreError;
use gridwarden_store::read::{EstimatePoint, Reader, SeriesOf, WindowPoint, WindowsOf};

/// Span of the map when none is asked for, in seconds.
const USUAL_SPAN_S: u32 = 600;
/// Longest window that slides, in seconds.
const LONGEST_SLIDING_S: u32 = 3_600;
const STATISTICS: &str = "must be mean, sum, count, min, max or last";
/// Most points of a series.
const MOST_POINTS: u32 = 10_000;

/// Metrics that have windows at the root of any layer.
#[utoipa::path(get, path = "/metrics", tag = "metrics", responses((status = 200, body = MetricsView), (status = 503, body = ProblemView)))]
pub(super) async fn metrics(State(api): State<Api>) -> Result<Json<MetricsView>, Problem> {
    let newest = api.world.metric_list.newest(&api.world, now_ms()).await.map_err(store)?;
    let metrics = newest.into_iter().map(|(metric, newest)| {
        let named = api.world.city.names.metric(&metric);
        let kept = api.world.city.file.sketches.iter().find(|sketch| sketch.metric == metric);
        MetricView {
            name: named.name.into(),
            unit: named.unit,
            statistic: named.statistic,
            newest: Some(newest),
            quantiles: kept.is_some_and(|sketch| sketch.quantiles),
            sources: kept.is_some_and(|sketch| sketch.distinct.is_some()),
            metric,
        }
    });
    Ok(Json(MetricsView { metrics: metrics.collect() }))
}

/// The statistic asked for, or the metric's own.
fn statistic_of(api: &Api, ask: &Ask, metric: &str) -> Result<Statistic, Problem> {
    let Some(name) = ask.optional("statistic") else { return Ok(api.world.city.names.metric(metric).statistic) };
    Statistic::parse(name).ok_or_else(|| wrong("statistic", STATISTICS))
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

/// What a series is asked for.
fn told_of(api: &Api, ask: &Ask, metric: &str) -> Result<Told, Problem> {
    let Some(estimate) = ask.optional("statistic").and_then(Estimate::parse) else {
        return match statistic_of(api, ask, metric) {
            Ok(statistic) => Ok(Told::Folded(statistic)),
            Err(_) => Err(wrong("statistic", format!("{STATISTICS}, or p50, p90, p95, p99 or sources"))),
        };
    };
    let sketches = &api.world.city.file.sketches;
    if sketches.iter().any(|sketch| sketch.metric == metric && estimate.is_kept(sketch)) {
        return Ok(Told::Estimated(estimate));
    }
    Err(wrong("statistic", format!("is not kept of {metric}: the city's [[sketches]] say of which metrics it is")))
}

/// Length of windows and, when they slide, by how much, in seconds.
fn windows_of(ask: &Ask) -> Result<(u32, Option<u32>), Problem> {
    if ask.optional("every").is_none() {
        return Ok((ask.one_of("window", 60, &[10, 60, 3_600, 86_400])?, None));
    }
    let every = ask.number("every", 60u32, 10..=LONGEST_SLIDING_S)?;
    if every % 10 != 0 {
        return Err(wrong("every", "must be a multiple of 10"));
    }
    let window = ask.number("window", 300u32.next_multiple_of(every), every..=LONGEST_SLIDING_S)?;
    if window % every != 0 {
        return Err(wrong("window", format!("must be a multiple of {every}, what windows slide by")));
    }
    Ok((window, Some(every)))
}

/// Windows of one area, oldest first: `from`..`to`, or the `last` seconds up to the newest window. With `every` they slide.
#[utoipa::path(get, path = "/metrics/series", tag = "metrics",
    params(("layer" = String, Query), ("code" = String, Query), ("metric" = String, Query),
        ("window" = Option<u32>, Query, description = "10, 60, 3600 (hours) or 86400 (days, in the city's time); 60 when missing. With `every`: any multiple of it up to 3600; 300 when missing"),
        ("every" = Option<u32>, Query, minimum = 10, maximum = 3_600, description = "seconds from the start of a window to that of the next, a multiple of 10: windows slide"),
        ("from" = Option<String>, Query, description = "RFC 3339 or epoch ms"), ("to" = Option<String>, Query, description = "RFC 3339 or epoch ms"),
        ("last" = Option<u32>, Query, minimum = 10, maximum = 2_678_400, description = "seconds; 3600 when neither from nor to is given"),
        ("statistic" = Option<String>, Query, description = "mean, sum, count, min, max or last; p50, p90, p95, p99 or sources where the city keeps sketches of the metric; the metric's own when missing")),
    responses((status = 200, body = SeriesView), (status = 400, body = ProblemView), (status = 404, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn series(State(api): State<Api>, ask: Ask) -> Result<Json<SeriesView>, Problem> {
    ask.only(&["layer", "code", "metric", "window", "every", "from", "to", "last", "statistic"])?;
    let sheet = sheet_of(&api, ask.text("layer")?)?;
    let (code, metric) = (ask.text("code")?, ask.text("metric")?);
    let (window_s, every_s) = windows_of(&ask)?;
    let statistic = told_of(&api, &ask, metric)?;
    let now = now_ms();
    let area = sheet.layer.find(code, now).and_then(|number| sheet.area(number));
    let area = area.ok_or_else(|| not_found("code", format!("layer {} has no area {code} now", sheet.id())))?;
    let of = WindowsOf {
        layer: sheet.id().to_owned(),
        level: sheet.level_id(area.level).to_owned(),
        metric: metric.to_owned(),
        window_s,
    };
    let (from, until) = range_of(&api, &ask, &of, every_s, now).await?;
    let asked = SeriesOf { of: &of, every_s, code, from, until, limit: MOST_POINTS };
    let points = points(reader(&api)?, &asked, statistic).await.map_err(store)?;
    let error = if let Told::Estimated(estimate) = statistic { estimate.error() } else { 0.0 };
    let (code, metric, every_s) = (code.to_owned(), metric.to_owned(), every_s.unwrap_or(window_s));
    Ok(Json(SeriesView { layer: of.layer, code, metric, statistic, error, window_s, every_s, points }))
}

async fn points(reader: &Reader, asked: &SeriesOf<'_>, told: Told) -> Result<Vec<PointView>, StoreError> {
    let start = |start: u32| i64::from(start) * 1000;
    let statistic = match told {
        Told::Folded(statistic) => statistic,
        Told::Estimated(estimate) => {
            let points = reader.estimate_series(asked).await?;
            let view = |point: &EstimatePoint| {
                let (start, value) = (start(point.start), estimate.of(point)?);
                Some(PointView { start, value, count: point.events, closed: point.closed })
            };
            return Ok(points.iter().filter_map(view).collect());
        }
    };
    let points = match asked.every_s {
        Some(_) => reader.sliding_series(asked).await?,
        None => reader.window_series(asked.of, asked.code, (asked.from, asked.until), asked.limit).await?,
    };
    let view = |point: &WindowPoint| PointView {
        start: start(point.start),
        value: statistic.of(&point.into()),
        count: point.events,
        closed: point.closed,
    };
    Ok(points.iter().map(view).collect())
}

/// Length of the windows that those which begin every so many seconds are summed from.
fn part_of(every_s: u32) -> u32 {
    if every_s.is_multiple_of(60) { 60 } else { 10 }
}

/// First and last start of windows asked for, epoch seconds.
async fn range_of(api: &Api, ask: &Ask, of: &WindowsOf, every_s: Option<u32>, now: i64) -> Result<(u32, u32), Problem> {
    let seconds = |ms: i64| u32::try_from(ms / 1000).unwrap_or_default();
    let (from, to) = ask.between("from", "to")?;
    if from.is_some() || to.is_some() {
        return Ok((seconds(from.unwrap_or(0)), seconds(to.unwrap_or(now)).saturating_sub(1)));
    }
    let last = ask.number("last", 3600u32, 10..=looks::MOST_SPAN_S)?;
    // A window that slides is told once what it is the sum of has come to its end.
    let part_s = every_s.map_or(of.window_s, part_of);
    let parts = WindowsOf { window_s: part_s, ..of.clone() };
    let newest = looks::newest(reader(api)?, &parts, now).await.map_err(store)?.unwrap_or_else(|| seconds(now));
    let end = newest + part_s;
    Ok((end.saturating_sub(last.max(of.window_s)), end.saturating_sub(of.window_s)))
}
