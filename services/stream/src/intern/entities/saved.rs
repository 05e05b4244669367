//! An entity as it is saved.

use super::{Entity, Id};
use crate::{
    checkpoint::{EntityForm, EntityView, Item, Renumber, StateForm, write_item, write_items},
    intake::SourceIds,
    rules::EntityRules,
    windows::At,
};
use gridwarden_domain::{observation::Position, value::Fixed};
use gridwarden_runtime::seeded::seeded;
use smallvec::SmallVec;
use std::{collections::BTreeMap, ops::Range};

/// Entities that changed while their page was still to be copied, as they were: in one list, by place. One by one they would take
/// as long to be made room for as to be written.
#[derive(Default)]
pub(super) struct Kept {
    places: BTreeMap<usize, Range<usize>>,
    bytes: Vec<u8>,
}

impl Kept {
    /// Keeps an entity as it is, unless it is kept already. `taken`: the chunks known to be in ClickHouse.
    pub(super) fn keep(&mut self, place: usize, entity: &Entity, taken: u32) {
        let bytes = &mut self.bytes;
        self.places.entry(place).or_insert_with(|| {
            let from = bytes.len();
            *bytes = write_item(&entity.view(taken), std::mem::take(bytes));
            from..bytes.len()
        });
    }
}

/// Writes entities down, those that are kept as they were, in room for so many bytes, about.
pub(super) fn write(entities: &[Entity], kept: &Kept, (taken, room): (u32, usize)) -> Vec<u8> {
    let mut next = kept.places.iter().peekable();
    let items = entities.iter().enumerate().map(|(place, entity)| match next.next_if(|(kept, _)| **kept == place) {
        Some((_, range)) => Item::Written(kept.bytes.get(range.clone()).unwrap_or_default()),
        None => Item::New(entity.view(taken)),
    });
    write_items(items, room)
}

impl Entity {
    fn view(&self, taken: u32) -> EntityView<'_> {
        let (ids, next_id) = self.ids.saved();
        EntityView {
            source: &self.source.0,
            kind: self.kind,
            home: self.home,
            owed: self.dirty || self.handed > taken,
            feed: self.feed,
            time: self.time,
            at: self.at.0,
            appended: self.appended,
            position: self.position.map(|position| (position.lon, position.lat, position.accuracy_m)),
            areas: &self.areas,
            values: &self.values,
            ids,
            next_id,
            seen: self.rules.seen,
            inside: &self.rules.inside,
            held: self.rules.held_form(),
        }
    }

    /// An entity as it was saved.
    pub(crate) fn of(form: EntityForm, renumber: &Renumber) -> Self {
        let position = form.position.map(|(lon, lat, accuracy_m)| Position { lon, lat, accuracy_m });
        let state = StateForm { seen: form.seen, inside: form.inside, held: form.held };
        Self {
            source: Id(SmallVec::from_slice(&form.source)),
            kind: form.kind,
            home: renumber.part(form.home),
            dirty: form.owed,
            handed: 0,
            feed: renumber.feed(form.feed),
            time: form.time,
            at: renumber.at(At(form.at)),
            appended: form.appended,
            position,
            areas: form.areas,
            values: form.values.into_iter().map(|(metric, value)| (metric, Fixed(value))).collect(),
            ids: if seeded("ids-forgotten") {
                SourceIds::default()
            } else {
                SourceIds::restored(form.ids, form.next_id)
            },
            rules: if seeded("rule-state-forgotten") {
                EntityRules::default()
            } else {
                EntityRules::of(renumber.state(state))
            },
        }
    }
}
