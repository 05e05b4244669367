//! What waits in one watermark domain, and the rules it is shown to.

use super::{
    InForce, Sighting,
    lens::{Key, Lens, Seen},
    say,
};
use crate::{
    checkpoint::Renumber,
    intern::AreaName,
    rules::{
        Body, Book, Ready,
        together::{About, Saved, SavedState, Sight, Spot, State, Verdicts},
    },
    shared::Shared,
    windows::{At, LIVE},
};
use gridwarden_domain::{
    alert::{Alert, AreaRef},
    rule::Rule,
};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a line works with.
pub(super) struct Ground<'g> {
    pub(super) shared: &'g Shared,
    pub(super) in_force: &'g InForce,
    /// Which worker of how many.
    pub(super) seat: (usize, usize),
    pub(super) domain: u8,
}

impl Ground<'_> {
    /// Whether rules of a shard are decided here.
    pub(super) fn owns(&self, shard: u16) -> bool {
        usize::from(shard) % self.seat.1 == self.seat.0
    }
}

/// A rule and what it remembers.
struct One {
    rule: Arc<Rule>,
    shard: u16,
    state: State,
    since: i64,
    last: Spot,
    /// When something may happen though nobody speaks, as it stands in [`Line::dues`].
    due: Option<i64>,
}

/// What waits in a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// Watermark domain.
    pub(crate) domain: u8,
    /// Everything before was shown to the rules.
    pub(crate) reached: i64,
    /// In order.
    pub(crate) sightings: Vec<Sighting>,
}

impl Waiting {
    pub(super) fn renumbered(&self, renumber: &Renumber) -> Self {
        let domain = renumber.domain(self.domain);
        let sighting = |sighting: &Sighting| {
            let spot = Spot { at: renumber.at(sighting.spot.at), ..sighting.spot };
            Sighting { spot, domain, ..sighting.clone() }
        };
        Self { domain, reached: self.reached, sightings: self.sightings.iter().map(sighting).collect() }
    }
}

/// One watermark domain.
pub(super) struct Line {
    waiting: BTreeMap<(i64, At), Sighting>,
    /// Everything before was shown to the rules.
    reached: i64,
    rules: BTreeMap<Key, One>,
    dues: BTreeSet<(i64, Key)>,
    /// Densities that may know an entity.
    whereabouts: HashMap<Box<str>, SmallVec<[Key; 2]>>,
    /// So many entities may be in [`Line::whereabouts`] before it is gone through.
    most: usize,
    /// As it was saved, by shard, until it is known what was in force.
    saved: Vec<(u16, Saved)>,
    /// The last moment at which rules changed, and those in force since.
    looked: i64,
    in_force: Option<Arc<Book>>,
}

/// So few entities need not be gone through.
const FEW: usize = 4_096;

impl Default for Line {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            reached: i64::MIN,
            rules: BTreeMap::new(),
            dues: BTreeSet::new(),
            whereabouts: HashMap::new(),
            most: FEW,
            saved: Vec::new(),
            looked: i64::MIN,
            in_force: None,
        }
    }
}

impl Line {
    pub(super) fn take(&mut self, sighting: Sighting) -> bool {
        let in_time = sighting.spot.time >= self.reached;
        if in_time {
            self.waiting.insert((sighting.spot.time, sighting.spot.at), sighting);
        }
        in_time
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.rules.is_empty() && self.saved.is_empty()
    }

    /// Shows everything before the watermark to the rules.
    pub(super) fn advance(&mut self, watermark: i64, ground: &Ground<'_>, lens: &mut Lens, out: &mut Vec<Alert>) {
        self.put_back(ground, lens);
        if watermark < self.reached {
            // A feed of the past has begun anew.
            self.reached = watermark;
            return;
        }
        if ground.domain != LIVE {
            self.run(watermark, ground, lens, out);
            return;
        }
        // Rules change in between: first what is before, then what they had open ends.
        let timeline = &ground.in_force.timeline;
        let target = watermark.min(ground.in_force.known_until);
        while self.reached < target {
            let change = timeline.next_change_after(self.looked).filter(|change| *change <= target);
            if !self.run(change.unwrap_or(target).max(self.reached), ground, lens, out) {
                return;
            }
            if let Some(change) = change {
                self.change(change, ground, lens, out);
                self.looked = change;
            }
        }
    }

    /// Shows everything before a moment to the rules; false when it is not known what is in force for all of it.
    fn run(&mut self, until: i64, ground: &Ground<'_>, lens: &mut Lens, out: &mut Vec<Alert>) -> bool {
        loop {
            let next = self.waiting.first_key_value().map(|((time, _), _)| *time).filter(|time| *time < until);
            let due = self.dues.first().copied().filter(|(due, _)| *due < until);
            match (due, next) {
                (Some((due, key)), next) if next.is_none_or(|next| due < next) => {
                    self.fall_due((due, key), ground, lens, out);
                }
                (_, Some(next)) => {
                    let known = self.waiting.first_key_value().map_or(i64::MIN, |(_, sighting)| sighting.known);
                    if known > ground.in_force.known_until {
                        self.reached = self.reached.max(next);
                        return false;
                    }
                    if let Some((_, sighting)) = self.waiting.pop_first() {
                        self.show(&sighting, ground, lens, out);
                    }
                }
                _ => break,
            }
        }
        self.reached = self.reached.max(until);
        true
    }

    fn show(&mut self, sighting: &Sighting, ground: &Ground<'_>, lens: &mut Lens, out: &mut Vec<Alert>) {
        let known = self.whereabouts.get(&sighting.source).cloned().unwrap_or_default();
        let mut shown: SmallVec<[(Key, Seen); 4]> = SmallVec::new();
        lens.look(sighting, &known, ground, |key, ready, seen| {
            if self.meet(key, ready, sighting, &seen) {
                shown.push((key, seen));
            }
        });
        for (key, seen) in shown {
            let sight = match &seen {
                Seen::Places(places) => {
                    self.note_place(&sighting.source, key, !places.is_empty());
                    Sight::Places(places)
                }
                Seen::Sides(sides) => Sight::Sides(*sides),
                Seen::Event => Sight::Event,
                Seen::Value(places, value) => Sight::Value(places, *value),
            };
            self.ask((key, ground), lens, out, |one, way| {
                one.last = sighting.spot;
                one.state.see(&sighting.source, sighting.spot, sight, way);
            });
        }
    }

    /// Whether a rule has to be shown this; one that sees something for the first time begins to remember.
    fn meet(&mut self, key: Key, ready: &Ready, sighting: &Sighting, seen: &Seen) -> bool {
        let is_there = match seen {
            Seen::Places(places) => !places.is_empty(),
            Seen::Sides(sides) => *sides != 0,
            Seen::Event | Seen::Value(..) => true,
        };
        if let Some(one) = self.rules.get(&key) {
            return is_there || one.state.knows(&sighting.source);
        }
        let (Body::Together(gathering), Some(state)) = (&ready.body, State::of(&ready.rule, &ready.hold)) else {
            return false;
        };
        // A rule that went does not begin anew with what was appended before it did.
        let begins = sighting.known >= self.looked || self.in_force.as_ref().is_none_or(|book| holds(book, key));
        if is_there && begins {
            let (rule, shard) = (Arc::clone(&ready.rule), gathering.shard);
            let one = One { rule, shard, state, since: sighting.known, last: sighting.spot, due: None };
            self.rules.insert(key, one);
        }
        is_there && begins
    }

    /// Who was in a place must be followed out of it.
    fn note_place(&mut self, source: &str, key: Key, is_there: bool) {
        match (self.whereabouts.get_mut(source), is_there) {
            (Some(keys), true) if !keys.contains(&key) => keys.push(key),
            (Some(keys), false) => {
                keys.retain(|known| *known != key);
                if keys.is_empty() {
                    self.whereabouts.remove(source);
                }
            }
            (Some(_), true) | (None, false) => {}
            (None, true) => {
                self.whereabouts.insert(source.into(), SmallVec::from_elem(key, 1));
                if self.whereabouts.len() > self.most {
                    self.thin_out();
                }
            }
        }
    }

    /// Forgets who fell silent.
    #[cold]
    fn thin_out(&mut self) {
        let rules = &self.rules;
        self.whereabouts.retain(|source, keys| {
            keys.retain(|key| rules.get(key).is_some_and(|one| one.state.knows(source)));
            !keys.is_empty()
        });
        self.most = FEW.max(self.whereabouts.len() * 2);
    }

    fn fall_due(&mut self, (due, key): (i64, Key), ground: &Ground<'_>, lens: &mut Lens, out: &mut Vec<Alert>) {
        self.ask((key, ground), lens, out, |one, way| one.state.fall_due(due, way));
        // Who remembers nothing any more begins anew.
        if self.rules.get(&key).is_some_and(|one| one.due.is_none() && one.state.len() == 0) {
            self.rules.remove(&key);
        }
    }

    /// Asks a rule something, says what comes of it, and notes when it is due next.
    fn ask(
        &mut self,
        (key, ground): (Key, &Ground<'_>),
        lens: &mut Lens,
        out: &mut Vec<Alert>,
        what: impl FnOnce(&mut One, (&About<'_>, &mut Verdicts)),
    ) {
        let Some(one) = self.rules.get_mut(&key) else { return };
        let rule = Arc::clone(&one.rule);
        let identity = |at: At| ground.shared.world.identity(at.part(), at.offset());
        let area = |number: u32| {
            let found = ground.shared.lore.views.names.with(|names| names.get(number as usize).map(AreaName::area_ref));
            found.unwrap_or_else(|| AreaRef { layer: String::new(), code: String::new() })
        };
        let about = About { rule: &rule, identity: &identity, area: &area };
        let mut verdicts = Verdicts::new();
        what(one, (&about, &mut verdicts));
        let due = one.state.next_due();
        if due != one.due {
            if let Some(due) = one.due {
                self.dues.remove(&(due, key));
            }
            self.dues.extend(due.map(|due| (due, key)));
            one.due = due;
        }
        out.extend(verdicts.into_iter().map(|verdict| say::alert(verdict, &rule, ground, lens)));
    }

    /// At a moment from which other rules are in force: those that went end what they had open, those that stay may have
    /// another title (`TOG-4`).
    fn change(&mut self, moment: i64, ground: &Ground<'_>, lens: &mut Lens, out: &mut Vec<Alert>) {
        let (_, book) = lens.at((moment, moment), ground);
        let keys: Vec<Key> = self.rules.iter().filter(|(_, one)| one.since < moment).map(|(key, _)| *key).collect();
        for key in keys {
            let ready = book.rule(key.0).filter(|_| holds(&book, key));
            match (ready, self.rules.get_mut(&key)) {
                (Some(ready), Some(one)) => one.rule = Arc::clone(&ready.rule),
                (None, Some(_)) => {
                    self.ask((key, ground), lens, out, |one, way| one.state.end(moment, one.last, way));
                    if let Some(due) = self.rules.remove(&key).and_then(|one| one.due) {
                        self.dues.remove(&(due, key));
                    }
                }
                (_, None) => {}
            }
        }
        self.in_force = Some(book);
    }

    /// For a checkpoint: rules, with their shards.
    pub(super) fn saved(&self, domain: u8) -> Vec<(u16, Saved)> {
        let form = |(key, one): (&Key, &One)| {
            let (state, last) = (SavedState::of(&one.state), one.last);
            (one.shard, Saved { domain, slot: key.0, sense: key.1, since: one.since, last, state })
        };
        self.rules.iter().map(form).chain(self.saved.iter().cloned()).collect()
    }

    /// For a checkpoint: what waits.
    pub(super) fn waiting(&self, domain: u8) -> Waiting {
        Waiting { domain, reached: self.reached, sightings: self.waiting.values().cloned().collect() }
    }

    pub(super) fn restore(&mut self, shard: u16, saved: Saved) {
        self.saved.push((shard, saved));
    }

    pub(super) fn restore_waiting(&mut self, waiting: Waiting) {
        // Another worker's may have come farther: nobody was ahead of the lowest watermark.
        self.reached = self.reached.max(waiting.reached);
        let sightings =
            waiting.sightings.into_iter().map(|sighting| ((sighting.spot.time, sighting.spot.at), sighting));
        self.waiting.extend(sightings);
    }

    /// Rules go on where they were, once it is known what was in force.
    fn put_back(&mut self, ground: &Ground<'_>, lens: &mut Lens) {
        if self.saved.iter().any(|(_, saved)| saved.since > ground.in_force.known_until) {
            return;
        }
        for (shard, saved) in std::mem::take(&mut self.saved) {
            let (_, book) = lens.at((saved.since, saved.since), ground);
            let key = (saved.slot, saved.sense);
            let ready = book.rule(saved.slot).filter(|_| holds(&book, key));
            let restored = ready.and_then(|ready| Some((ready, saved.state.restore(&ready.rule, &ready.hold)?)));
            let Some((ready, state)) = restored else {
                // Its open alerts are in no state any more, and retracted (`ALR-3`).
                tracing::warn!(
                    slot = saved.slot,
                    "a rule over several entities is not what it was, its state is dropped"
                );
                continue;
            };
            for source in state.sources() {
                self.whereabouts.entry(Box::from(&**source)).or_default().push(key);
            }
            let due = state.next_due();
            self.dues.extend(due.map(|due| (due, key)));
            let rule = Arc::clone(&ready.rule);
            self.rules.insert(key, One { rule, shard, state, since: saved.since, last: saved.last, due });
        }
    }
}

/// Whether a rule is in a book, and asks for the same.
fn holds(book: &Book, (slot, sense): Key) -> bool {
    book.rule(slot).is_some_and(|ready| matches!(&ready.body, Body::Together(gathering) if gathering.sense == sense))
}
