//! What the archive counts; the one place for the names.
//!
//! Conservation: read = accepted + late + rejected + duplicate + marker + in flight.

use gridwarden_runtime::conservation::{Counts, total};
use gridwarden_runtime::prometheus::{self, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// The archive's figures.
#[derive(Clone)]
pub struct Metrics {
    /// Records read, by topic.
    pub read: IntCounterVec,
    /// Rows ClickHouse has, not late, by table.
    pub accepted: IntCounterVec,
    /// Late rows ClickHouse has, by table.
    pub late: IntCounterVec,
    /// Rejects, by code, once they are in the topic and in ClickHouse.
    pub rejected: IntCounterVec,
    /// Records ClickHouse had already, and messages sent again that were taken before.
    pub duplicate: IntCounter,
    /// Ends of feeds.
    pub marker: IntCounter,
    /// Offsets at which the log holds no record.
    pub gaps: IntCounter,
    /// Rows in no area of any layer, by table.
    pub nowhere: IntCounterVec,
    /// Records read, not yet acknowledged.
    pub in_flight: IntGauge,
    /// Records in the log that were not read yet, by topic.
    pub lag: IntGaugeVec,
    /// Offsets retention deleted before they were archived.
    pub lost: IntCounter,
    /// Seconds until retention deletes the oldest record that waits.
    pub loss_in: IntGauge,
    /// Control records that could not be taken.
    pub control_skipped: IntGauge,
}

impl Metrics {
    /// What became of the records read (`CON-1`).
    pub fn counts(&self) -> Counts {
        Counts {
            read: total(&self.read),
            accepted: total(&self.accepted),
            duplicate: self.duplicate.get(),
            late: total(&self.late),
            rejected: total(&self.rejected),
            marker: self.marker.get(),
            in_flight: self.in_flight.get().unsigned_abs(),
        }
    }

    /// Makes and registers them.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let by = |name: &str, help: &str, label: &str| {
            let counter = IntCounterVec::new(Opts::new(format!("gridwarden_archive_{name}"), help), &[label])?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let one = |name: &str, help: &str| {
            let counter = IntCounter::new(format!("gridwarden_archive_{name}"), help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let level = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("gridwarden_archive_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let lag = IntGaugeVec::new(
            Opts::new("gridwarden_archive_lag_records", "Records in the log that were not read yet"),
            &["topic"],
        )?;
        registry.register(Box::new(lag.clone()))?;
        Ok(Self {
            read: by("read_total", "Records read", "topic")?,
            accepted: by("accepted_total", "Rows archived, not late", "table")?,
            late: by("late_total", "Rows archived although older than max_age", "table")?,
            rejected: by("rejected_total", "Records rejected, by reason", "code")?,
            duplicate: one(
                "duplicate_total",
                "Records read that ClickHouse had already, or that were sent again and taken before",
            )?,
            marker: one("marker_total", "Ends of feeds, once ClickHouse has them")?,
            gaps: one("gap_offsets_total", "Offsets passed at which the log holds no record")?,
            nowhere: by("nowhere_total", "Rows in no area of any layer", "table")?,
            in_flight: level("in_flight_records", "Records read, not yet acknowledged by ClickHouse")?,
            lag,
            lost: one("lost_total", "Offsets deleted by retention before they were archived")?,
            loss_in: level(
                "loss_in_seconds",
                "Time until retention deletes the oldest record that is being put away; the shortest retention when none is",
            )?,
            control_skipped: level("control_skipped_records", "Control records that could not be taken")?,
        })
    }
}
