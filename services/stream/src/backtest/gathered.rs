//! Rules over several entities on the past: what all workers see, put in order together.

use crate::{
    intake::Intake,
    shared::Shared,
    together::{InForce, Sighting, Together},
    windows::{LIVE, Marks},
};
use gridwarden_domain::{alert::Alert, control::Timeline};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What waits, and how far each partition has come.
pub(super) struct Gathered {
    together: Together,
    in_force: InForce,
    marks: Marks,
    /// Partitions of which all is read.
    closed: BTreeSet<u16>,
    alerts: Vec<Alert>,
}

impl Gathered {
    pub(super) fn new(timeline: Arc<Timeline>) -> Self {
        let in_force = InForce { timeline, known_until: i64::MAX };
        let (marks, closed) = (Marks::default(), BTreeSet::new());
        Self { together: Together::new(0, 1), in_force, marks, closed, alerts: Vec::new() }
    }

    /// Takes what a worker saw, and how far its partitions have come; what is said of it.
    pub(super) fn take(
        &mut self,
        sightings: impl Iterator<Item = Sighting>,
        intake: &mut Intake,
        shared: &Shared,
    ) -> Vec<Alert> {
        for sighting in sightings {
            if !self.together.take(sighting) {
                shared.metrics.too_late_for_together.inc();
            }
        }
        intake.marks(1, |mark| {
            if mark.domain != LIVE || !self.closed.contains(&mark.part) {
                self.marks.set(mark.domain, mark.part, mark.watermark);
            }
        });
        self.advance(shared)
    }

    /// All of some partitions is read.
    pub(super) fn close(&mut self, parts: &[u16], shared: &Shared) -> Vec<Alert> {
        parts.iter().for_each(|part| self.marks.set(LIVE, *part, i64::MAX));
        self.closed.extend(parts);
        self.advance(shared)
    }

    /// All of everything is read: time goes on to this moment.
    pub(super) fn end(mut self, moment: i64, shared: &Shared) -> Vec<Alert> {
        let domains: Vec<u8> = self.marks.domains().filter(|domain| *domain != LIVE).collect();
        for (domain, watermark) in domains.into_iter().map(|domain| (domain, i64::MAX)).chain([(LIVE, moment)]) {
            self.together.advance((domain, watermark), &self.in_force, shared, &mut self.alerts);
        }
        self.alerts
    }

    fn advance(&mut self, shared: &Shared) -> Vec<Alert> {
        let watermarks = self.marks.watermarks(|domain| shared.world.domains.expected(domain));
        // When all is read the last moment is that of `end`.
        for watermark in watermarks.into_iter().filter(|(_, watermark)| *watermark < i64::MAX) {
            self.together.advance(watermark, &self.in_force, shared, &mut self.alerts);
        }
        std::mem::take(&mut self.alerts)
    }
}
