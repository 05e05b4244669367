//! Windows that slide, and what sketches say of windows, for the console.

use super::{Reader, WindowPoint, WindowsOf};
use crate::error::StoreError;
use clickhouse::Row;
use serde::Deserialize;

/// What a sketch says of one window of one area; none: it is not kept of the metric.
#[derive(Row, Deserialize, Clone, Debug, PartialEq)]
pub struct EstimatePoint {
    /// Start of the window, epoch seconds.
    pub start: u32,
    /// Events.
    pub events: u64,
    /// Quantiles.
    pub p50: Option<f64>,
    /// Quantiles.
    pub p90: Option<f64>,
    /// Quantiles.
    pub p95: Option<f64>,
    /// Quantiles.
    pub p99: Option<f64>,
    /// How many sources.
    pub sources: Option<f64>,
    /// Whether the window was closed when last written.
    pub closed: bool,
}

/// Which windows of an area, by their starts (epoch seconds): `from..=until`, the newest `limit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesOf<'a> {
    /// Metric and level; the length of a window.
    pub of: &'a WindowsOf,
    /// Seconds between the starts of windows that slide; none: they stand side by side.
    pub every_s: Option<u32>,
    /// Area code.
    pub code: &'a str,
    /// The first start.
    pub from: u32,
    /// The last start.
    pub until: u32,
    /// How many at most.
    pub limit: u32,
}

/// Windows that slide, by the view's own parameters.
const SLIDING_OF: &str = "(layer = {layer:String}, metric = {metric:String}, length = {window:UInt32}, \
    every = {every:UInt32}, since = {from:UInt32}, before = {before:UInt32})";

const SLIDING: &str = "SELECT toUnixTimestamp(window_start) AS start, count AS events, toFloat64(sum) AS total, \
    toFloat64(min) AS lowest, toFloat64(max) AS highest, toFloat64(last) AS latest, toBool(closed) AS closed FROM area_sliding";

const ESTIMATES: &str = "SELECT toUnixTimestamp(window_start) AS start, events, toFloat64(p50) AS p50, \
    toFloat64(p90) AS p90, toFloat64(p95) AS p95, toFloat64(p99) AS p99, sources, toBool(closed) AS closed FROM ";

const OF: &str = " WHERE layer = {layer:String} AND level = {level:String} AND metric = {metric:String} \
    AND window_s = {window:UInt32} AND code = {code:String} \
    AND window_start >= toDateTime({from:UInt32}, 'UTC') AND window_start <= toDateTime({until:UInt32}, 'UTC') \
    ORDER BY start DESC LIMIT {limit:UInt32}";

impl SeriesOf<'_> {
    fn bind(&self, query: clickhouse::query::Query) -> clickhouse::query::Query {
        let query = self.of.bind(query).param("code", self.code).param("limit", self.limit);
        let query = query.param("from", self.from).param("until", self.until);
        match self.every_s {
            Some(every) => query.param("every", every).param("before", self.until.saturating_add(1)),
            None => query,
        }
    }
}

impl Reader {
    /// Windows that slide (side by side when they do not say by how much), oldest first.
    pub async fn sliding_series(&self, series: &SeriesOf<'_>) -> Result<Vec<WindowPoint>, StoreError> {
        let every_s = Some(series.every_s.unwrap_or(series.of.window_s));
        let series = SeriesOf { every_s, ..series.clone() };
        let query = series.bind(self.client().query_raw(&format!("{SLIDING}{SLIDING_OF}{OF}")));
        let mut points: Vec<WindowPoint> = query.fetch_all().await?;
        points.reverse();
        Ok(points)
    }

    /// What sketches say of windows, oldest first. Windows without one are left out.
    pub async fn estimate_series(&self, series: &SeriesOf<'_>) -> Result<Vec<EstimatePoint>, StoreError> {
        let sql = match series.every_s {
            Some(_) => format!("{ESTIMATES}area_sliding_estimates{SLIDING_OF}{OF}"),
            None => format!("{ESTIMATES}area_estimates{OF}"),
        };
        let mut points: Vec<EstimatePoint> = series.bind(self.client().query_raw(&sql)).fetch_all().await?;
        points.reverse();
        Ok(points)
    }
}
