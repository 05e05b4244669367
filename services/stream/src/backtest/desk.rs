//! A worker without a dataflow: records of the past in, alerts out. Where they come from it does not know.

use super::Ground;
use crate::intake::{Intake, Outbox, Record};
use std::sync::Arc;

/// Decides on the records of some partitions.
pub(super) struct Desk {
    pub(super) ground: Arc<Ground>,
    /// Numbers of its partitions.
    pub(super) parts: Vec<u16>,
    intake: Intake,
    out: Outbox,
}

impl Desk {
    pub(super) fn new(ground: &Arc<Ground>, parts: Vec<u16>, most_entities: usize) -> Self {
        let mut intake = Intake::new(&ground.shared, &parts, most_entities).without_windows();
        intake.set_timeline(Arc::clone(&ground.timeline));
        Self { ground: Arc::clone(ground), parts, intake, out: Outbox::default() }
    }

    /// Takes records, those of a partition in its order; what lies outside the span is passed over.
    pub(super) fn take<'a>(&mut self, records: impl Iterator<Item = Record<'a>>) {
        let Ground { shared, asked, .. } = &*self.ground;
        let span = self.ground.since_ms()..asked.to_ms;
        let records = records.filter(|record| span.contains(&record.appended));
        let taken = self.intake.take_known(shared, records, i64::MAX, std::iter::empty(), &mut self.out);
        let (sightings, intake) = (self.out.sightings.drain(..).map(|(_, sighting)| sighting), &mut self.intake);
        let said = self.ground.gathered(|gathered| gathered.take(sightings, intake, shared));
        self.out.alerts.extend(said);
        self.ground.tally().take(taken as u64, &self.out.alerts);
        self.out.alerts.clear();
    }

    /// All of some partitions is taken.
    pub(super) fn close(&self, parts: &[u16]) {
        let said = self.ground.gathered(|gathered| gathered.close(parts, &self.ground.shared));
        self.ground.tally().take(0, &said);
    }
}
