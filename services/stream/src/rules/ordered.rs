//! Rules that look in the order of event time (`reorder_s`): a record waits for earlier ones, so long after its event time as its rule
//! asks, in append times of its own partition. Rules with the same time to reorder are one [`Lane`], with a book, timers and states of
//! its own; the others never hear of it.
//!
//! * `ORD-1` a lane sees the records of an entity by (event time, place in the log), whatever order they came in, as long as none came
//!   later than it waits. One that did is looked at as it comes: nothing is left out.
//! * `ORD-2` what is released, and when, is a function of the partition's records alone (`RUL-1`).
//! * `ORD-3` no hold becomes due before all records up to that moment were looked at.

use super::{Book, EntityRules, Gone, PartRules, SavedRules};
use crate::{
    checkpoint::{KeptForm, LaneForm, OrderedForm, Renumber},
    windows::At,
};
use gridwarden_domain::{observation::Position, value::Fixed};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a record says, until its turn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    /// Number of its entity.
    pub(crate) entity: u32,
    /// Where, if known.
    pub(crate) position: Option<Position>,
    /// Values by metric.
    pub(crate) values: SmallVec<[(u32, Fixed); 3]>,
    /// Whether it is made up.
    pub(crate) simulated: bool,
}

/// Domain, event time, place in the log.
pub(crate) type Turn = (u8, i64, At);

/// Rules that wait as long as each other.
pub(crate) struct Lane {
    /// How long, in seconds.
    pub(crate) reorder_s: u32,
    /// Its rules.
    pub(crate) rules: PartRules,
    /// By domain: all records up to this event time were looked at.
    reached: SmallVec<[(u8, i64); 2]>,
    /// Whether it looks at a kind, found out when first asked.
    kinds: Vec<Option<bool>>,
}

/// A partition's lanes, and the records that wait for any of them.
#[derive(Default)]
pub(crate) struct Ordered {
    lanes: Vec<Lane>,
    kept: BTreeMap<Turn, Kept>,
    /// Lanes as they were saved, until it is known what was in force then.
    saved: Vec<LaneForm>,
}

/// Who takes a record.
#[derive(Default)]
pub(crate) struct Takers {
    /// Whether any lane waits for its turn.
    pub(crate) wait: bool,
    /// Numbers of the lanes that look at it now.
    pub(crate) now: SmallVec<[usize; 4]>,
    /// Whether any of these has looked at something later already.
    pub(crate) is_late: bool,
}

/// What is to be done for a lane when time goes on.
pub(crate) enum Due<'k> {
    /// A record has its turn.
    Record(Turn, &'k Kept),
    /// Holds that are due by this clock of the domain may happen.
    Holds(i64),
}

impl Lane {
    fn new(reorder_s: u32, rules: PartRules) -> Self {
        Self { reorder_s, rules, reached: SmallVec::new(), kinds: Vec::new() }
    }

    /// Whether any of its rules looks at a kind.
    fn has_kind(&mut self, kind: u16) -> bool {
        let place = usize::from(kind);
        if self.kinds.len() <= place {
            self.kinds.resize(place + 1, None);
        }
        let Self { kinds, rules, .. } = self;
        kinds.get_mut(place).is_some_and(|known| *known.get_or_insert_with(|| rules.book().has_kind(kind)))
    }

    fn reached(&self, domain: u8) -> i64 {
        self.reached.iter().find(|(known, _)| *known == domain).map_or(i64::MIN, |(_, reached)| *reached)
    }

    fn reach(&mut self, domain: u8, time: i64) {
        match self.reached.iter_mut().find(|(known, _)| *known == domain) {
            Some((_, reached)) => *reached = time.max(*reached),
            None => self.reached.push((domain, time)),
        }
    }

    fn form(&self, newest: i64) -> LaneForm {
        let SavedRules { reloads, since, timers, .. } = self.rules.saved(newest);
        LaneForm { reorder_s: self.reorder_s, reloads, since, timers, reached: self.reached.to_vec() }
    }

    fn restored(form: LaneForm, book: Arc<Book>, newest: i64) -> Self {
        let LaneForm { reorder_s, reloads, since, timers, reached } = form;
        let rules = PartRules::restored(book, SavedRules { newest, reloads, since, timers });
        Self { reached: reached.into(), ..Self::new(reorder_s, rules) }
    }
}

impl Ordered {
    /// Whether no rule asks for order.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.lanes.is_empty()
    }

    /// How many records wait.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Puts the lanes of another book in force; the rules whose state must go, by the lane they were in, and whether that is gone too.
    pub(crate) fn switch(&mut self, book: &Book) -> Vec<(u32, Gone, bool)> {
        let mut all_gone = Vec::new();
        for lane in &mut self.lanes {
            let after = book.ordered.iter().find(|(reorder_s, _)| *reorder_s == lane.reorder_s);
            let is_over = after.is_none();
            let after =
                after.map_or_else(|| Arc::new(Book::empty(&book.set, &book.view)), |(_, after)| Arc::clone(after));
            lane.kinds.clear();
            let gone = lane.rules.switch(after);
            if is_over || !gone.is_empty() {
                all_gone.push((lane.reorder_s, gone, is_over));
            }
        }
        self.lanes.retain(|lane| book.ordered.iter().any(|(reorder_s, _)| *reorder_s == lane.reorder_s));
        for (reorder_s, book) in &book.ordered {
            if !self.lanes.iter().any(|lane| lane.reorder_s == *reorder_s) {
                self.lanes.push(Lane::new(*reorder_s, PartRules::new(Arc::clone(book))));
            }
        }
        if self.lanes.is_empty() {
            self.kept.clear();
        }
        all_gone
    }

    /// Which lanes wait for a record's turn, and which look at it as it comes.
    pub(crate) fn takers(&mut self, (domain, time, _): Turn, kind: u16) -> Takers {
        let mut takers = Takers::default();
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            if !lane.has_kind(kind) {
                continue;
            }
            let reached = lane.reached(domain);
            takers.is_late |= time < reached;
            if time > reached {
                takers.wait = true;
            } else {
                takers.now.push(number);
            }
        }
        takers
    }

    /// Keeps a record until its turn.
    pub(crate) fn keep(&mut self, turn: Turn, kept: Kept) {
        self.kept.insert(turn, kept);
    }

    /// The event time of the first record of a domain that waits.
    pub(crate) fn first(&self, domain: u8) -> Option<i64> {
        let turns = (domain, i64::MIN, At(0))..=(domain, i64::MAX, At(u64::MAX));
        self.kept.range(turns).next().map(|((_, time, _), _)| *time)
    }

    /// A lane by its number.
    pub(crate) fn lane(&mut self, number: usize) -> Option<&mut Lane> {
        self.lanes.get_mut(number)
    }

    /// A domain's time has come to `highest`, the clock of its rules to `clock`: `act` does what is due, lane by lane, in order.
    pub(crate) fn advance(&mut self, domain: u8, highest: i64, clock: i64, mut act: impl FnMut(&mut Lane, Due<'_>)) {
        for lane in &mut self.lanes {
            let to = highest.saturating_sub(i64::from(lane.reorder_s) * 1000);
            look(lane, (domain, to), &self.kept, &mut act);
            let clock = if highest == i64::MAX { clock } else { clock.min(to) };
            act(lane, Due::Holds(clock));
        }
        self.let_go(domain);
    }

    /// Lets all lanes look at a domain's records up to an event time before their turn.
    pub(crate) fn hurry(&mut self, domain: u8, to: i64, mut act: impl FnMut(&mut Lane, Due<'_>)) {
        for lane in &mut self.lanes {
            look(lane, (domain, to), &self.kept, &mut act);
        }
        self.let_go(domain);
    }

    /// A domain begins anew with its next record.
    pub(crate) fn end(&mut self, domain: u8) {
        self.lanes.iter_mut().for_each(|lane| lane.reached.retain(|(known, _)| *known != domain));
    }

    /// Forgets the records all lanes have looked at.
    fn let_go(&mut self, domain: u8) {
        let Some(reached) = self.lanes.iter().map(|lane| lane.reached(domain)).min() else { return };
        while let Some(first) = self.kept.range((domain, i64::MIN, At(0))..=(domain, reached, At(u64::MAX))).next() {
            let turn = *first.0;
            self.kept.remove(&turn);
        }
    }

    /// For saving, at the partition's highest append time; none when no rule asks for order.
    pub(crate) fn saved(&self, newest: i64) -> Option<OrderedForm> {
        let lanes = match self.lanes.as_slice() {
            [] => self.saved.clone(),
            lanes => lanes.iter().map(|lane| lane.form(newest)).collect(),
        };
        let kept = |(turn, kept): (&Turn, &Kept)| KeptForm {
            domain: turn.0,
            time: turn.1,
            at: turn.2.0,
            entity: kept.entity,
            position: kept.position.map(|position| (position.lon, position.lat, position.accuracy_m)),
            values: kept.values.iter().map(|(metric, value)| (*metric, value.0)).collect(),
            simulated: kept.simulated,
        };
        (!lanes.is_empty()).then(|| OrderedForm { lanes, kept: self.kept.iter().map(kept).collect() })
    }

    /// As it was saved, but for what was in force: that is told to [`Ordered::recall`].
    pub(crate) fn restored(form: OrderedForm, renumber: &Renumber) -> Self {
        let OrderedForm { mut lanes, kept } = form;
        for lane in &mut lanes {
            lane.timers.iter_mut().for_each(|timer| *timer = renumber.timer(*timer));
            lane.reached.iter_mut().for_each(|(domain, _)| *domain = renumber.domain(*domain));
        }
        let kept = kept.into_iter().map(|form| {
            let position = form.position.map(|(lon, lat, accuracy_m)| Position { lon, lat, accuracy_m });
            let values = form.values.into_iter().map(|(metric, value)| (metric, Fixed(value))).collect();
            let turn = (renumber.domain(form.domain), form.time, renumber.at(At(form.at)));
            (turn, Kept { entity: form.entity, position, values, simulated: form.simulated })
        });
        Self { lanes: Vec::new(), kept: kept.collect(), saved: lanes }
    }

    /// The lanes that were saved, with what was in force at that append time.
    pub(crate) fn recall(&mut self, book: &Book, newest: i64) {
        for form in std::mem::take(&mut self.saved) {
            let Some((_, book)) = book.ordered.iter().find(|(reorder_s, _)| *reorder_s == form.reorder_s) else {
                continue;
            };
            self.lanes.push(Lane::restored(form, Arc::clone(book), newest));
        }
    }
}

/// Lets a lane look at a domain's records up to an event time.
fn look(
    lane: &mut Lane,
    (domain, to): (u8, i64),
    kept: &BTreeMap<Turn, Kept>,
    act: &mut impl FnMut(&mut Lane, Due<'_>),
) {
    let reached = lane.reached(domain);
    if to <= reached {
        return;
    }
    for (turn, kept) in kept.range((domain, reached.saturating_add(1), At(0))..=(domain, to, At(u64::MAX))) {
        act(lane, Due::Record(*turn, kept));
    }
    lane.reach(domain, to);
}

impl EntityRules {
    /// What the rules of a lane remember of it.
    pub(crate) fn in_lane(&self, reorder_s: u32) -> Option<&Self> {
        let super::Phase::Ordered(lanes) = self.phase(super::ORDERED)? else { return None };
        lanes.iter().find(|(known, _)| *known == reorder_s).map(|(_, state)| state)
    }

    /// The same to be changed, if there is anything.
    pub(crate) fn in_lane_mut(&mut self, reorder_s: u32) -> Option<&mut Self> {
        self.lanes_mut()?.iter_mut().find(|(known, _)| *known == reorder_s).map(|(_, state)| state)
    }

    /// The same, made if need be.
    pub(crate) fn lane_state(&mut self, reorder_s: u32) -> Option<&mut Self> {
        if self.phase(super::ORDERED).is_none() {
            self.set(super::ORDERED, Some(super::Phase::Ordered(thin_vec::ThinVec::new())));
        }
        let lanes = self.lanes_mut()?;
        let place = lanes.iter().position(|(known, _)| *known == reorder_s).unwrap_or_else(|| {
            lanes.push((reorder_s, Self::default()));
            lanes.len() - 1
        });
        lanes.get_mut(place).map(|(_, state)| state)
    }

    /// Forgets what the rules of a lane remember.
    pub(crate) fn leave_lane(&mut self, reorder_s: u32) {
        let Some(lanes) = self.lanes_mut() else { return };
        lanes.retain(|(known, _)| *known != reorder_s);
        if lanes.is_empty() {
            self.set(super::ORDERED, None);
        }
    }

    fn lanes_mut(&mut self) -> Option<&mut thin_vec::ThinVec<(u32, Self)>> {
        let at = self.position(super::ORDERED)?;
        match &mut self.held.get_mut(at)?.phase {
            super::Phase::Ordered(lanes) => Some(lanes),
            _ => None,
        }
    }
}
