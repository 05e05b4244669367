//! What follows from records: deltas for windows, alerts, rows, counts.

use crate::{
    intern::Id,
    metrics::Metrics,
    together::Sighting,
    windows::{At, Delta},
};
use gridwarden_domain::{alert::Alert, observation::Position, reject::Reason, value::Fixed};
use smallvec::SmallVec;

/// What a batch of records led to.
#[derive(Default)]
pub(crate) struct Outbox {
    /// Changes of windows.
    pub(crate) deltas: Vec<Delta>,
    /// Transitions of alerts, in order.
    pub(crate) alerts: Vec<Alert>,
    /// What rules over several entities are to see, and the shards those are decided in, one bit each.
    pub(crate) sightings: Vec<(u64, Sighting)>,
}

/// The latest state of an entity, by numbers.
#[derive(Clone, Debug)]
pub(crate) struct EntityRow {
    /// Entity id.
    pub(crate) source: Id,
    /// Kind.
    pub(crate) kind: u16,
    /// Feed.
    pub(crate) feed: u16,
    /// Event time.
    pub(crate) time: i64,
    /// Place in the log.
    pub(crate) at: At,
    /// Append time.
    pub(crate) appended: i64,
    /// Where.
    pub(crate) position: Option<Position>,
    /// Leaf areas.
    pub(crate) areas: SmallVec<[u32; 4]>,
    /// Values by metric.
    pub(crate) values: SmallVec<[(u32, Fixed); 3]>,
}

/// Counts of a worker since they were last added to the process's.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) read: u64,
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) late: u64,
    pub(crate) markers: u64,
    /// By reason.
    pub(crate) rejected: SmallVec<[(&'static str, u64); 4]>,
    pub(crate) observations_nowhere: u64,
    pub(crate) reports_nowhere: u64,
    pub(crate) misrouted: u64,
    pub(crate) too_late_for_windows: u64,
    pub(crate) too_late_for_rules: u64,
    pub(crate) too_late_for_together: u64,
    pub(crate) too_late_for_order: u64,
    pub(crate) before_their_turn: u64,
    pub(crate) kinds_beyond: u64,
    pub(crate) values_beyond: u64,
    pub(crate) entities_beyond: u64,
}

impl Tally {
    /// Counts a reject.
    #[cold]
    pub(crate) fn reject(&mut self, reason: &Reason) {
        let code = reason.code.as_str();
        match self.rejected.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => self.rejected.push((code, 1)),
        }
    }

    /// Adds everything to the process's counts and begins at zero.
    pub(crate) fn settle(&mut self, metrics: &Metrics) {
        let tally = std::mem::take(self);
        metrics.read.inc_by(tally.read);
        metrics.accepted.inc_by(tally.accepted);
        metrics.duplicate.inc_by(tally.duplicate);
        metrics.late.inc_by(tally.late);
        metrics.markers.inc_by(tally.markers);
        for (code, count) in &tally.rejected {
            metrics.rejected.with_label_values(&[*code]).inc_by(*count);
        }
        metrics.misrouted.inc_by(tally.misrouted);
        metrics.too_late_for_windows.inc_by(tally.too_late_for_windows);
        metrics.too_late_for_rules.inc_by(tally.too_late_for_rules);
        metrics.too_late_for_together.inc_by(tally.too_late_for_together);
        metrics.too_late_for_order.inc_by(tally.too_late_for_order);
        metrics.before_their_turn.inc_by(tally.before_their_turn);
        let labelled = [
            (&metrics.nowhere, "observations", tally.observations_nowhere),
            (&metrics.nowhere, "reports", tally.reports_nowhere),
            (&metrics.beyond_limits, "kinds", tally.kinds_beyond),
            (&metrics.beyond_limits, "values", tally.values_beyond),
            (&metrics.beyond_limits, "entities", tally.entities_beyond),
        ];
        for (counter, label, count) in labelled {
            if count > 0 {
                counter.with_label_values(&[label]).inc_by(count);
            }
        }
    }
}
