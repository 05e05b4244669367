//! Rules in one partition: the book in force, the clocks of holds, and what a record does.

use super::{
    Change, EntityRules, Held, Open, Phase, alert_id,
    book::{Body, Book, Ready, Watch, Who},
    fence, threshold,
    timers::{Timer, Timers},
};
use crate::{checkpoint::TimerForm, intern::MetricNames, windows::At};
use gridwarden_domain::{alert::Transition, identity::RecordId, value::Fixed};
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
    pub(crate) position: Option<[f64; 2]>,
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
        let same = |slot: u32| match (old.rule(slot), self.book.rule(slot)) {
            (Some(before), Some(after)) => {
                before.rule.condition == after.rule.condition && before.rule.select == after.rule.select
            }
            _ => false,
        };
        let slots: Vec<u32> = old.slots().map(|(slot, _)| slot).filter(|slot| !same(*slot)).collect();
        let kept: Vec<bool> = (0..self.since.len() as u32).map(same).collect();
        self.date(|slot| !kept.get(slot as usize).copied().unwrap_or(false));
        Gone { book: old, slots }
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
        if self.book.uses_areas && !state.held.is_empty() {
            match seen.position {
                Some(_) => end_outside_areas(&self.book, seen, state, out),
                None => self.look_without_position(seen, names, state, out),
            }
        }
        if self.book.has_fences
            && let Some(position) = seen.position
        {
            self.look_at_position(seen, position, state, out);
        }
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
        seen: &Seen<'_>,
        position: [f64; 2],
        state: &mut EntityRules,
        out: &mut Vec<Change>,
    ) {
        let (book, inside) = (&self.book, &mut self.inside);
        inside.clear();
        book.shapes_at(position, |slot| inside.push(slot));
        let is_fence = |slot: &u32| book.rule(*slot).is_some_and(|ready| matches!(ready.body, Body::Fence(..)));
        inside.extend(seen.who.areas.iter().flat_map(|area| book.of_area(*area)).filter(|slot| is_fence(slot)));
        if inside.is_empty() && state.inside.is_empty() && state.seen == self.reloads {
            return;
        }
        inside.retain(|slot| book.rule(*slot).is_some_and(|ready| ready.concerns(&seen.who)));
        inside.sort_unstable();
        inside.dedup();
        let mut visited: SmallVec<[u32; 16]> = state.inside.iter().chain(inside.iter()).copied().collect();
        if state.seen < self.reloads {
            visited.extend(book.exit_first.iter().copied());
        }
        visited.sort_unstable();
        visited.dedup();
        for slot in visited {
            let Some(ready) = book.rule(slot) else { continue };
            let first = self.since.get(slot as usize).is_none_or(|since| state.seen < *since);
            let was = state.inside.binary_search(&slot).is_ok();
            cross((slot, ready), (was, first), inside.binary_search(&slot).is_ok(), seen, state, out);
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
        self.timers.thin(|timer| state_of(timer.entity).is_some_and(|state| waiting(book, timer, state).is_some()));
    }

    /// Raises what a due hold stands for, if it still stands.
    pub(crate) fn fire(
        &self,
        timer: Timer,
        source: &str,
        identity: &dyn Fn(At) -> RecordId,
        state: &mut EntityRules,
        out: &mut Vec<Change>,
    ) {
        let Some((ready, first)) = waiting(&self.book, &timer, state) else { return };
        let open = Open { id: alert_id(&ready.rule.id, source, identity(first)), seq: 1, raised_at: timer.due };
        state.set(timer.slot, Some(Phase::Open(open)));
        out.push(said(ready, open, Transition::Raised, timer.due, None));
    }
}

/// The rule a timer stands for and the record the offence began with, if the offence goes on.
fn waiting<'b>(book: &'b Book, timer: &Timer, state: &EntityRules) -> Option<(&'b Ready, At)> {
    let ready = book.rule(timer.slot)?;
    let Body::Threshold(_, levels) = &ready.body else { return None };
    let Some(Phase::Pending { since, first }) = state.phase(timer.slot) else { return None };
    (since.saturating_add(levels.hold_ms) == timer.due).then_some((ready, *first))
}

/// Rules that are no longer in force, as they were.
pub(crate) struct Gone {
    book: Arc<Book>,
    slots: Vec<u32>,
}

impl Gone {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes their state from an entity and clears its open alerts (`RUL-2`).
    pub(crate) fn release(&self, time: i64, state: &mut EntityRules, out: &mut Vec<Change>) {
        state.inside.retain(|slot| !self.slots.contains(slot));
        state.held.retain(|held| {
            if !self.slots.contains(&held.slot) {
                return true;
            }
            if let (Held { phase: Phase::Open(open), .. }, Some(ready)) = (held, self.book.rule(held.slot)) {
                out.push(said(ready, next(*open), Transition::Cleared, time, None));
            }
            false
        });
    }
}

fn next(open: Open) -> Open {
    Open { seq: open.seq + 1, ..open }
}

fn said(ready: &Ready, alert: Open, transition: Transition, time: i64, value: Option<Fixed>) -> Change {
    Change { rule: Arc::clone(&ready.rule), alert, transition, time, value }
}

fn value_named(name: &str, seen: &Seen<'_>, names: &MetricNames) -> Option<Fixed> {
    let metric = names.value(seen.who.kind, name)?;
    seen.values.iter().find(|(number, _)| *number == metric).map(|(_, value)| *value)
}

/// A value against a threshold.
fn weigh(
    rule: (u32, &Ready),
    value: Fixed,
    seen: &Seen<'_>,
    memory: (&mut Timers, &mut EntityRules),
    out: &mut Vec<Change>,
) {
    let (slot, ready) = rule;
    let (timers, state) = memory;
    let Body::Threshold(_, levels) = &ready.body else { return };
    match levels.step(state.phase(slot), value, seen.time, seen.at) {
        threshold::Step::Stay => {}
        threshold::Step::Hold { due } => {
            state.set(slot, Some(Phase::Pending { since: seen.time, first: seen.at }));
            timers.push(seen.domain, Timer { due, entity: seen.entity, slot });
        }
        threshold::Step::Drop => state.set(slot, None),
        threshold::Step::Raise { time, first, and_clear } => {
            let id = alert_id(&ready.rule.id, seen.who.source, (seen.identity)(first));
            let open = Open { id, seq: 1, raised_at: time };
            out.push(said(ready, open, Transition::Raised, time, Some(value)));
            if and_clear {
                out.push(said(ready, next(open), Transition::Cleared, seen.time, Some(value)));
            }
            state.set(slot, (!and_clear).then_some(Phase::Open(open)));
        }
        threshold::Step::Clear(open) => {
            state.set(slot, None);
            out.push(said(ready, next(open), Transition::Cleared, seen.time, Some(value)));
        }
    }
}

/// A position against a fence.
fn cross(
    rule: (u32, &Ready),
    was: (bool, bool),
    is_inside: bool,
    seen: &Seen<'_>,
    state: &mut EntityRules,
    out: &mut Vec<Change>,
) {
    let (slot, ready) = rule;
    let Body::Fence(on, first_counts) = ready.body else { return };
    let (inside, first) = was;
    let open = match state.phase(slot) {
        Some(Phase::Open(open)) => Some(*open),
        _ => None,
    };
    // An exit fence asks about entities it does not concern only when it is new.
    if open.is_none() && !ready.concerns(&seen.who) && !inside {
        return;
    }
    let before = fence::Before { inside, first, open: open.is_some() };
    match (fence::step(on, first_counts, before, is_inside), open) {
        (fence::Step::Raise, _) => {
            let id = alert_id(&ready.rule.id, seen.who.source, (seen.identity)(seen.at));
            let open = Open { id, seq: 1, raised_at: seen.time };
            state.set(slot, Some(Phase::Open(open)));
            out.push(said(ready, open, Transition::Raised, seen.time, None));
        }
        (fence::Step::Clear, Some(open)) => {
            state.set(slot, None);
            out.push(said(ready, next(open), Transition::Cleared, seen.time, None));
        }
        _ => {}
    }
}

/// A threshold limited to areas has nothing more to say about an entity that left them.
fn end_outside_areas(book: &Book, seen: &Seen<'_>, state: &mut EntityRules, out: &mut Vec<Change>) {
    state.held.retain(|held| {
        let Some(ready) = book.rule(held.slot) else { return true };
        let left = matches!(ready.body, Body::Threshold(..))
            && ready.is_limited_to_areas()
            && !ready.is_in_areas(seen.who.areas);
        if left && let Phase::Open(open) = &held.phase {
            out.push(said(ready, next(*open), Transition::Cleared, seen.time, None));
        }
        !left
    });
}
