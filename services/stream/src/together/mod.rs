//! Rules over several entities in a worker: what is seen waits until nothing earlier can come, and is then shown to them in the order
//! of (time, partition, offset).
//!
//! ```text
//!  source ── Sighting (to each worker with rules that may look at it) ──▶ Line (one per watermark domain): waits
//!  marks ──▶ advance ──▶ lens: places, what is in force ──▶ rules::together ──▶ verdicts ──▶ alerts
//! ```
//! Knows no thread, no clock and no Kafka: watermarks come in, alerts go out.
//!
//! * `TOG-3` what is shown to a rule is a function of the logs: a record that comes behind its partition's watermark is not sent here,
//!   and one that came is released by the lowest watermark of all partitions.
//! * `TOG-4` a rule whose condition and selection did not change keeps its state; one that did, or went, ends what it had open at the
//!   moment it is no longer in force.

mod lens;
mod line;
mod say;
mod sighting;

pub(crate) use line::Waiting;
pub(crate) use sighting::{Sighting, What};

use crate::{
    checkpoint::{Renumber, Section, write},
    rules::together::Saved,
    shared::Shared,
};
use gridwarden_domain::{alert::Alert, control::Timeline};
use gridwarden_runtime::seeded::seeded;
use lens::Lens;
use line::Line;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is in force, and for records up to which append time that is known.
pub(crate) struct InForce {
    /// All of it.
    pub(crate) timeline: Arc<Timeline>,
    /// Append time.
    pub(crate) known_until: i64,
}

/// Rules over several entities of one worker.
pub(crate) struct Together {
    /// Which worker of how many, of all processes.
    seat: (usize, usize),
    lines: BTreeMap<u8, Line>,
    lens: Lens,
}

impl Together {
    /// Nothing seen yet; for worker `index` of `peers`.
    pub(crate) fn new(index: usize, peers: usize) -> Self {
        Self { seat: (index, peers.max(1)), lines: BTreeMap::new(), lens: Lens::default() }
    }

    /// Takes what was seen. Whether it is in time; what is not can only be so because clocks are far apart.
    pub(crate) fn take(&mut self, sighting: Sighting) -> bool {
        self.lines.entry(sighting.domain).or_default().take(sighting)
    }

    /// Nothing before the watermark will come in a domain: what waits is shown to the rules, as far as it is known what is in force.
    pub(crate) fn advance(
        &mut self,
        (domain, watermark): (u8, i64),
        in_force: &InForce,
        shared: &Shared,
        out: &mut Vec<Alert>,
    ) {
        let Some(line) = self.lines.get_mut(&domain) else { return };
        let ground = line::Ground { shared, in_force, seat: self.seat, domain };
        line.advance(watermark, &ground, &mut self.lens, out);
    }

    /// Ids of open alerts.
    pub(crate) fn open_alerts(&self) -> Vec<u128> {
        let saved = self.lines.iter().flat_map(|(domain, line)| line.saved(*domain));
        saved.flat_map(|saved| saved.1.open().map(|(id, _)| id).collect::<Vec<_>>()).collect()
    }

    /// Whether nothing waits, and nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.values().all(Line::is_empty)
    }

    /// How many sightings wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lines.values().map(Line::len).sum()
    }

    /// All of it as it is now, for a checkpoint: rules by shard, and what waits.
    pub(crate) fn pieces(&self) -> Vec<(Section, Vec<u8>)> {
        let mut shards: BTreeMap<u16, Vec<Saved>> = BTreeMap::new();
        for (domain, line) in &self.lines {
            line.saved(*domain).into_iter().for_each(|(shard, saved)| shards.entry(shard).or_default().push(saved));
        }
        let mut pieces: Vec<(Section, Vec<u8>)> =
            shards.iter().map(|(shard, rules)| (Section::Together(*shard), write("rules", rules))).collect();
        let waiting: Vec<Waiting> = self.lines.iter().map(|(domain, line)| line.waiting(*domain)).collect();
        if !waiting.is_empty() && !seeded("sightings-forgotten") {
            pieces.push((Section::Waiting(self.seat.0 as u16), write("sightings", &waiting)));
        }
        pieces
    }

    /// Puts back a rule's state, which is one of this worker's.
    pub(crate) fn restore(&mut self, shard: u16, saved: Saved) {
        self.lines.entry(saved.domain).or_default().restore(shard, saved);
    }

    /// Puts back what waited in some worker: it may be for this one now.
    pub(crate) fn restore_waiting(&mut self, waiting: &Waiting, renumber: &Renumber) {
        let waiting = waiting.renumbered(renumber);
        self.lines.entry(waiting.domain).or_default().restore_waiting(waiting);
    }
}
