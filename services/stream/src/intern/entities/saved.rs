//! An entity as it is saved.

use super::{Entity, Id};
use crate::{
    checkpoint::{self, EntityForm, Item, Renumber, StateForm, write_items},
    intake::SourceIds,
    rules::EntityRules,
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
        let StateForm { seen, inside, held } = self.rules.form();
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
            seen,
            inside,
            held,
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
