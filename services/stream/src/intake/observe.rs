//! The way of an observation.

use super::{Admitted, Fate, Mind, Reading, Way, part::PartState, repeats::fingerprint};
use crate::{
    intern::View,
    rules::{Book, Seen, Who},
    windows::{Delta, Tree, deltas},
};
use gridwarden_domain::{
    locate::Places,
    observation::{ObservationRef, Position},
    reject::Reason,
    value::{Fixed, SCALE},
};
use smallvec::SmallVec;

/// Values by metric.
pub(super) type Values = SmallVec<[(u32, Fixed); 8]>;

impl Mind {
    /// Decides on an observation.
    #[inline]
    pub(super) fn observe(&mut self, way: &mut Way<'_>, reading: &Reading<'_>) -> Result<Fate, Reason> {
        let observation = &reading.observation;
        let whence = (reading.topic, reading.feed);
        let Some(admitted) = self.admit(way, whence, observation.time_ms)? else { return Ok(Fate::Late) };
        let Some((here, kind, count, sketched)) = self.kind(reading.kind, &observation.kind) else {
            self.note(admitted);
            self.tally.kinds_beyond += 1;
            return Ok(Fate::Accepted);
        };
        let entity = self.entity(way, reading.guess, (&observation.source, kind));
        if let (Some(entity), Some(id)) = (entity, &observation.id)
            && is_repeat(way, entity, id)
        {
            return Ok(Fate::Repeat);
        }
        self.note(admitted);
        let mut values = Values::new();
        self.values(here, observation, &mut values);
        let position = observation.position.or_else(|| self.registered(way, &observation.source));
        self.place(way, position, admitted.time);
        self.tally.observations_nowhere += u64::from(self.places.is_empty());
        if let Some(entity) = entity {
            if admitted.for_rules {
                self.look(way, (entity, &observation.source, kind), admitted, (position, &values));
                if !way.part.ordered.is_idle() {
                    self.keep(way, (entity, kind), admitted, (position, &values));
                }
            }
            self.remember(way, entity, admitted, (position, &values));
        }
        if let Some(position) = position {
            self.sight_entity(way, admitted, (&observation.source, kind), (position, &values));
        }
        if admitted.for_windows && self.counts {
            self.spread(way, admitted, (count, &values));
            if sketched {
                self.sketch(way, admitted, (&observation.source, count, &values));
            }
        }
        Ok(Fate::Accepted)
    }

    /// Where a kind stands here, its number, the metric that counts it, and whether sketches are wanted of it.
    #[inline]
    fn kind(&mut self, known: Option<u16>, name: &str) -> Option<(u16, u16, u32, bool)> {
        let here = known.or_else(|| self.kinds.find(name))?;
        self.kinds.get(here).map(|kind| (here, kind.number, kind.count, kind.sketched))
    }

    /// Appends the observation's values by metric. Into a list that stays where it is: handed back, it would be copied.
    #[inline]
    fn values(&mut self, here: u16, observation: &ObservationRef<'_>, values: &mut Values) {
        for (place, (name, value)) in observation.values.iter().enumerate() {
            match self.kinds.value(here, place, name) {
                Some(metric) => values.push((metric, *value)),
                None => self.tally.values_beyond += 1,
            }
        }
    }

    /// Where the registry says a source stands.
    fn registered(&self, way: &Way<'_>, source: &str) -> Option<Position> {
        self.timeline.entity_at(source, way.record.appended)?.position
    }

    /// Places a position in every layer, with the boundaries of the event's time.
    #[inline]
    pub(super) fn place(&mut self, way: &Way<'_>, position: Option<Position>, time: i64) {
        self.places.clear();
        if let (Some(position), Some(view)) = (position, &way.part.view) {
            view.set.locate(position.lon, position.lat, time, &mut self.places);
        }
    }

    #[inline]
    fn entity(&mut self, way: &mut Way<'_>, guess: Option<u32>, who: (&str, u16)) -> Option<u32> {
        let entities = &mut way.part.entities;
        let Some((number, is_new)) = entities.find(guess, who, self.room > 0) else {
            self.tally.entities_beyond += 1;
            return None;
        };
        let entity = entities.get_mut(number)?;
        if is_new {
            self.room -= 1;
            entity.home = way.shared.lore.whereabouts.first(who.0, way.record.part);
        }
        self.tally.misrouted += u64::from(entity.home != way.record.part);
        Some(number)
    }

    #[inline]
    fn look(
        &mut self,
        way: &mut Way<'_>,
        whom: (u32, &str, u16),
        admitted: Admitted,
        what: (Option<Position>, &Values),
    ) {
        let (entity, source, kind) = whom;
        let (position, values) = what;
        let PartState { rules: Some(rules), view: Some(view), entities, .. } = &mut *way.part else { return };
        let areas = areas(rules.book(), view, &self.places, &mut self.chain);
        let Some(state) = entities.get_mut(entity) else { return };
        let world = &way.shared.world;
        let seen = Seen {
            who: Who { source, kind, areas },
            entity,
            domain: admitted.domain,
            time: admitted.time,
            at: way.record.at(),
            position,
            values,
            identity: &|at| world.identity(at.part(), at.offset()),
        };
        rules.look(&seen, &way.shared.lore.names, &mut state.rules, &mut self.changes);
        if rules.is_crowded() {
            rules.thin(|entity| entities.get(entity).map(|entity| &entity.rules));
        }
        if !self.changes.is_empty() {
            self.raise(way, entity, position);
        }
    }

    /// Keeps the latest state by (time, partition, offset).
    #[inline]
    fn remember(&mut self, way: &mut Way<'_>, number: u32, admitted: Admitted, what: (Option<Position>, &Values)) {
        let at = way.record.at();
        let PartState { entities, dirty, view, .. } = &mut *way.part;
        let Some(entity) = entities.get_mut(number) else { return };
        if (admitted.time, at) < (entity.time, entity.at) {
            return;
        }
        let (position, values) = what;
        (entity.time, entity.at, entity.appended) = (admitted.time, at, way.record.appended);
        entity.feed = admitted.feed;
        entity.position = position;
        entity.areas.clear();
        if let Some(view) = view {
            entity.areas.extend(self.places.iter().filter_map(|place| Some(view.area(view.place(*place))?.area)));
        }
        entity.values.clear();
        // Two or three of them: cheaper one by one than by a copy of bytes, which is a call.
        entity.values.extend(values.iter().copied());
        if !entity.dirty {
            entity.dirty = true;
            dirty.push(number);
        }
    }

    /// One delta per area and metric group, and the sums for the areas above.
    #[inline]
    pub(super) fn spread(&mut self, way: &mut Way<'_>, admitted: Admitted, what: (u32, &Values)) {
        let Some(view) = &way.part.view else { return };
        let Some((_, rollup)) = self.rollups.get_mut(way.part.rollup) else { return };
        let groups = deltas((admitted.time, way.record.at(), admitted.domain), (what.0, Fixed(SCALE)), what.1);
        if overlap(&self.places) {
            spread_once(view, &self.places, &groups, &mut way.out.deltas);
            return;
        }
        for place in &self.places {
            let place = view.place(*place);
            let Some(area) = view.area(place) else { continue };
            let parent = view.parent(place).and_then(|parent| Some((parent, view.area(parent)?.level)));
            for group in &groups {
                let delta = group.in_area(area);
                way.out.deltas.push(delta);
                if let Some((parent, level)) = parent {
                    rollup.add(parent, level, &delta);
                }
            }
        }
    }
}

/// The areas of places, of every level, if any rule asks for them.
#[inline]
pub(super) fn areas<'v>(book: &Book, view: &'v View, places: &Places, chain: &'v mut SmallVec<[u32; 32]>) -> &'v [u32] {
    match places.as_slice() {
        _ if !book.uses_areas => &[],
        [place] => view.chain(view.place(*place)),
        places => {
            chain.clear();
            places.iter().for_each(|place| chain.extend_from_slice(view.chain(view.place(*place))));
            chain
        }
    }
}

#[inline]
fn is_repeat(way: &mut Way<'_>, entity: u32, id: &str) -> bool {
    let world = &way.shared.world;
    let (id, appended) = (fingerprint(id), way.record.appended);
    let entity = way.part.entities.get_mut(entity);
    entity.is_some_and(|entity| entity.ids.is_repeat(id, appended, world.max_age_ms, world.remembered.of_source))
}

/// Whether two places lie in one layer: its areas overlap there, and may share areas above.
#[inline]
pub(super) fn overlap(places: &Places) -> bool {
    places.iter().zip(places.iter().skip(1)).any(|(one, other)| one.layer == other.layer)
}

/// Where areas overlap: every area, above or not, gets the event itself, and gets it once.
#[cold]
fn spread_once(view: &View, places: &Places, groups: &[Delta], out: &mut Vec<Delta>) {
    let mut seen: SmallVec<[u32; 32]> = SmallVec::new();
    for place in places {
        for place in view.up(view.place(*place)) {
            let Some(area) = view.area(place).filter(|area| !seen.contains(&area.area)) else { continue };
            seen.push(area.area);
            out.extend(groups.iter().map(|group| group.in_area(area)));
        }
    }
}
