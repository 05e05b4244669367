//! What the stream counts. One place for the names. `read = accepted + duplicate + late + rejected + markers` holds whenever
//! no record is in a worker's hands; what the log holds beyond `read` is `behind + held`.

use gridwarden_runtime::conservation::{Counts, total};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// The stream's figures.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// Records read.
    pub(crate) read: IntCounter,
    /// Records admitted.
    pub(crate) accepted: IntCounter,
    /// Records whose source had sent their id before.
    pub(crate) duplicate: IntCounter,
    /// Records older than `max_age`.
    pub(crate) late: IntCounter,
    /// Ends of feeds and the like.
    pub(crate) markers: IntCounter,
    /// Records not taken, by reason.
    pub(crate) rejected: IntCounterVec,
    /// Accepted records in no area, by target.
    pub(crate) nowhere: IntCounterVec,
    /// Entities seen on a second partition: records.
    pub(crate) misrouted: IntCounter,
    /// Accepted records too late for windows.
    pub(crate) too_late_for_windows: IntCounter,
    /// Accepted records too late for rules (the broker's clock stepped back).
    pub(crate) too_late_for_rules: IntCounter,
    /// Accepted records too late for rules over several entities.
    pub(crate) too_late_for_together: IntCounter,
    /// Accepted records too late to be put in order for rules that ask for it: these looked at them as they came.
    pub(crate) too_late_for_order: IntCounter,
    /// Records that had their turn early, because too many waited.
    pub(crate) before_their_turn: IntCounter,
    /// Records that wait for rules over several entities, by worker.
    pub(crate) together_waiting: IntGaugeVec,
    /// Times a partition was held back because too much waited for a slower one.
    pub(crate) held_back: IntCounter,
    /// Values, kinds or entities beyond what is remembered.
    pub(crate) beyond_limits: IntCounterVec,
    /// Transitions of alerts, by kind of rule and transition.
    pub(crate) alerts: IntCounterVec,
    /// Transitions not produced because the topic holds them already.
    pub(crate) alerts_known: IntCounter,
    /// Transitions produced again after a failure.
    pub(crate) alerts_retried: IntCounter,
    /// Rows of windows handed to ClickHouse.
    pub(crate) window_rows: IntCounter,
    /// Changes (of one area and metric group) whose window was forgotten already, though their records were admitted.
    pub(crate) windows_refused: IntCounter,
    /// Shards of a minute of windows lent to a checkpoint, and read back from one.
    pub(crate) windows_lent: IntCounter,
    pub(crate) windows_back: IntCounter,
    /// Hours and days summed.
    pub(crate) rollups: IntCounter,
    /// Bytes of windows, by worker.
    pub(crate) window_bytes: IntGaugeVec,
    /// Entities, by worker.
    pub(crate) entities: IntGaugeVec,
    /// Bytes of entities, by worker, and of where they were first seen (`all`).
    pub(crate) entity_bytes: IntGaugeVec,
    /// Wall clock less the live watermark, in ms.
    pub(crate) watermark_lag: IntGauge,
    /// Records between a worker's position and the end of its partitions.
    pub(crate) behind: IntGaugeVec,
    /// Records read that wait until what is in force for them is known, by worker.
    pub(crate) held: IntGaugeVec,
    /// Wall clock less the moment up to which the control topics are known, in ms.
    pub(crate) control_lag: IntGauge,
    /// Control records that could not be taken; what was in force stays so.
    pub(crate) control_skipped: IntGauge,
    /// Records read from the archive, which the log no longer held.
    pub(crate) from_archive: IntCounter,
    /// Records that were neither in the log nor in the archive when they were needed.
    pub(crate) lost: IntCounter,
    /// Seconds until retention deletes the oldest record that was not read yet.
    pub(crate) loss_in: IntGaugeVec,
    /// Since when the partitions are read, epoch ms.
    pub(crate) reading_since: IntGauge,
    /// Checkpoints written.
    pub(crate) checkpoints: IntCounter,
    /// Bytes of the newest checkpoint, pieces of earlier ones included.
    pub(crate) checkpoint_bytes: IntGauge,
    /// When the newest checkpoint was written, epoch ms.
    pub(crate) checkpoint_at: IntGauge,
    /// Time from ordering a checkpoint until its manifest was written.
    pub(crate) checkpoint_seconds: Histogram,
    /// Time from a record's append until its alert was acknowledged.
    pub(crate) alert_seconds: Histogram,
}

impl Metrics {
    /// What became of the records read (`CON-1`). Those read from Kafka and held until their control records are known are
    /// not read yet.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            read: self.read.get(),
            accepted: self.accepted.get(),
            duplicate: self.duplicate.get(),
            late: self.late.get(),
            rejected: total(&self.rejected),
            marker: self.markers.get(),
            in_flight: 0,
        }
    }

    /// Makes and registers them.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let made = Maker(registry);
        Ok(Self {
            read: made.counter("records_read_total", "Records read")?,
            accepted: made.counter("records_accepted_total", "Records admitted")?,
            duplicate: made.counter("records_duplicate_total", "Records whose id had been sent before")?,
            late: made.counter("records_late_total", "Records older than max_age")?,
            markers: made.counter("records_marker_total", "Records without content: ends of feeds")?,
            rejected: made.counters("records_rejected_total", "Records not taken", &["code"])?,
            nowhere: made.counters("records_nowhere_total", "Accepted records in no area", &["target"])?,
            misrouted: made
                .counter("records_misrouted_total", "Records of entities seen on another partition before")?,
            too_late_for_windows: made.counter("records_too_late_for_windows_total", "Left to a recompute")?,
            too_late_for_rules: made.counter("records_too_late_for_rules_total", "The broker's clock stepped back")?,
            too_late_for_together: made.counter(
                "records_too_late_for_together_total",
                "Behind the watermark, for rules over several entities",
            )?,
            too_late_for_order: made
                .counter("records_too_late_for_order_total", "Later than a rule's reorder_s: looked at as they came")?,
            before_their_turn: made.counter(
                "records_before_their_turn_total",
                "Looked at before their turn, because more than reordered_per_partition waited",
            )?,
            held_back: made.counter(
                "partitions_held_back_total",
                "Times a partition was not read on because too much waited for a slower one",
            )?,
            together_waiting: made.gauges(
                "together_waiting",
                "Records that wait for rules over several entities",
                &["worker"],
            )?,
            beyond_limits: made.counters("beyond_limits_total", "Names beyond what is remembered", &["what"])?,
            alerts: made.counters("alerts_total", "Transitions of alerts", &["kind", "transition"])?,
            alerts_known: made.counter("alerts_known_total", "Transitions the topic held already")?,
            alerts_retried: made.counter("alerts_retried_total", "Transitions produced again after a failure")?,
            window_rows: made.counter("window_rows_total", "Rows of windows handed to ClickHouse")?,
            windows_refused: made
                .counter("window_changes_refused_total", "Changes of windows that had gone already")?,
            windows_lent: made.counter("windows_lent_total", "Pieces of windows that lie in a checkpoint only")?,
            windows_back: made.counter("windows_back_total", "Pieces of windows read back from a checkpoint")?,
            rollups: made.counter("rollups_total", "Hours and days summed from minutes")?,
            window_bytes: made.gauges("window_bytes", "Memory of windows", &["worker"])?,
            entity_bytes: made.gauges("entity_bytes", "Memory of entities, ids of messages left out", &["worker"])?,
            entities: made.gauges("entities", "Entities remembered", &["worker"])?,
            watermark_lag: made.gauge("watermark_lag_ms", "Wall clock less the live watermark")?,
            behind: made.gauges("behind_records", "Records not read yet", &["worker"])?,
            held: made.gauges("held_records", "Records read that wait for the control topics", &["worker"])?,
            control_lag: made.gauge("control_lag_ms", "Wall clock less what the control topics are known up to")?,
            control_skipped: made.gauge("control_skipped_records", "Control records that could not be taken")?,
            from_archive: made.counter("records_from_archive_total", "Records the log no longer held")?,
            lost: made.counter("records_lost_total", "Records in neither log nor archive when they were needed")?,
            loss_in: made.gauges(
                "loss_in_seconds",
                "Time until retention deletes the oldest record not read yet; the shortest retention when all is read",
                &["worker"],
            )?,
            reading_since: made.gauge("reading_since_ms", "Since when the partitions are read, epoch ms")?,
            checkpoints: made.counter("checkpoints_total", "Checkpoints written")?,
            checkpoint_bytes: made.gauge("checkpoint_bytes", "Bytes of the newest checkpoint")?,
            checkpoint_at: made.gauge("checkpoint_at_ms", "When the newest checkpoint was written, epoch ms")?,
            checkpoint_seconds: made.seconds("checkpoint_seconds", "From ordering a checkpoint to its manifest")?,
            alert_seconds: made.seconds("alert_seconds", "From a record's append to its alert's acknowledgement")?,
        })
    }
}

struct Maker<'r>(&'r Registry);

impl Maker<'_> {
    fn keep<C: prometheus::core::Collector + Clone + 'static>(&self, made: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.keep(IntCounter::new(full(name), help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.keep(IntCounterVec::new(Opts::new(full(name), help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.keep(IntGauge::new(full(name), help)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.keep(IntGaugeVec::new(Opts::new(full(name), help), labels)?)
    }

    fn seconds(&self, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
        let buckets = vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
        self.keep(Histogram::with_opts(HistogramOpts::new(full(name), help).buckets(buckets))?)
    }
}

fn full(name: &str) -> String {
    format!("gridwarden_stream_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_own() {
        Metrics::new(&Registry::new()).expect("names");
    }
}
