//! Metrics, key figures, freshness.

use super::common::TextView;
use crate::catalogue::{Estimate, Statistic};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A metric that has windows.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricView {
    /// Name as in `area_metrics`.
    pub metric: String,
    /// Name for people.
    pub name: TextView,
    /// Unit, or empty.
    pub unit: String,
    /// How it is folded unless asked otherwise.
    pub statistic: Statistic,
    /// Start of its newest window.
    pub newest: Option<i64>,
    /// Whether a series can tell p50, p90, p95 and p99 of it.
    pub quantiles: bool,
    /// Whether a series can tell how many sources it had.
    pub sources: bool,
}

/// Metrics that have windows.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricsView {
    /// By name.
    pub metrics: Vec<MetricView>,
}

/// Values of a metric per area.
#[derive(Debug, Serialize, ToSchema)]
pub struct AreaValuesView {
    /// Layer id.
    pub layer: String,
    /// Level id.
    pub level: String,
    /// Metric.
    pub metric: String,
    /// How windows were folded.
    pub statistic: Statistic,
    /// Layer version the numbers belong to.
    pub version: String,
    /// Length of the windows folded, in seconds.
    pub window_s: u32,
    /// Length of time folded, in seconds.
    pub span_s: u32,
    /// End of the newest window taken in.
    pub until: Option<i64>,
    /// Whether every window taken in was closed.
    pub closed: bool,
    /// Numbers of areas.
    pub ids: Vec<u32>,
    /// Their codes.
    pub codes: Vec<String>,
    /// Their values.
    pub values: Vec<f64>,
}

/// One window of an area.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointView {
    /// Start.
    pub start: i64,
    /// Value.
    pub value: f64,
    /// Events.
    pub count: u64,
    /// Whether it was closed.
    pub closed: bool,
}

/// How a window became one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Told {
    /// From its sums.
    Folded(Statistic),
    /// From its sketch.
    Estimated(Estimate),
}

/// Windows of one area over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesView {
    /// Layer id.
    pub layer: String,
    /// Area code.
    pub code: String,
    /// Metric.
    pub metric: String,
    /// How a window became one number.
    pub statistic: Told,
    /// How wrong the numbers may be, relative to what they stand for: quantiles at most, sources as a standard error; 0: exact.
    pub error: f64,
    /// Length of a window in seconds.
    pub window_s: u32,
    /// Seconds from the start of a window to that of the next: less than its length when windows slide.
    pub every_s: u32,
    /// Oldest first; windows without events are left out, and those without a sketch where one is asked for.
    pub points: Vec<PointView>,
}

/// Key figures.
#[derive(Debug, Serialize, ToSchema)]
pub struct KpiView {
    /// Counted at.
    pub at: i64,
    /// Observations and reports appended in the last full minute and archived.
    pub events_per_min: u64,
    /// Entities whose latest event time lies in the last 5 minutes.
    pub entities_seen_5m: u64,
    /// Entities that ever spoke.
    pub entities_known: u64,
    /// Alerts raised and not cleared, by severity.
    pub open_alerts: BTreeMap<String, u64>,
    /// Reports with an event time today, in the city's time zone.
    pub reports_today: u64,
    /// Observations and reports appended in the last 5 minutes that lie in no area.
    pub nowhere_5m: u64,
    /// Messages rejected today.
    pub rejects_today: u64,
}

/// The newest moments of each part.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreshnessView {
    /// console's clock.
    pub at: i64,
    /// Append time of the newest archived observation or report.
    pub observations: Option<i64>,
    /// Append time behind the newest latest state of an entity.
    pub entities: Option<i64>,
    /// End of the newest window at the city's root level, never later than `at`.
    pub metrics: Option<i64>,
}
