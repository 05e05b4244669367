//! A worker's partitions as they are saved: all of one moment, entities page by page while others change (`CKP-5`).

use super::{Intake, PartState, repeats::PartIds};
use crate::{
    checkpoint::{OrderedForm, PartForm, Renumber, Section, write},
    intern::Entity,
    rules::{Ordered, SavedRules},
    shared::Shared,
    watermark::PartClock,
};
use gridwarden_runtime::seeded::seeded;

/// A piece of what was copied; without a body it is as it was the last time.
pub(crate) type Copy = (Section, Option<Vec<u8>>);

/// A partition that was saved.
pub(crate) struct SavedPart {
    /// All but its entities.
    pub(crate) form: PartForm,
    /// Its entities, page by page.
    pub(crate) pages: Vec<Vec<Entity>>,
    /// Its rules in the order of event time.
    pub(crate) ordered: OrderedForm,
}

impl Intake {
    /// Begins to copy all partitions as they are now; what is small is copied at once. `taken`: the chunks of entities known
    /// to be in ClickHouse.
    pub(crate) fn begin_copy(&mut self, taken: u32, out: &mut Vec<Copy>) {
        for (number, part) in (0u16..).zip(&mut self.parts) {
            let Some(part) = part else { continue };
            part.entities.begin_copy(taken);
            out.push((Section::Part(number), Some(write("partition", &form(part)))));
            if let Some(ordered) = part.ordered.saved(part.clock.newest()) {
                out.push((Section::Ordered(number), Some(write("order", &ordered))));
            }
        }
    }

    /// Goes on copying, page by page while there is `time` for one more. True when all is copied.
    pub(crate) fn copy_on(&mut self, mut time: impl FnMut() -> bool, out: &mut Vec<Copy>) -> bool {
        let mut done = true;
        for (number, part) in (0u16..).zip(&mut self.parts) {
            let Some(part) = part else { continue };
            while done && part.entities.copy_next() {
                done = time();
            }
            let copies = part.entities.copies();
            out.extend(copies.map(|copied| (Section::Entities(number, copied.page), copied.body)));
        }
        done
    }

    /// Numbers of partitions and their next offsets, once anything was read.
    pub(crate) fn next_offsets(&self) -> impl Iterator<Item = (u16, i64)> + '_ {
        (0u16..).zip(&self.parts).filter_map(|(number, part)| Some((number, part.as_ref()?.next?)))
    }

    /// The offset that comes next in a partition, once that is known.
    pub(crate) fn next_offset(&self, part: u16) -> Option<i64> {
        self.parts.get(usize::from(part))?.as_ref()?.next
    }

    /// Whether a partition is read to an offset.
    pub(crate) fn is_past(&self, part: u16, end: i64) -> bool {
        let next = self.next_offset(part);
        end == 0 || next.is_some_and(|next| next >= end)
    }

    /// Ids of open alerts.
    pub(crate) fn open_alerts(&self) -> Vec<u128> {
        let entities = self.parts.iter().flatten().flat_map(|part| part.entities.iter());
        entities.flat_map(|entity| entity.rules.open()).map(|open| open.id).collect()
    }

    /// Puts a partition back as it was saved.
    pub(crate) fn restore(&mut self, shared: &Shared, number: u16, saved: SavedPart, renumber: &Renumber) {
        let Some(Some(part)) = self.parts.get_mut(usize::from(number)) else { return };
        let PartForm { next, appended, feeds, reports, reloads, since, timers, .. } = saved.form;
        let feeds = feeds.into_iter().map(|(domain, highest, ended)| (renumber.domain(domain), highest, ended));
        part.clock = PartClock::restored(shared.world.lateness_ms, appended, feeds);
        part.next = next;
        part.ids = if seeded("report-ids-forgotten") { PartIds::default() } else { PartIds::restored(&reports) };
        part.saved = reloads.map(|reloads| SavedRules {
            newest: appended,
            reloads,
            since,
            timers: timers.into_iter().map(|timer| renumber.timer(timer)).collect(),
        });
        part.ordered =
            if seeded("order-forgotten") { Ordered::default() } else { Ordered::restored(saved.ordered, renumber) };
        for page in saved.pages {
            self.mind.room = self.mind.room.saturating_sub(page.len());
            let first = part.entities.len() as u32;
            let owed = (first..).zip(&page).filter(|(_, entity)| entity.dirty).map(|(number, _)| number);
            part.dirty.extend(owed);
            for entity in &page {
                shared.lore.whereabouts.first(entity.source.as_str(), entity.home);
            }
            part.entities.restore(page);
        }
        self.newest = self.newest.max(appended);
    }
}

fn form(part: &PartState) -> PartForm {
    let (appended, feeds) = part.clock.saved();
    // One whose first record has not come since a restart is as it was saved then.
    let rules = part.rules.as_ref().map(|rules| rules.saved(appended)).or_else(|| part.saved.clone());
    let (reloads, since, timers) =
        rules.map_or_else(Default::default, |rules| (Some(rules.reloads), rules.since, rules.timers));
    let behind = if seeded("offset-behind-the-effect") { 20 } else { 0 };
    PartForm {
        next: part.next.map(|next| (next - behind).max(0)),
        appended,
        feeds,
        reports: part.ids.saved(),
        reloads,
        since,
        timers,
        entities: part.entities.len() as u32,
    }
}
