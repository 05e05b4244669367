//! The names of dispatch's figures, all in one place.

use gridwarden_runtime::prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result,
};

/// dispatch's figures. `endpoint` is an id of `city.toml`, so every label is bounded.
#[derive(Clone)]
pub struct Metrics {
    /// `gridwarden_dispatch_alerts_total{result}`: new, known, unreadable.
    pub alerts: IntCounterVec,
    /// `gridwarden_dispatch_alerts_open`.
    pub open: IntGauge,
    /// `gridwarden_dispatch_attempts_total{endpoint,result}`: delivered, or why an attempt failed.
    pub attempts: IntCounterVec,
    /// `gridwarden_dispatch_deliveries_total{endpoint,state}`: delivered, failed.
    pub deliveries: IntCounterVec,
    /// `gridwarden_dispatch_skipped_total{endpoint,reason}`.
    pub skipped: IntCounterVec,
    /// `gridwarden_dispatch_pending{endpoint}`: transitions an endpoint still has to get.
    pub pending: IntGaugeVec,
    /// `gridwarden_dispatch_endpoint_gone{endpoint}`: 1 after a 410.
    pub gone: IntGaugeVec,
    /// `gridwarden_dispatch_delivery_seconds{endpoint}`: from the append of an alert to the answer 2xx.
    pub latency: HistogramVec,
    /// `gridwarden_dispatch_attempt_seconds`: one HTTP exchange.
    pub exchange: Histogram,
    /// `gridwarden_dispatch_viewers`: open event streams.
    pub viewers: IntGauge,
    /// `gridwarden_dispatch_stream_gaps_total`: viewers told that they missed events.
    pub gaps: IntCounter,
    /// `gridwarden_dispatch_storms`: rules whose alerts are held back now.
    pub storms: IntGauge,
    /// `gridwarden_dispatch_table_failures_total`: ClickHouse refused or was away past the writer's patience.
    pub table_failures: IntCounter,
    /// `gridwarden_dispatch_table_rows_total{table}`.
    pub table_rows: IntCounterVec,
}

const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0, 3600.0, 86400.0];

impl Metrics {
    /// Registers everything.
    pub fn new(registry: &Registry) -> Result<Self> {
        let name = |rest: &str| format!("gridwarden_dispatch_{rest}");
        let counters = |rest: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name(rest), help), labels)?;
            registry.register(Box::new(counters.clone())).map(|()| counters)
        };
        let gauges = |rest: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name(rest), help), labels)?;
            registry.register(Box::new(gauges.clone())).map(|()| gauges)
        };
        let gauge = |rest: &str, help: &str| {
            let gauge = IntGauge::new(name(rest), help)?;
            registry.register(Box::new(gauge.clone())).map(|()| gauge)
        };
        let counter = |rest: &str, help: &str| {
            let counter = IntCounter::new(name(rest), help)?;
            registry.register(Box::new(counter.clone())).map(|()| counter)
        };
        let seconds = |rest: &str, help: &str| HistogramOpts::new(name(rest), help).buckets(SECONDS.to_vec());
        let latency = HistogramVec::new(seconds("delivery_seconds", "from append to 2xx"), &["endpoint"])?;
        registry.register(Box::new(latency.clone()))?;
        let exchange = Histogram::with_opts(seconds("attempt_seconds", "one HTTP exchange"))?;
        registry.register(Box::new(exchange.clone()))?;
        Ok(Self {
            alerts: counters("alerts_total", "transitions read", &["result"])?,
            open: gauge("alerts_open", "open alerts")?,
            attempts: counters("attempts_total", "webhook attempts", &["endpoint", "result"])?,
            deliveries: counters("deliveries_total", "deliveries that ended", &["endpoint", "state"])?,
            skipped: counters("skipped_total", "transitions not sent", &["endpoint", "reason"])?,
            pending: gauges("pending", "transitions still to be delivered", &["endpoint"])?,
            gone: gauges("endpoint_gone", "1 after a 410", &["endpoint"])?,
            latency,
            exchange,
            viewers: gauge("viewers", "open event streams")?,
            gaps: counter("stream_gaps_total", "viewers that missed events")?,
            storms: gauge("storms", "rules whose alerts are held back")?,
            table_failures: counter("table_failures_total", "blocks that ClickHouse did not take in time")?,
            table_rows: counters("table_rows_total", "rows written", &["table"])?,
        })
    }
}
