//! Cluster: reports and sensors' events near each other in place and time.
//!
//! An event joins the oldest cluster one of its neighbours belongs to: clusters grow, and do not merge. Without such a neighbour it
//! raises one together with its neighbours, if they are of enough different sources. A cluster is over when none joined for as long
//! as events are near each other in time.

use super::{
    About, Spot, Verdict, Verdicts, evidence,
    offences::{Turn, cleared},
};
use crate::rules::change::Open;
use gridwarden_domain::{alert::Transition, rule::Hours};
use gridwarden_geo::{Near, distance_m};
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What the rule asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Terms {
    pub(super) at_least: usize,
    pub(super) within_m: f64,
    pub(super) within_ms: i64,
}

impl Terms {
    pub(crate) fn of(document: &gridwarden_domain::rule::together::Cluster) -> Self {
        Self {
            at_least: document.at_least as usize,
            within_m: document.within_m,
            within_ms: i64::from(document.within_s) * 1000,
        }
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) source: Arc<str>,
    pub(super) spot: Spot,
    /// The cluster it belongs to.
    pub(super) group: Option<u32>,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) open: Open,
    /// Sources of all that joined.
    pub(super) sources: BTreeSet<Arc<str>>,
    /// What joined last.
    pub(super) last: Spot,
}

/// Events of late, and clusters.
#[derive(Debug)]
pub(crate) struct Cluster {
    terms: Terms,
    /// What happens outside of them does not count.
    hours: Option<Arc<Hours>>,
    /// By number, in order of event time.
    events: HashMap<u32, Event>,
    order: VecDeque<u32>,
    next: u32,
    near: Near,
    /// By number: the smaller the older.
    groups: BTreeMap<u32, Group>,
    next_group: u32,
}

impl Cluster {
    pub(super) fn new(terms: Terms, hours: Option<Arc<Hours>>) -> Self {
        Self {
            terms,
            hours,
            events: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            near: Near::new(terms.within_m),
            groups: BTreeMap::new(),
            next_group: 0,
        }
    }

    /// Something happened here now.
    pub(super) fn see(&mut self, source: &str, spot: Spot, (about, out): (&About<'_>, &mut Verdicts)) {
        if self.hours.as_ref().is_some_and(|hours| !hours.hold(spot.time)) {
            return;
        }
        self.forget_before(spot.time.saturating_sub(self.terms.within_ms));
        let source: Arc<str> = source.into();
        let neighbours = self.neighbours(spot.position);
        let groups = neighbours.iter().filter_map(|number| self.events.get(number)?.group);
        let group = groups.filter(|group| self.groups.contains_key(group)).min();
        let number = self.add(Event { source: Arc::clone(&source), spot, group });
        match group.and_then(|group| self.groups.get_mut(&group)) {
            Some(group) => {
                group.sources.insert(source);
                group.last = spot;
                say_anew(about, group, out);
            }
            None => self.found(number, &neighbours, (about, out)),
        }
    }

    /// Numbers of the events within reach, oldest first.
    fn neighbours(&self, position: [f64; 2]) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        self.near.around(position, |number| {
            let near = self
                .events
                .get(&number)
                .is_some_and(|event| distance_m(event.spot.position, position) <= self.terms.within_m);
            if near {
                found.insert(number);
            }
        });
        found
    }

    fn add(&mut self, event: Event) -> u32 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.near.insert(number, event.spot.position);
        self.events.insert(number, event);
        self.order.push_back(number);
        number
    }

    /// Raises a cluster of an event and its neighbours, if they are enough.
    fn found(&mut self, number: u32, neighbours: &BTreeSet<u32>, (about, out): (&About<'_>, &mut Verdicts)) {
        let free = |number: &u32| {
            self.events.get(number).filter(|event| event.group.is_none_or(|group| !self.groups.contains_key(&group)))
        };
        let members: Vec<u32> =
            neighbours.iter().chain([&number]).filter(|number| free(number).is_some()).copied().collect();
        let of = |number: &u32| self.events.get(number);
        let sources: BTreeSet<Arc<str>> =
            members.iter().filter_map(of).map(|event| Arc::clone(&event.source)).collect();
        let Some(last) = of(&number).map(|event| event.spot) else { return };
        if sources.len() < self.terms.at_least {
            return;
        }
        let subject = about.itself();
        let open = Open::raised(about.id(&subject, last.at), last.time);
        let turn = Turn { transition: Transition::Raised, open, time: last.time };
        let evidence = evidence(turn.transition, members.iter().filter_map(of).map(|event| event.spot.at));
        // Where they are all together, rather than where the last happened to be.
        let cause = Spot { position: self.middle(&members), ..last };
        out.push(Verdict { subject, turn, cause, value: Some(sources.len() as f64), evidence });
        let group = self.next_group;
        self.next_group += 1;
        self.groups.insert(group, Group { open, sources, last: cause });
        for member in members {
            if let Some(event) = self.events.get_mut(&member) {
                event.group = Some(group);
            }
        }
    }

    fn middle(&self, members: &[u32]) -> [f64; 2] {
        let positions: Vec<[f64; 2]> =
            members.iter().filter_map(|number| Some(self.events.get(number)?.spot.position)).collect();
        let count = positions.len().max(1) as f64;
        let [lon, lat] =
            positions.iter().fold([0.0, 0.0], |sum, position| [sum[0] + position[0], sum[1] + position[1]]);
        [lon / count, lat / count]
    }

    fn forget_before(&mut self, time: i64) {
        while let Some(number) = self.order.front().copied() {
            if self.events.get(&number).is_some_and(|event| event.spot.time >= time) {
                return;
            }
            self.order.pop_front();
            if let Some(event) = self.events.remove(&number) {
                self.near.remove(number, event.spot.position);
            }
        }
    }

    /// When a cluster may be over.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.groups.values().map(|group| self.over_at(group)).min()
    }

    fn over_at(&self, group: &Group) -> i64 {
        group.last.time.saturating_add(self.terms.within_ms)
    }

    /// Ends the oldest cluster whose time is over by then.
    pub(super) fn fall_due(&mut self, moment: i64, (about, out): (&About<'_>, &mut Verdicts)) {
        let over = self.groups.iter().find(|(_, group)| self.over_at(group) <= moment).map(|(number, _)| *number);
        let Some(group) = over.and_then(|number| self.groups.remove(&number)) else { return };
        say_over(about, &group, self.over_at(&group), out);
    }

    /// Ends what is open.
    pub(super) fn end(&mut self, time: i64, (about, out): (&About<'_>, &mut Verdicts)) {
        for group in std::mem::take(&mut self.groups).into_values() {
            say_over(about, &group, time, out);
        }
    }

    /// For saving: events in order, clusters.
    pub(super) fn saved(&self) -> (impl Iterator<Item = &Event>, &BTreeMap<u32, Group>) {
        (self.order.iter().filter_map(|number| self.events.get(number)), &self.groups)
    }

    pub(super) fn restored(
        (terms, hours): (Terms, Option<Arc<Hours>>),
        events: Vec<Event>,
        groups: BTreeMap<u32, Group>,
    ) -> Self {
        let next_group = groups.keys().next_back().map_or(0, |last| last + 1);
        let mut cluster = Self { groups, next_group, ..Self::new(terms, hours) };
        for event in events {
            cluster.add(event);
        }
        cluster
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }
}

/// Tells how a cluster stands that an event has joined, if it is time for that.
fn say_anew(about: &About<'_>, group: &mut Group, out: &mut Verdicts) {
    let (cause, told_s) = (group.last, group.open.since_s(group.last.time));
    let updated = group.open.updated(cause.time, about.rule.update_s);
    if let Some(open) = updated {
        let turn = Turn { transition: Transition::Updated, open, time: cause.time };
        let value = Some(group.sources.len() as f64);
        out.push(Verdict { subject: about.itself(), turn, cause, value, evidence: vec![cause.at] });
    }
    // By the last that joined, told or not: that is what is saved. The periods told are the same.
    group.open = Open { told_s, ..updated.unwrap_or(group.open) };
}

fn say_over(about: &About<'_>, group: &Group, time: i64, out: &mut Verdicts) {
    out.push(Verdict {
        subject: about.itself(),
        turn: cleared(group.open, time),
        cause: group.last,
        value: Some(group.sources.len() as f64),
        evidence: Vec::new(),
    });
}
