//! What the writer counts. One place for the names.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Counters of a service's block writer.
#[derive(Clone)]
pub struct StoreMetrics {
    pub(crate) rows: IntCounterVec,
    pub(crate) bytes: IntCounterVec,
    pub(crate) blocks: IntCounterVec,
    pub(crate) retries: IntCounterVec,
    pub(crate) refused: IntCounter,
    pub(crate) in_flight: IntGauge,
    pub(crate) seconds: Histogram,
}

impl StoreMetrics {
    /// Makes the counters and registers them.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self::unregistered()?;
        registry.register(Box::new(metrics.rows.clone()))?;
        registry.register(Box::new(metrics.bytes.clone()))?;
        registry.register(Box::new(metrics.blocks.clone()))?;
        registry.register(Box::new(metrics.retries.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        Ok(metrics)
    }

    fn unregistered() -> Result<Self, prometheus::Error> {
        let by_table = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), &["table"]);
        let buckets = vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        Ok(Self {
            rows: by_table("gridwarden_store_rows_total", "Rows ClickHouse acknowledged")?,
            bytes: by_table("gridwarden_store_bytes_total", "Encoded bytes ClickHouse acknowledged")?,
            blocks: by_table("gridwarden_store_blocks_total", "Blocks ClickHouse acknowledged")?,
            retries: IntCounterVec::new(
                Opts::new("gridwarden_store_retries_total", "Attempts that failed and were worth another"),
                &["kind"],
            )?,
            refused: IntCounter::new("gridwarden_store_refused_total", "Blocks ClickHouse refused for good")?,
            in_flight: IntGauge::new("gridwarden_store_in_flight", "Blocks being inserted now")?,
            seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "gridwarden_store_insert_seconds",
                    "Time from a block's first attempt to its acknowledgement",
                )
                .buckets(buckets),
            )?,
        })
    }
}
