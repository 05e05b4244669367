//! The way of an observation.

use super::{Admitted, Mind, Way};
use crate::{
    rules::{Seen, Who},
    windows::{Delta, Tree, WIDTH},
};
use gridwarden_domain::{
    decode::Decoder,
    observation::{ObservationRef, Position},
    reject::Reason,
    value::{Fixed, SCALE},
};
use smallvec::SmallVec;

/// Values by metric.
pub(super) type Values = SmallVec<[(u32, Fixed); 8]>;

impl Mind {
    /// True when it was admitted, false when it is late.
    #[inline]
    pub(super) fn observe(&mut self, way: &mut Way<'_>, topic: u16, decoder: &Decoder) -> Result<bool, Reason> {
        let feed = way.shared.world.feeds.find(way.record.feed);
        let crs = way.shared.world.feeds.get(feed).map(|feed| feed.crs).unwrap_or_default();
        let observation = decoder.observation_in(way.record.payload.unwrap_or_default(), crs)?;
        let Some(admitted) = self.admit(way, topic, feed, observation.time_ms)? else { return Ok(false) };
        let Some(here) = self.kinds.find(&observation.kind) else {
            self.tally.kinds_beyond += 1;
            return Ok(true);
        };
        let values = self.values(here, &observation);
        let Some((kind, count)) = self.kinds.get(here).map(|kind| (kind.number, kind.count)) else { return Ok(true) };
        let position = observation.position.or_else(|| self.registered(way, &observation.source));
        self.place(way, position, admitted.time);
        self.tally.observations_nowhere += u64::from(self.places.is_empty());
        if let Some(entity) = self.entity(way, &observation.source, kind) {
            if admitted.for_rules {
                self.look(way, (entity, &observation.source, kind), admitted, (position, &values));
            }
            self.remember(way, entity, admitted, (position, &values));
        }
        if admitted.for_windows {
            self.spread(way, admitted, (count, &values));
        }
        Ok(true)
    }

    #[inline]
    fn values(&mut self, here: u16, observation: &ObservationRef<'_>) -> Values {
        let mut values = Values::new();
        for (place, (name, value)) in observation.values.iter().enumerate() {
            match self.kinds.value(here, place, name) {
                Some(metric) => values.push((metric, *value)),
                None => self.tally.values_beyond += 1,
            }
        }
        values
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
    fn entity(&mut self, way: &Way<'_>, source: &str, kind: u16) -> Option<u32> {
        let Some((number, is_new)) = self.entities.find(source, kind, way.record.part) else {
            self.tally.entities_beyond += 1;
            return None;
        };
        let entity = self.entities.get_mut(number)?;
        if is_new {
            entity.part = way.shared.lore.whereabouts.first(source, way.record.part);
        }
        self.tally.misrouted += u64::from(entity.part != way.record.part);
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
        let (Some(rules), Some(view)) = (&mut way.part.rules, &way.part.view) else { return };
        self.chain.clear();
        if rules.book().uses_areas {
            self.chain.extend(self.places.iter().flat_map(|place| view.chain(view.place(*place))));
        }
        let Some(state) = self.entities.get_mut(entity) else { return };
        let world = &way.shared.world;
        let seen = Seen {
            who: Who { source, kind, areas: &self.chain },
            entity,
            domain: admitted.domain,
            time: admitted.time,
            at: way.record.at(),
            position: position.map(|position| [position.lon, position.lat]),
            values,
            identity: &|at| world.identity(at.part(), at.offset()),
        };
        rules.look(&seen, &way.shared.lore.names, &mut state.rules, &mut self.changes);
        if !self.changes.is_empty() {
            self.raise(way, entity, position);
        }
    }

    /// Keeps the latest state by (time, partition, offset).
    #[inline]
    fn remember(&mut self, way: &Way<'_>, number: u32, admitted: Admitted, what: (Option<Position>, &Values)) {
        let Some(entity) = self.entities.get_mut(number) else { return };
        let at = way.record.at();
        if (admitted.time, at) < (entity.time, entity.at) {
            return;
        }
        let (position, values) = what;
        (entity.time, entity.at, entity.appended) = (admitted.time, at, way.record.appended);
        entity.feed = admitted.feed;
        entity.position = position;
        entity.areas.clear();
        if let Some(view) = &way.part.view {
            entity.areas.extend(self.places.iter().filter_map(|place| Some(view.area(view.place(*place))?.area)));
        }
        entity.values.clear();
        entity.values.extend_from_slice(values);
        if !entity.dirty {
            entity.dirty = true;
            self.dirty.push(number);
        }
    }

    /// One delta per area and metric group, and the sums for the areas above.
    #[inline]
    pub(super) fn spread(&mut self, way: &mut Way<'_>, admitted: Admitted, what: (u32, &Values)) {
        let Some(view) = &way.part.view else { return };
        let Some((_, rollup)) = self.rollups.get_mut(way.part.rollup) else { return };
        let groups = deltas(way, admitted, what);
        for place in &self.places {
            let place = view.place(*place);
            let Some(area) = view.area(place) else { continue };
            let parent = view.parent(place).and_then(|parent| Some((parent, view.area(parent)?.level)));
            for group in &groups {
                let delta = Delta { area: area.area, shard: area.shard, ..*group };
                way.out.deltas.push(delta);
                if let Some((parent, level)) = parent {
                    rollup.add(parent, level, &delta);
                }
            }
        }
    }
}

#[inline]
fn deltas(way: &Way<'_>, admitted: Admitted, (count, values): (u32, &Values)) -> SmallVec<[Delta; 2]> {
    let mut groups: SmallVec<[Delta; 2]> = SmallVec::new();
    let counted = (count, Fixed(SCALE));
    for (metric, value) in std::iter::once(&counted).chain(values) {
        let (group, column) = ((*metric / WIDTH as u32) as u16, *metric as usize % WIDTH);
        let known = groups.iter().position(|delta| delta.group == group).unwrap_or_else(|| {
            groups.push(Delta {
                time: admitted.time,
                at: way.record.at(),
                values: [0; WIDTH],
                area: 0,
                group,
                shard: 0,
                domain: admitted.domain,
                mask: 0,
            });
            groups.len() - 1
        });
        if let Some(delta) = groups.get_mut(known)
            && let Some(place) = delta.values.get_mut(column)
        {
            *place = value.0;
            delta.mask |= 1 << column;
        }
    }
    groups
}
