//! Rules over several entities, where the owner of windows keeps them: alerts out, copies for checkpoints, what is open after a restart.

use super::Owner;
use crate::{
    alerts::{AlertQueue, Teller},
    checkpoint::{Body, Pieces, Said, Speaker},
    shared::Shared,
    together::{InForce, Sighting, Together},
    windows::{FENCE, LIVE, Marks},
};
use gridwarden_domain::alert::Alert;
use gridwarden_runtime::clock::now_ms;
use std::sync::atomic::Ordering;

/// Where alerts go, and what is in force.
pub(crate) struct Says {
    pub(crate) alerts: AlertQueue,
    pub(crate) in_force: Box<dyn Fn() -> InForce>,
}

/// Clocks of brokers and processes differ by less.
const CLOCKS_MS: i64 = 2_000;

/// Rules over several entities of one worker.
pub(super) struct Gathered {
    says: Says,
    worker: usize,
    label: String,
    together: Together,
    alerts: Vec<Alert>,
    /// No process before this one came farther than its clock had: by then all of it is decided again.
    begun_ms: i64,
    /// Whether it was said what is open here.
    told: bool,
}

impl Gathered {
    pub(super) fn new(says: Says, worker: usize, (index, peers): (usize, usize)) -> Self {
        let together = Together::new(index, peers);
        let label = worker.to_string();
        Self { says, worker, label, together, alerts: Vec::new(), begun_ms: now_ms(), told: false }
    }

    pub(super) fn take(&mut self, sighting: Sighting, shared: &Shared) {
        if !self.together.take(sighting) {
            shared.metrics.too_late_for_together.inc();
            // `make chaos` counts these words in the log: a metric ends with its process.
            tracing::error!("clocks are too far apart: a record came behind the watermark of all partitions");
        }
    }

    pub(super) fn advance(&mut self, watermark: (u8, i64), shared: &Shared) {
        if self.together.is_empty() {
            return;
        }
        self.together.advance(watermark, &(self.says.in_force)(), shared, &mut self.alerts);
        self.alerts.drain(..).for_each(|alert| self.says.alerts.push(alert));
        self.count(shared);
    }

    fn count(&self, shared: &Shared) {
        let waiting = self.together.waiting();
        shared.metrics.together_waiting.with_label_values(&[&self.label]).set(waiting as i64);
        if let Some(progress) = shared.progress.get(self.worker) {
            progress.waiting.store(waiting as u64, Ordering::Relaxed);
        }
    }

    /// All that is before a cut has come: it is copied as it is now. Little enough to be done at once.
    pub(super) fn cut(&self, pieces: &Pieces) {
        self.says.alerts.cut(Teller::Together(self.worker));
        for (section, body) in self.together.pieces() {
            pieces.say(Speaker::Owner(self.worker), Said::Piece(section, Some(Body::written(body))));
        }
    }

    /// Once all that a process before this one can have decided is decided again: what is open here (`ALR-3`).
    pub(super) fn tell_open(&mut self, marks: &Marks, shared: &Shared) {
        let world = &shared.world;
        let is_past = || {
            let expected = world.domains.expected(LIVE);
            let clock = marks.watermark(LIVE, expected).unwrap_or(i64::MIN);
            let caught_up = clock >= self.begun_ms.saturating_sub(world.lateness_ms).saturating_add(CLOCKS_MS);
            marks.watermark(FENCE, expected).is_some() && (caught_up || self.together.is_empty())
        };
        if !self.told && is_past() {
            self.told = true;
            self.says.alerts.held(Teller::Together(self.worker), self.together.open_alerts());
        }
    }
}

impl Owner {
    /// Rules over several entities, to put back what was saved.
    pub(crate) fn together_mut(&mut self) -> &mut Together {
        &mut self.gathered.together
    }

    /// Takes what rules over several entities are to see, sent after so many cuts; what is from behind a cut that is not complete here is
    /// held.
    pub(crate) fn sightings(&mut self, cuts: u32, sightings: &mut Vec<Sighting>) {
        if cuts > self.cuts {
            self.behind.sightings.push(std::mem::take(sightings));
        } else {
            sightings.drain(..).for_each(|sighting| self.gathered.take(sighting, &self.shared));
            self.gathered.count(&self.shared);
        }
    }
}
