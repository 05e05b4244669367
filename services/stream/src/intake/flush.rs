//! What is handed out now and then: sums for the areas above, marks, the latest state of entities, counts.

use super::{EntityRow, Intake};
use crate::{
    intern::Entity,
    shared::Shared,
    windows::{LIVE, Mark, Partial},
};

impl Intake {
    /// Hands out the sums for the areas above.
    pub(crate) fn drain_partials(&mut self, mut send: impl FnMut(Partial)) {
        for (view, rollup) in &mut self.mind.rollups {
            if !rollup.is_empty() {
                rollup.drain(&**view, &mut send);
            }
        }
    }

    /// Hands out the marks that changed, one for each of `owners`. Sums of what came before them must be out already.
    pub(crate) fn marks(&mut self, owners: u16, mut send: impl FnMut(Mark)) {
        for (number, part) in (0u16..).zip(&mut self.parts) {
            let Some(part) = part else { continue };
            let mut watermarks: smallvec::SmallVec<[(u8, i64); 4]> = part.clock.historical_watermarks().collect();
            watermarks.push((LIVE, part.clock.watermark()));
            // A partition of which nothing is known yet does not speak.
            for (domain, watermark) in watermarks.into_iter().filter(|(_, watermark)| *watermark > i64::MIN) {
                if part.mark(domain, watermark) {
                    (0..owners).for_each(|to| send(Mark { watermark, to, part: number, domain }));
                }
            }
        }
    }

    /// A partition is known to end at `end`, asked for at `asked_ms`, margin taken off. How many records are still to come.
    pub(crate) fn end_known(&mut self, part: u16, end: i64, asked_ms: i64) -> i64 {
        let Some(Some(state)) = self.parts.get_mut(usize::from(part)) else { return 0 };
        let Some(next) = state.next else { return if end == 0 { 0 } else { end } };
        if next >= end {
            state.clock.idle(asked_ms);
        }
        (end - next).max(0)
    }

    /// The live clock of a partition; [`i64::MIN`] before anything is known of it.
    pub(crate) fn clock(&self, part: u16) -> i64 {
        self.parts.get(usize::from(part)).and_then(Option::as_ref).map_or(i64::MIN, |part| part.clock.watermark())
    }

    /// The highest append time known of a partition.
    pub(crate) fn appended(&self, part: u16) -> Option<i64> {
        let newest = self.parts.get(usize::from(part))?.as_ref()?.clock.newest();
        (newest > i64::MIN).then_some(newest)
    }

    /// The reader says a partition has nothing between its position and `end`.
    pub(crate) fn end_reached(&mut self, part: u16, end: i64) {
        if let Some(Some(state)) = self.parts.get_mut(usize::from(part)) {
            state.next = Some(state.next.map_or(end, |next| next.max(end)));
        }
    }

    /// Up to `most` entities whose latest state is still to be written, for the chunk with this number.
    pub(crate) fn drain_entities(&mut self, most: usize, chunk: u32, rows: &mut Vec<EntityRow>) {
        for part in self.parts.iter_mut().flatten() {
            let from = part.dirty.len().saturating_sub(most.saturating_sub(rows.len()));
            for number in part.dirty.drain(from..) {
                let Some(entity) = part.entities.get_mut(number) else { continue };
                (entity.dirty, entity.handed) = (false, chunk);
                rows.push(row(entity));
            }
        }
    }

    /// Whether the latest state of an entity is still to be written.
    pub(crate) fn has_dirty_entities(&self) -> bool {
        self.parts.iter().flatten().any(|part| !part.dirty.is_empty())
    }

    /// Adds the counts to the process's.
    pub(crate) fn settle(&mut self, shared: &Shared, worker: &str) {
        self.mind.tally.settle(&shared.metrics);
        let entities: usize = self.parts.iter().flatten().map(|part| part.entities.len()).sum();
        shared.metrics.entities.with_label_values(&[worker]).set(entities as i64);
        let bytes: usize = self.parts.iter().flatten().map(|part| part.entities.bytes()).sum();
        shared.metrics.entity_bytes.with_label_values(&[worker]).set(bytes as i64);
        shared.metrics.entity_bytes.with_label_values(&["all"]).set(shared.lore.whereabouts.bytes() as i64);
    }
}

fn row(entity: &Entity) -> EntityRow {
    EntityRow {
        source: entity.source.clone(),
        kind: entity.kind,
        feed: entity.feed,
        time: entity.time,
        at: entity.at,
        appended: entity.appended,
        position: entity.position,
        areas: entity.areas.clone(),
        values: entity.values.clone(),
    }
}
