//! How a sighting looks to the rules in force for it.

use super::{Sighting, What, line::Ground};
use crate::{
    intern::View,
    rules::{
        Body, Book, Gathering, Ready, Who,
        together::{OWN, SELECTED, TO},
    },
};
use gridwarden_domain::{
    alert::AreaRef,
    control::Timeline,
    locate::Places,
    rule::{Condition, together::When},
    value::Fixed,
};
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// A rule, by slot and by what it asks for.
pub(super) type Key = (u32, u64);

/// What a rule is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// The entity is in these places and in no other.
    Places(SmallVec<[u32; 1]>),
    /// It is of these sides.
    Sides(u8),
    /// An event.
    Event,
    /// A value in these places, in millionths.
    Value(SmallVec<[u32; 1]>, i64),
}

/// What is in force, kept for as long as it is.
#[derive(Default)]
pub(super) struct Lens {
    held: Option<Held>,
    places: Places,
    chain: SmallVec<[u32; 16]>,
}

struct Held {
    timeline: Arc<Timeline>,
    /// Append times of a record, and of its partition's newest, for which it holds.
    records: Range<i64>,
    newest: Range<i64>,
    view: Arc<View>,
    book: Arc<Book>,
    /// Proximities and clusters by kind, found when first asked for.
    of_kinds: HashMap<u16, Arc<[u32]>>,
}

fn trusts(limit: Option<f64>, accuracy_m: Option<f32>) -> bool {
    match (limit, accuracy_m) {
        (Some(limit), Some(accuracy)) => f64::from(accuracy) <= limit,
        _ => true,
    }
}

impl Lens {
    /// The rules in force for a record of a partition whose newest append time is `known`, and the layers of its own moment.
    pub(super) fn at(&mut self, (appended, known): (i64, i64), ground: &Ground<'_>) -> (Arc<View>, Arc<Book>) {
        let timeline = &ground.in_force.timeline;
        if let Some(held) = &self.held
            && Arc::ptr_eq(&held.timeline, timeline)
            && held.records.contains(&appended)
            && held.newest.contains(&known)
        {
            return (Arc::clone(&held.view), Arc::clone(&held.book));
        }
        let lore = &ground.shared.lore;
        let span = |from: i64| from..timeline.next_change_after(from).unwrap_or(i64::MAX);
        let view = lore.views.of(timeline.layers_at(appended));
        let drawn = lore.views.of(timeline.layers_at(known));
        let book = lore.books.of(timeline.rules_at(known), &drawn, (&lore.views, &lore.names));
        let (records, newest) = (span(appended), span(known));
        let of_kinds = HashMap::new();
        let held = Held { timeline: Arc::clone(timeline), records, newest, view, book, of_kinds };
        let found = (Arc::clone(&held.view), Arc::clone(&held.book));
        self.held = Some(held);
        found
    }

    /// Proximities and clusters that may look at observations of a kind, of the rules last asked for.
    fn gatherings(&mut self, kind: u16) -> Arc<[u32]> {
        let Some(held) = &mut self.held else { return Arc::default() };
        let (known, book) = (&mut held.of_kinds, &held.book);
        Arc::clone(known.entry(kind).or_insert_with(|| book.gatherings_of(kind).into()))
    }

    /// The areas a position lies in.
    pub(super) fn areas(&mut self, view: &View, position: [f64; 2], time: i64) -> Vec<AreaRef> {
        self.locate(view, position, time);
        view.set.area_refs(&self.places)
    }

    fn locate(&mut self, view: &View, [lon, lat]: [f64; 2], time: i64) {
        self.places.clear();
        view.set.locate(lon, lat, time, &mut self.places);
    }

    /// What rules of this worker are shown of a sighting; `known` are those that may know the entity already.
    pub(super) fn look(
        &mut self,
        sighting: &Sighting,
        known: &[Key],
        ground: &Ground<'_>,
        mut show: impl FnMut(Key, &Ready, Seen),
    ) {
        let spot = &sighting.spot;
        let (view, book) = self.at((spot.appended, sighting.known), ground);
        self.locate(&view, spot.position, spot.time);
        self.chain.clear();
        self.places.iter().for_each(|place| self.chain.extend_from_slice(view.chain(view.place(*place))));
        let gatherings = match &sighting.what {
            What::Observation(kind, _) => self.gatherings(*kind),
            What::Report(_) => Arc::default(),
        };
        let mine = |slot: u32| {
            let ready = book.rule(slot)?;
            let Body::Together(gathering) = &ready.body else { return None };
            ground.owns(gathering.shard).then_some((ready, gathering))
        };
        match &sighting.what {
            What::Observation(kind, values) => {
                let who = Who { source: &sighting.source, kind: *kind, areas: &self.chain };
                for (slot, places) in self.densities((&view, &book), spot.position, known) {
                    let Some((ready, gathering)) = mine(slot) else { continue };
                    let places = if ready.concerns(&who) { places } else { SmallVec::new() };
                    let seen = match &ready.rule.condition {
                        Condition::Density(density) if trusts(density.accuracy_m, spot.accuracy_m) => {
                            Some(Seen::Places(places))
                        }
                        Condition::Window(window) if window.reports.is_none() && !places.is_empty() => {
                            value_of(window.value.as_deref(), *kind, values, ground)
                                .map(|value| Seen::Value(places, value))
                        }
                        _ => None,
                    };
                    if let Some(seen) = seen {
                        show((slot, gathering.sense), ready, seen);
                    }
                }
                for slot in gatherings.iter().copied() {
                    let Some((ready, gathering)) = mine(slot) else { continue };
                    if let Some(seen) = met(ready, gathering, &who, (values, spot.accuracy_m), ground) {
                        show((slot, gathering.sense), ready, seen);
                    }
                }
            }
            What::Report(class) => {
                let places = self.densities((&view, &book), spot.position, &[]);
                for slot in book.gatherings_of_reports() {
                    let Some((ready, gathering)) = mine(slot) else { continue };
                    let counts =
                        |classes: &[String]| classes.is_empty() || classes.iter().any(|code| **code == **class);
                    if !ready.classes().is_some_and(counts) || !ready.is_in_areas(&self.chain) {
                        continue;
                    }
                    let seen = match &ready.rule.condition {
                        Condition::Window(_) => {
                            let Some((_, places)) = places.iter().find(|(known, _)| *known == slot) else { continue };
                            Seen::Value(places.clone(), 0)
                        }
                        _ => Seen::Event,
                    };
                    show((slot, gathering.sense), ready, seen);
                }
            }
        }
    }

    /// Densities and windows whose places hold a position, with the places of each; those that may know the entity, with none if they do not.
    fn densities(
        &self,
        (view, book): (&View, &Book),
        position: [f64; 2],
        known: &[Key],
    ) -> Vec<(u32, SmallVec<[u32; 1]>)> {
        let mut found: Vec<(u32, u32)> = Vec::new();
        book.places_at(position, |slot| found.push((slot, OWN)));
        found.extend(self.chain.iter().flat_map(|area| book.of_area(*area)).map(|slot| (*slot, OWN)));
        for place in &self.places {
            let layer = view.set.layers.get(usize::from(place.layer)).map_or("", |layer| layer.head.layer.as_str());
            let number = view.chain(view.place(*place)).first().copied();
            found.extend(number.into_iter().flat_map(|number| book.each_of(layer).map(move |slot| (slot, number))));
        }
        found.sort_unstable();
        found.dedup();
        let mut densities: Vec<(u32, SmallVec<[u32; 1]>)> = Vec::new();
        for (slot, place) in found {
            match densities.last_mut().filter(|(last, _)| *last == slot) {
                Some((_, places)) => places.push(place),
                None => densities.push((slot, SmallVec::from_elem(place, 1))),
            }
        }
        for (slot, _) in known {
            if !densities.iter().any(|(found, _)| found == slot) {
                densities.push((*slot, SmallVec::new()));
            }
        }
        densities.sort_unstable_by_key(|(slot, _)| *slot);
        densities
    }
}

/// A value of an observation by its name, in millionths; 0 when none is asked for.
fn value_of(name: Option<&str>, kind: u16, values: &[(u32, i64)], ground: &Ground<'_>) -> Option<i64> {
    let Some(name) = name else { return Some(0) };
    let metric = ground.shared.lore.names.value(kind, name)?;
    values.iter().find(|(known, _)| *known == metric).map(|(_, value)| *value)
}

/// What a proximity or a cluster is shown of an observation; nothing if it does not look at it, or not closely enough.
fn met(
    ready: &Ready,
    gathering: &Gathering,
    who: &Who<'_>,
    (values, accuracy_m): (&[(u32, i64)], Option<f32>),
    ground: &Ground<'_>,
) -> Option<Seen> {
    match &ready.rule.condition {
        Condition::Proximity(proximity) if trusts(proximity.accuracy_m, accuracy_m) => {
            let side = |is: bool, side: u8| if is { side } else { 0 };
            Some(Seen::Sides(side(ready.concerns(who), SELECTED) | side(gathering.is_to(ready, who), TO)))
        }
        Condition::Cluster(cluster) => {
            let When { value, side, level } = cluster.when.as_ref()?;
            let value = value_of(Some(value), who.kind, values, ground)?;
            let level = Fixed::from_f64(*level)?;
            (side.is_beyond(Fixed(value), level) && ready.concerns(who)).then_some(Seen::Event)
        }
        _ => None,
    }
}
