//! An entity as it is saved.

use super::{Entity, Id};
use crate::{
    checkpoint::{self, EntityForm, HeldForm, Item, Renumber, write_items},
    intake::SourceIds,
    rules::{EntityRules, Held, Phase},
    windows::At,
};
use gridwarden_domain::{observation::Position, value::Fixed};
use gridwarden_runtime::seeded::seeded;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Writes entities down, those in `kept` as they were written before, by place. `taken`: the chunks known to be in ClickHouse.
pub(super) fn write(entities: &[Entity], kept: &BTreeMap<usize, Vec<u8>>, taken: u32) -> Vec<u8> {
    let mut kept = kept.iter().peekable();
    write_items(entities.iter().enumerate().map(|(place, entity)| match kept.next_if(|(next, _)| **next == place) {
        Some((_, written)) => Item::Written(written),
        None => Item::New(entity.form(taken)),
    }))
}

/// Writes one of them down.
pub(super) fn write_one(entity: &Entity, taken: u32) -> Vec<u8> {
    checkpoint::write("entity", &entity.form(taken))
}

impl Entity {
    fn form(&self, taken: u32) -> EntityForm {
        let (ids, next_id) = self.ids.saved();
        EntityForm {
            source: SmallVec::from_slice(&self.source.0),
            kind: self.kind,
            home: self.home,
            owed: self.dirty || self.handed > taken,
            feed: self.feed,
            time: self.time,
            at: self.at.0,
            appended: self.appended,
            position: self.position.map(|position| (position.lon, position.lat, position.accuracy_m)),
            areas: self.areas.clone(),
            values: self.values.iter().map(|(metric, value)| (*metric, value.0)).collect(),
            ids,
            next_id,
            seen: self.rules.seen,
            inside: SmallVec::from_slice(&self.rules.inside),
            held: self.rules.held.iter().map(held_form).collect(),
        }
    }

    /// An entity as it was saved.
    pub(crate) fn of(form: EntityForm, renumber: &Renumber) -> Self {
        let position = form.position.map(|(lon, lat, accuracy_m)| Position { lon, lat, accuracy_m });
        let held =
            form.held.into_iter().map(|held| Held { slot: held.slot, phase: Phase::of(renumber.phase(held.phase)) });
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
                EntityRules { seen: form.seen, inside: form.inside.iter().copied().collect(), held: held.collect() }
            },
        }
    }
}

fn held_form(held: &Held) -> HeldForm {
    HeldForm { slot: held.slot, phase: held.phase.form() }
}
