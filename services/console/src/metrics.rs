//! console's own figures, one place for their names.

use gridwarden_runtime::prometheus::{
    self, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

/// What is counted.
#[derive(Clone)]
pub struct Metrics {
    /// Open live streams.
    pub viewers: IntGauge,
    /// How long a tick took.
    pub tick_seconds: Histogram,
    /// Ticks that could not ask ClickHouse, by kind of error.
    pub tick_failures: IntCounterVec,
    /// Whether ClickHouse answered the last tick.
    pub clickhouse_up: IntGauge,
    /// Tiles made.
    pub tiles_made: IntCounter,
    /// Tiles answered from memory.
    pub tiles_kept: IntCounter,
}

impl Metrics {
    /// Registers everything.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let buckets = vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
        let tick =
            HistogramOpts::new("gridwarden_console_tick_seconds", "time of one look at ClickHouse for all viewers");
        let failures = Opts::new("gridwarden_console_tick_failures_total", "ticks that could not ask ClickHouse");
        let metrics = Self {
            viewers: IntGauge::new("gridwarden_console_viewers", "open live streams")?,
            tick_seconds: Histogram::with_opts(tick.buckets(buckets))?,
            tick_failures: IntCounterVec::new(failures, &["kind"])?,
            clickhouse_up: IntGauge::new(
                "gridwarden_console_clickhouse_up",
                "1 when ClickHouse answered the last tick",
            )?,
            tiles_made: IntCounter::new("gridwarden_console_tiles_made_total", "map tiles made")?,
            tiles_kept: IntCounter::new("gridwarden_console_tiles_kept_total", "map tiles answered from memory")?,
        };
        registry.register(Box::new(metrics.viewers.clone()))?;
        registry.register(Box::new(metrics.tick_seconds.clone()))?;
        registry.register(Box::new(metrics.tick_failures.clone()))?;
        registry.register(Box::new(metrics.clickhouse_up.clone()))?;
        registry.register(Box::new(metrics.tiles_made.clone()))?;
        registry.register(Box::new(metrics.tiles_kept.clone()))?;
        Ok(metrics)
    }
}
