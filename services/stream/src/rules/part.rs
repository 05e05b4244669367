//! Rules in one partition: the book in force, the clocks of holds, and what a record does.

use super::{
    Change, EntityRules, Fix, Gone, Open, Phase, WAYS,
    act::{cleared, cross, end_outside_areas, hear, pace, raised, tell, value_named, weigh},
    alert_id,
    book::Book,
    fence::Before,
    hold::Step,
    ready::{Body, Ready, Watch, Who},
    timers::{Timer, Timers, Waits},
    ways::Way,
};
use crate::{checkpoint::TimerForm, intern::MetricNames, windows::At};
use gridwarden_domain::{identity::RecordId, observation::Position, value::Fixed};
use gridwarden_runtime::seeded::seeded;
use smallvec::SmallVec;
use std::sync::Arc;

/// Rules of a partition as they were saved.
#[derive(Clone)]
pub(crate) struct SavedRules {
    /// The partition's highest append time then: it says which book was in force.
    pub(crate) newest: i64,
    /// How many books there had been.
    pub(crate) reloads: u32,
    /// By slot, with which of them the rule came into force.
    pub(crate) since: Vec<u32>,
    /// Holds, in domains of this process.
    pub(crate) timers: Vec<TimerForm>,
}

/// A record as rules see it.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Whom it is about.
    pub(crate) who: Who<'a>,
    /// The entity's number.
    pub(crate) entity: u32,
    /// Watermark domain.
    pub(crate) domain: u8,
    /// Event time.
    pub(crate) time: i64,
    /// The record.
    pub(crate) at: At,
    /// Where, if known.
    pub(crate) position: Option<Position>,
    /// Values by metric.
    pub(crate) values: &'a [(u32, Fixed)],
    /// The identity of any record read here.
    pub(crate) identity: &'a dyn Fn(At) -> RecordId,
}

/// Rules in one partition.
pub(crate) struct PartRules {
    book: Arc<Book>,
    /// Counts books; 1 for the first.
    reloads: u32,
    /// By slot: the reload with which the rule came into force as it is now.
    since: Vec<u32>,
    /// By metric, made when first asked for.
    watches: Vec<Option<Box<[Watch]>>>,
    /// Silences by kind, made when first asked for.
    silences: Vec<Option<Box<[u32]>>>,
    /// Whether fences about ways look at a kind, found out when first asked.
    ways: Vec<Option<bool>>,
    /// Shards of rules over several entities by kind, and for reports, made when first asked for.
    shards: (Vec<Option<u64>>, Option<u64>),
    pub(super) timers: Timers,
    inside: Vec<u32>,
}

impl PartRules {
    pub(crate) fn new(book: Arc<Book>) -> Self {
        let mut rules = Self {
            book,
            reloads: 1,
            since: Vec::new(),
            watches: Vec::new(),
            silences: Vec::new(),
            ways: Vec::new(),
            shards: (Vec::new(), None),
            timers: Timers::default(),
            inside: Vec::new(),
        };
        rules.date(|_| true);
        rules
    }

    /// The book in force.
    #[inline]
    pub(crate) fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// For saving, at the partition's highest append time.
    pub(crate) fn saved(&self, newest: i64) -> SavedRules {
        let form = |(domain, timer): (u8, Timer)| {
            let Timer { due, entity, slot } = timer;
            TimerForm { domain, due, entity, slot }
        };
        let timers = self.timers.all().map(form).collect();
        SavedRules { newest, reloads: self.reloads, since: self.since.clone(), timers }
    }

    /// As it was saved, with the book that was in force then.
    pub(crate) fn restored(book: Arc<Book>, saved: SavedRules) -> Self {
        let mut rules = Self { reloads: saved.reloads, since: saved.since, ..Self::new(book) };
        for TimerForm { domain, due, entity, slot } in saved.timers {
            if seeded("timers-forgotten") {
                continue;
            }
            rules.timers.push(domain, Timer { due, entity, slot });
        }
        rules
    }

    fn date(&mut self, is_new: impl Fn(u32) -> bool) {
        for (slot, _) in self.book.slots() {
            let length = self.since.len().max(slot as usize + 1);
            self.since.resize(length, 0);
            if let Some(since) = self.since.get_mut(slot as usize)
                && is_new(slot)
            {
                *since = self.reloads;
            }
        }
    }

    /// Puts another book in force; the rules whose state must go, as they were.
    pub(crate) fn switch(&mut self, book: Arc<Book>) -> Gone {
        let old = std::mem::replace(&mut self.book, book);
        self.reloads += 1;
        self.watches.clear();
        self.silences.clear();
        self.ways.clear();
        self.shards = (Vec::new(), None);
        let same = |slot: u32| match (old.rule(slot), self.book.rule(slot)) {
            (Some(before), Some(after)) => before.rule.asks_the_same(&after.rule),
            _ => false,
        };
        let slots: Vec<u32> = old.slots().map(|(slot, _)| slot).filter(|slot| !same(*slot)).collect();
        let kept: Vec<bool> = (0..self.since.len() as u32).map(same).collect();
        self.date(|slot| !kept.get(slot as usize).copied().unwrap_or(false));
        Gone { book: old, slots }
    }

    /// The shards whose rules over several entities look at observations of a kind, one bit each.
    #[inline]
    pub(crate) fn shards_of(&mut self, kind: u16) -> u64 {
        if !self.book.has_together() {
            return 0;
        }
        let (known, kind_at) = (&mut self.shards.0, usize::from(kind));
        if known.len() <= kind_at {
            known.resize(kind_at + 1, None);
        }
        known.get_mut(kind_at).map_or(0, |shards| *shards.get_or_insert_with(|| self.book.shards_of(kind)))
    }

    /// The same for reports.
    pub(crate) fn shards_of_reports(&mut self) -> u64 {
        *self.shards.1.get_or_insert_with(|| self.book.shards_of_reports())
    }

    /// Looks at a record: what it raises and clears is appended to `out`.
    #[inline]
    pub(crate) fn look(
        &mut self,
        seen: &Seen<'_>,
        names: &MetricNames,
        state: &mut EntityRules,
        out: &mut Vec<Change>,
    ) {
        self.look_at_values(seen, names, state, out);
        if self.book.has_silences {
            self.listen(seen, state, out);
        }
        if self.book.uses_areas && !state.held.is_empty() {
            match seen.position {
                Some(_) => end_outside_areas(&self.book, seen, state, out),
                None => self.look_without_position(seen, names, state, out),
            }
        }
        if self.book.has_fences
            && let Some(position) = seen.position
        {
            let way = self.way(seen, position, state);
            self.look_at_position((seen, names), (position, way), state, out);
        }
    }

    /// The way an entity came, if any fence asks; its next one begins here.
    #[inline]
    fn way(&mut self, seen: &Seen<'_>, position: Position, state: &mut EntityRules) -> Option<Way> {
        let kind = usize::from(seen.who.kind);
        if self.ways.len() <= kind {
            self.ways.resize(kind + 1, None);
        }
        let known = self.ways.get_mut(kind)?;
        if !*known.get_or_insert_with(|| self.book.has_ways_of(seen.who.kind)) {
            return None;
        }
        let Position { lon, lat, accuracy_m } = position;
        let (last, here) = (state.last_fix(), Fix { time: seen.time, position: [lon, lat], accuracy_m });
        if last.is_none_or(|last| last.time < here.time) {
            state.set(WAYS, Some(Phase::Way(here)));
        }
        Way::between(last, here)
    }

    fn look_at_values(&mut self, seen: &Seen<'_>, names: &MetricNames, state: &mut EntityRules, out: &mut Vec<Change>) {
        for (metric, value) in seen.values {
            let place = *metric as usize;
            if self.watches.len() <= place {
                self.watches.resize_with(place + 1, || None);
            }
            let Some(watches) = self.watches.get_mut(place) else { continue };
            let watches = watches.get_or_insert_with(|| self.book.watches(*metric, names));
            for watch in watches.iter() {
                if state.held.is_empty() && !watch.offends(*value) {
                    continue;
                }
                if let Some(ready) = self.book.rule(watch.slot) {
                    weigh((watch.slot, ready), *value, seen, (&mut self.timers, state), out);
                }
            }
        }
        let named = self.book.of_source(seen.who.source);
        let around = seen.who.areas.iter().flat_map(|area| self.book.of_area(*area));
        for slot in named.iter().chain(around) {
            let Some(ready) = self.book.rule(*slot) else { continue };
            let Body::Threshold(name, _) = &ready.body else { continue };
            let Some(value) = value_named(name, seen, names) else { continue };
            if ready.concerns(&seen.who) {
                weigh((*slot, ready), value, seen, (&mut self.timers, state), out);
            }
        }
    }

    /// Who speaks is not silent.
    fn listen(&mut self, seen: &Seen<'_>, state: &mut EntityRules, out: &mut Vec<Change>) {
        let kind = seen.who.kind as usize;
        if self.silences.len() <= kind {
            self.silences.resize_with(kind + 1, || None);
        }
        let Some(silences) = self.silences.get_mut(kind) else { return };
        let book = &self.book;
        let silences = silences.get_or_insert_with(|| book.silences(seen.who.kind));
        let named = book.of_source(seen.who.source);
        let around = seen.who.areas.iter().flat_map(|area| book.of_area(*area));
        let mut slots: SmallVec<[u32; 8]> = silences.iter().chain(named).chain(around).copied().collect();
        slots.retain(|slot| book.rule(*slot).is_some_and(|ready| ready.concerns(&seen.who)));
        if seen.position.is_none() {
            // A message without a position is one from where the entity was.
            slots.extend(state.held.iter().map(|held| held.slot));
        }
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            if let Some(ready) = book.rule(slot) {
                hear((slot, ready), seen, (&mut self.timers, state), out);
            }
        }
    }

    /// An entity that does not say where it is stays, for what is held against it, where it was.
    #[cold]
    fn look_without_position(
        &mut self,
        seen: &Seen<'_>,
        names: &MetricNames,
        state: &mut EntityRules,
        out: &mut Vec<Change>,
    ) {
        let slots: SmallVec<[u32; 8]> = state.held.iter().map(|held| held.slot).collect();
        for slot in slots {
            let Some(ready) = self.book.rule(slot).filter(|ready| ready.is_limited_to_areas()) else { continue };
            let Body::Threshold(name, _) = &ready.body else { continue };
            if let Some(value) = value_named(name, seen, names) {
                weigh((slot, ready), value, seen, (&mut self.timers, state), out);
            }
        }
    }

    fn look_at_position(
        &mut self,
        (seen, names): (&Seen<'_>, &MetricNames),
        (position, way): (Position, Option<Way>),
        state: &mut EntityRules,
        out: &mut Vec<Change>,
    ) {
        let (book, inside) = (&self.book, &mut self.inside);
        inside.clear();
        let point = [position.lon, position.lat];
        book.shapes_at(point, |slot| inside.push(slot));
        inside.extend(seen.who.areas.iter().flat_map(|area| book.of_area(*area)).filter(|slot| book.is_fence(**slot)));
        inside.sort_unstable();
        inside.dedup();
        let crossed = way.as_ref().map(|way| book.ways.crossed(way)).unwrap_or_default();
        if crossed.is_empty() && state.seen == self.reloads && book.stays(inside, state) {
            return;
        }
        inside.retain(|slot| book.rule(*slot).is_some_and(|ready| ready.concerns(&seen.who)));
        // What waits to be raised, or is, on either side of a fence.
        let held: SmallVec<[u32; 4]> =
            state.held.iter().map(|held| held.slot).filter(|slot| book.is_fence(*slot)).collect();
        let known = state.inside.iter().chain(inside.iter()).chain(&crossed).copied();
        let mut visited: SmallVec<[u32; 16]> = known.chain(held).collect();
        if state.seen < self.reloads {
            visited.extend(book.exit_first.iter().copied());
        }
        visited.sort_unstable();
        visited.dedup();
        for slot in visited {
            let Some(ready) = book.rule(slot) else { continue };
            let Body::Fence(border) = &ready.body else { continue };
            let before = Before {
                inside: state.inside.binary_search(&slot).is_ok(),
                first: self.since.get(slot as usize).is_none_or(|since| state.seen < *since),
            };
            let place = inside.binary_search(&slot);
            let trusted = border.trusts(position.accuracy_m);
            if border.is_crossed() {
                let crosses = crossed.contains(&slot) && ready.concerns(&seen.who);
                if trusted && (crosses || state.phase(slot).is_some()) {
                    let sign = border.sign_of_way(crosses, way.as_ref(), (seen.time, seen.at));
                    tell((slot, ready), sign, (seen, None), (&mut self.timers, state), out);
                }
                continue;
            }
            let outside_m = || if ready.concerns(&seen.who) { book.outside_m(border, point) } else { f64::INFINITY };
            let held = border.holds(before, place.is_ok(), trusted, outside_m);
            match place {
                Ok(place) if !held => drop(inside.remove(place)),
                Err(place) if held => inside.insert(place, slot),
                _ => {}
            }
            if !trusted {
                continue;
            }
            if border.asks_speed() {
                let kmh = match border.speed_value() {
                    Some(value) => value_named(value, seen, names),
                    None => border.pace(way.as_ref()),
                };
                pace((slot, ready, border), (held, kmh), seen, (&mut self.timers, state), out);
            } else {
                cross((slot, ready), (before, held), seen, (&mut self.timers, state), out);
            }
        }
        state.inside.clear();
        state.inside.extend_from_slice(inside);
        state.seen = self.reloads;
    }

    /// The next hold that is due by a domain's clock, taken out.
    #[inline]
    pub(crate) fn due(&mut self, domain: u8, clock: i64) -> Option<Timer> {
        self.timers.due(domain, clock)
    }

    /// Whether timers should be thinned out with [`PartRules::thin`].
    #[inline]
    pub(crate) fn is_crowded(&self) -> bool {
        self.timers.is_crowded()
    }

    /// Forgets timers nothing waits for any more.
    #[cold]
    pub(crate) fn thin<'s>(&mut self, state_of: impl Fn(u32) -> Option<&'s EntityRules>) {
        let book = &self.book;
        self.timers.thin(|timer| match state_of(timer.entity).and_then(|state| waiting(book, timer, state)) {
            None => Waits::No,
            // Who leaves the areas of a silence and comes back is waited for by another timer, beside the one there was.
            Some((ready, ..)) if matches!(ready.body, Body::Silence) => Waits::ForOne,
            Some(_) => Waits::Yes,
        });
    }

    /// Lets happen what a timer that is due by a domain's clock stands for, if it still stands.
    pub(crate) fn fire(
        &mut self,
        (domain, clock, timer): (u8, i64, Timer),
        source: &str,
        identity: &dyn Fn(At) -> RecordId,
        state: &mut EntityRules,
        out: &mut Vec<Change>,
    ) {
        let Some((ready, due, step)) = waiting(&self.book, &timer, state) else { return };
        if matches!(ready.body, Body::Silence) && clock == i64::MAX {
            // A record of the past is over: nobody was silent, there is no more of it.
            return state.set(timer.slot, None);
        }
        if due > timer.due {
            return self.timers.push(domain, Timer { due, ..timer });
        }
        match step {
            Step::Raise { time, first, .. } => {
                let id = alert_id(&ready.rule.id, source, identity(first));
                let open = Open::raised(id, time);
                let phase = Phase::Open(open);
                if let Some((due, _)) = ready.falls(&phase) {
                    self.timers.push(domain, Timer { due, ..timer });
                }
                out.push(raised(ready, open, first, None));
                state.set(timer.slot, Some(phase));
            }
            Step::Clear(open) => {
                out.push(cleared(ready, open, due, None));
                state.set(timer.slot, None);
            }
            Step::Drop => state.set(timer.slot, None),
            Step::Stay | Step::Hold | Step::Update(_) => {}
        }
    }
}

/// The rule a timer stands for, and when what happens, if it still may.
fn waiting<'b>(book: &'b Book, timer: &Timer, state: &EntityRules) -> Option<(&'b Ready, i64, Step)> {
    let ready = book.rule(timer.slot)?;
    let (due, step) = ready.falls(state.phase(timer.slot)?)?;
    // The one timer of a silence is never moved; a hold that began anew has another.
    let stands = due == timer.due || matches!(ready.body, Body::Silence) && due > timer.due;
    stands.then_some((ready, due, step))
}
