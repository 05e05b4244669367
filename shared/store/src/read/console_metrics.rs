//! Windows of area × metric for the console: which metrics there are, values per area, a series of one area.

use super::Reader;
use crate::error::StoreError;
use clickhouse::Row;
use serde::Deserialize;

/// Which windows: one metric at one level of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WindowsOf {
    /// Layer id.
    pub layer: String,
    /// Level id.
    pub level: String,
    /// Metric name.
    pub metric: String,
    /// Length of a window in seconds.
    pub window_s: u32,
}

/// A metric that has windows.
#[derive(Row, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct MetricSeen {
    /// Metric name.
    pub metric: String,
    /// Start of its newest window, epoch seconds.
    pub newest: u32,
}

/// What the windows of a span say of one area.
#[derive(Row, Deserialize, Clone, Debug, PartialEq)]
pub struct AreaFold {
    /// Area code.
    pub code: String,
    /// Events.
    pub events: u64,
    /// Sum of values.
    pub total: f64,
    /// Lowest value.
    pub lowest: f64,
    /// Highest value.
    pub highest: f64,
    /// Latest value by event time.
    pub latest: f64,
    /// Whether every window taken in was closed.
    pub closed: bool,
}

/// One window of one area.
#[derive(Row, Deserialize, Clone, Debug, PartialEq)]
pub struct WindowPoint {
    /// Start of the window, epoch seconds.
    pub start: u32,
    /// Events.
    pub events: u64,
    /// Sum of values.
    pub total: f64,
    /// Lowest value.
    pub lowest: f64,
    /// Highest value.
    pub highest: f64,
    /// Latest value by event time.
    pub latest: f64,
    /// Whether the window was closed when last written.
    pub closed: bool,
}

#[derive(Row, Deserialize)]
struct Newest {
    windows: u64,
    newest: u32,
}

const SEEN: &str = "SELECT metric, toUnixTimestamp(max(window_start)) AS newest FROM area_metrics \
    WHERE layer = {layer:String} AND level = {level:String} AND window_s = {window:UInt32} \
    GROUP BY metric ORDER BY metric";

const NEWEST: &str = "SELECT count() AS windows, toUnixTimestamp(max(window_start)) AS newest FROM area_metrics \
    WHERE layer = {layer:String} AND level = {level:String} AND metric = {metric:String} AND window_s = {window:UInt32} \
    AND window_start >= toDateTime({from:UInt32}, 'UTC')";

const FOLD: &str = "SELECT code, sum(count) AS events, sum(toFloat64(sum)) AS total, min(toFloat64(min)) AS lowest, \
    max(toFloat64(max)) AS highest, argMax(toFloat64(last), last_time) AS latest, min(closed) AS closed FROM area_metrics \
    WHERE layer = {layer:String} AND level = {level:String} AND metric = {metric:String} AND window_s = {window:UInt32} \
    AND window_start >= toDateTime({from:UInt32}, 'UTC') AND window_start <= toDateTime({until:UInt32}, 'UTC') \
    GROUP BY code HAVING events > 0 ORDER BY code";

const SERIES: &str = "SELECT toUnixTimestamp(window_start) AS start, count AS events, toFloat64(sum) AS total, \
    toFloat64(min) AS lowest, toFloat64(max) AS highest, toFloat64(last) AS latest, closed FROM area_metrics \
    WHERE layer = {layer:String} AND level = {level:String} AND metric = {metric:String} AND window_s = {window:UInt32} \
    AND code = {code:String} \
    AND window_start >= toDateTime({from:UInt32}, 'UTC') AND window_start <= toDateTime({until:UInt32}, 'UTC') \
    AND events > 0 ORDER BY start DESC LIMIT {limit:UInt32}";

impl WindowsOf {
    pub(super) fn bind(&self, query: clickhouse::query::Query) -> clickhouse::query::Query {
        let query = query.param("layer", &self.layer).param("level", &self.level);
        query.param("metric", &self.metric).param("window", self.window_s)
    }
}

impl Reader {
    /// Metrics that have windows at a level, by name.
    pub async fn metrics_seen(&self, layer: &str, level: &str, window_s: u32) -> Result<Vec<MetricSeen>, StoreError> {
        let query = self.client().query_raw(SEEN).param("layer", layer).param("level", level);
        Ok(query.param("window", window_s).fetch_all().await?)
    }

    /// Start of the newest window that begins at `from` or later (epoch seconds).
    pub async fn newest_window(&self, of: &WindowsOf, from: u32) -> Result<Option<u32>, StoreError> {
        let query = of.bind(self.client().query_raw(NEWEST)).param("from", from);
        let found: Newest = query.fetch_one().await?;
        Ok((found.windows > 0).then_some(found.newest))
    }

    /// Folds the windows that begin in `from..=until` (epoch seconds) per area, by code.
    pub async fn fold_windows(&self, of: &WindowsOf, from: u32, until: u32) -> Result<Vec<AreaFold>, StoreError> {
        let query = of.bind(self.client().query_raw(FOLD)).param("from", from).param("until", until);
        Ok(query.fetch_all().await?)
    }

    /// The newest windows of one area that begin in `from..=until`, oldest first, at most `limit`.
    pub async fn window_series(
        &self,
        of: &WindowsOf,
        code: &str,
        (from, until): (u32, u32),
        limit: u32,
    ) -> Result<Vec<WindowPoint>, StoreError> {
        let query = of.bind(self.client().query_raw(SERIES)).param("code", code).param("limit", limit);
        let mut points: Vec<WindowPoint> = query.param("from", from).param("until", until).fetch_all().await?;
        points.reverse();
        Ok(points)
    }
}
