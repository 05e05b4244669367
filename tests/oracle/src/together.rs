//! Alerts over several entities as they should be: all that was seen, put in order once all of it is known, and counted one by one.

use crate::names::Names;
use crate::rules::Alerts;
use crate::town::{Body, Place, Rule, Town, lies_in};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Event time, partition, offset.
type Order = (i64, i32, i64);

/// The places a source is in, as it said last, and when that was.
type Whereabouts = (BTreeSet<String>, Order);

/// An entity at a place.
pub(crate) struct Sighting {
    pub(crate) order: Order,
    /// Append time of the record, and the newest of its partition.
    pub(crate) moments: (i64, i64),
    /// Source and kind.
    pub(crate) entity: (String, String),
    pub(crate) position: [f64; 2],
}

/// All that was seen.
#[derive(Default)]
pub(crate) struct Together {
    pub(crate) sightings: Vec<Sighting>,
}

/// A rule on its way.
struct Watched {
    since: i64,
    last: Order,
    /// Where each source is, as it said last.
    places: HashMap<String, Whereabouts>,
    held: BTreeMap<String, Held>,
}

enum Held {
    Pending(i64, (i32, i64)),
    Open(String),
}

/// Rules that are looked at, by what they say.
type All = Vec<(Rule, Watched)>;

impl Together {
    /// Says what should be said.
    pub(crate) fn finish(&mut self, town: &Town, names: &Names, alerts: &mut Alerts) {
        self.sightings.sort_by_key(|sighting| sighting.order);
        let mut all = All::new();
        let mut changes: Vec<i64> = town.changes().into_iter().collect();
        changes.reverse();
        let mut changed = i64::MIN;
        for sighting in &self.sightings {
            let time = sighting.order.0;
            while let Some(change) = changes.pop_if(|change| *change <= time) {
                all.iter_mut().for_each(|(rule, watched)| watched.pass(rule, change, alerts));
                let (_, rules) = town.rules_at(change);
                all.retain_mut(|(rule, watched)| {
                    let goes = watched.since < change && !rules.contains(rule);
                    if goes {
                        watched.end(change, alerts);
                    }
                    !goes
                });
                changed = change;
            }
            all.iter_mut().for_each(|(rule, watched)| watched.pass(rule, time, alerts));
            let (_, rules) = town.rules_at(sighting.moments.1);
            let (_, in_force) = town.rules_at(changed);
            for rule in rules.iter().filter(|rule| rule.kinds.is_empty() || rule.kinds.contains(&sighting.entity.1)) {
                let Body::Density { place, .. } = &rule.body else { continue };
                let places = places_of(place, sighting, town, names);
                let known = all.iter().position(|(known, _)| known == rule);
                let may_begin = sighting.moments.1 >= changed || in_force.contains(rule);
                let place = match known {
                    Some(place) => place,
                    None if places.is_empty() || !may_begin => continue,
                    None => {
                        let watched = Watched {
                            since: sighting.moments.1,
                            last: sighting.order,
                            places: HashMap::new(),
                            held: BTreeMap::new(),
                        };
                        all.push((rule.clone(), watched));
                        all.len() - 1
                    }
                };
                if let Some((rule, watched)) = all.get_mut(place) {
                    watched.see(rule, sighting, places, alerts);
                }
            }
        }
        // Time goes on when nobody speaks any more.
        all.iter_mut().for_each(|(rule, watched)| watched.pass(rule, i64::MAX, alerts));
    }
}

/// The places an entity is in, as alerts name them.
fn places_of(place: &Place, sighting: &Sighting, town: &Town, names: &Names) -> BTreeSet<String> {
    match place {
        Place::Rectangle(rectangle) => lies_in(sighting.position, *rectangle).then(String::new).into_iter().collect(),
        Place::Each(name) => {
            let layers = town.layers_at(sighting.moments.0).iter().filter(|layer| layer.name == *name);
            layers.flat_map(|layer| layer.leaves_at(sighting.position)).map(|area| names.place(area)).collect()
        }
    }
}

impl Watched {
    fn see(&mut self, rule: &Rule, sighting: &Sighting, places: BTreeSet<String>, alerts: &mut Alerts) {
        let source = &sighting.entity.0;
        let is_somewhere = self.places.get(source).is_some_and(|(before, _)| !before.is_empty());
        if places.is_empty() && !is_somewhere {
            return;
        }
        self.last = sighting.order;
        let before = self.places.insert(source.clone(), (places.clone(), sighting.order));
        let before = before.map(|(before, _)| before).unwrap_or_default();
        for place in before.symmetric_difference(&places) {
            self.judge(rule, place, sighting.order, alerts);
        }
    }

    fn judge(&mut self, rule: &Rule, place: &str, (time, partition, offset): Order, alerts: &mut Alerts) {
        let Body::Density { at_least, clear_below, hold_ms, .. } = rule.body else { return };
        let count = self.places.values().filter(|(places, _)| places.contains(place)).count();
        let here = (partition, offset);
        match self.held.get(place) {
            None if count < at_least => {}
            None if hold_ms > 0 => {
                self.held.insert(place.to_owned(), Held::Pending(time, here));
            }
            None => self.raise(rule, place, time, (here, here), alerts),
            Some(Held::Pending(since, first)) if time >= since + hold_ms => {
                let (due, first) = (since + hold_ms, *first);
                self.raise(rule, place, due, (first, here), alerts);
                if count < clear_below {
                    self.clear(place, time, here, alerts);
                }
            }
            Some(Held::Pending(..)) if count < at_least => {
                self.held.remove(place);
            }
            Some(Held::Open(_)) if count < clear_below => self.clear(place, time, here, alerts),
            Some(_) => {}
        }
    }

    fn raise(
        &mut self,
        rule: &Rule,
        place: &str,
        time: i64,
        (first, cause): ((i32, i64), (i32, i64)),
        alerts: &mut Alerts,
    ) {
        let subject = if place.is_empty() { format!("place:{}", rule.id) } else { format!("area:{place}") };
        let id = alerts.id_of(&rule.id, &subject, first);
        alerts.say_of(&id, true, time, cause);
        self.held.insert(place.to_owned(), Held::Open(id));
    }

    fn clear(&mut self, place: &str, time: i64, cause: (i32, i64), alerts: &mut Alerts) {
        if let Some(Held::Open(id)) = self.held.remove(place) {
            alerts.say_of(&id, false, time, cause);
        }
    }

    /// Holds that are over before a moment: said by whoever of that place spoke last.
    fn pass(&mut self, rule: &Rule, before: i64, alerts: &mut Alerts) {
        let Body::Density { hold_ms, .. } = rule.body else { return };
        let due = |(place, held): (&String, &Held)| match held {
            Held::Pending(since, first) if since + hold_ms < before => Some((since + hold_ms, place.clone(), *first)),
            _ => None,
        };
        let dues: BTreeSet<(i64, String, (i32, i64))> = self.held.iter().filter_map(due).collect();
        for (due, place, first) in dues {
            let Some(cause) = self.newest(&place) else { continue };
            self.raise(rule, &place, due, (first, cause), alerts);
        }
    }

    fn newest(&self, place: &str) -> Option<(i32, i64)> {
        let there = self.places.values().filter(|(places, _)| places.contains(place));
        there.map(|(_, order)| *order).max().map(|(_, partition, offset)| (partition, offset))
    }

    fn end(&mut self, time: i64, alerts: &mut Alerts) {
        let (_, partition, offset) = self.last;
        for place in self.held.keys().cloned().collect::<Vec<_>>() {
            self.clear(&place, time, (partition, offset), alerts);
        }
    }
}
