//! The names of the gateway's figures, all in one place.

use gridwarden_runtime::prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, Result,
};

/// The gateway's figures. `feed` is a name of `city.toml` (or `admin`), so every label is bounded.
#[derive(Clone)]
pub struct Metrics {
    /// `gridwarden_gateway_requests_total{route,status}`.
    pub requests: IntCounterVec,
    /// `gridwarden_gateway_request_seconds{route}`.
    pub seconds: HistogramVec,
    /// `gridwarden_gateway_records_total{feed,kind}`: acknowledged by Kafka.
    pub accepted: IntCounterVec,
    /// `gridwarden_gateway_rejected_total{feed,code}`: not taken, and the caller was told.
    pub rejected: IntCounterVec,
    /// `gridwarden_gateway_body_bytes_total`: after decompression.
    pub bytes: IntCounter,
    /// `gridwarden_gateway_acknowledge_seconds`: Kafka's part of a request.
    pub acknowledge: Histogram,
    /// `gridwarden_gateway_unacknowledged_total`: records that Kafka did not acknowledge.
    pub unacknowledged: IntCounter,
    /// `gridwarden_gateway_replayed_total`: answers given again for an idempotency key.
    pub replayed: IntCounter,
    /// `gridwarden_gateway_in_flight`.
    pub in_flight: IntGauge,
}

const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Metrics {
    /// Registers everything.
    pub fn new(registry: &Registry) -> Result<Self> {
        let name = |rest: &str| format!("gridwarden_gateway_{rest}");
        let counters = |rest: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name(rest), help), labels)?;
            registry.register(Box::new(counters.clone())).map(|()| counters)
        };
        let counter = |rest: &str, help: &str| {
            let counter = IntCounter::new(name(rest), help)?;
            registry.register(Box::new(counter.clone())).map(|()| counter)
        };
        let options = |rest: &str, help: &str| HistogramOpts::new(name(rest), help).buckets(SECONDS.to_vec());
        let seconds = HistogramVec::new(options("request_seconds", "whole requests"), &["route"])?;
        registry.register(Box::new(seconds.clone()))?;
        let acknowledge = Histogram::with_opts(options("acknowledge_seconds", "until Kafka has it"))?;
        registry.register(Box::new(acknowledge.clone()))?;
        let in_flight = IntGauge::new(name("in_flight"), "requests under way")?;
        registry.register(Box::new(in_flight.clone()))?;
        Ok(Self {
            requests: counters("requests_total", "requests answered", &["route", "status"])?,
            seconds,
            accepted: counters("records_total", "records acknowledged by Kafka", &["feed", "kind"])?,
            rejected: counters("rejected_total", "records not taken", &["feed", "code"])?,
            bytes: counter("body_bytes_total", "bytes of bodies")?,
            acknowledge,
            unacknowledged: counter("unacknowledged_total", "records Kafka did not acknowledge")?,
            replayed: counter("replayed_total", "answers given again")?,
            in_flight,
        })
    }
}
