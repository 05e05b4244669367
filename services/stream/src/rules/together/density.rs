//! Density: so many entities in one place at once.

use super::{
    About, Spot, Verdict, Verdicts, evidence,
    offences::{Offences, Turns},
    present::{Member, Present},
};
use crate::rules::hold::{Hold, Sign};
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rule's own shape, where areas have numbers.
pub(crate) const OWN: u32 = u32::MAX;

/// Where an entity is, of the places that are looked at.
pub(super) type Places = SmallVec<[u32; 1]>;

/// What the rule asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Terms {
    pub(super) at_least: usize,
    pub(super) clear_below: usize,
    pub(super) within_ms: i64,
}

impl Terms {
    pub(crate) fn of(document: &gridwarden_domain::rule::together::Density) -> Self {
        let at_least = document.at_least as usize;
        Self {
            at_least,
            clear_below: document.clear_below.map_or(at_least, |fewer| fewer as usize),
            within_ms: i64::from(document.within_s) * 1000,
        }
    }
}

/// Who is where.
#[derive(Debug)]
pub(crate) struct Density {
    terms: Terms,
    present: Present<Places>,
    /// By place, who is there.
    crowds: HashMap<u32, BTreeSet<u32>>,
    offences: Offences<u32>,
}

impl Density {
    pub(super) fn new(terms: Terms, hold: Hold) -> Self {
        Self { terms, present: Present::new(terms.within_ms), crowds: HashMap::new(), offences: Offences::new(hold) }
    }

    /// An entity is in these places now, and in no other.
    pub(super) fn see(&mut self, source: &str, spot: Spot, places: &[u32], (about, out): (&About<'_>, &mut Verdicts)) {
        let number = self.present.number(source);
        let before = match number.and_then(|number| self.present.get_mut(number)) {
            Some(member) => {
                member.spot = spot;
                std::mem::replace(&mut member.kept, places.into())
            }
            // Who is nowhere need not be remembered.
            None if places.is_empty() => return,
            None => Places::new(),
        };
        let number =
            number.unwrap_or_else(|| self.present.add(Member { source: source.into(), spot, kept: places.into() }));
        let left = before.iter().filter(|place| !places.contains(place));
        let come = places.iter().filter(|place| !before.contains(place));
        // In hours that begin a crowd is one though nobody moves.
        let looks = self.offences.has_hours();
        let stays = places.iter().filter(|place| looks && before.contains(place));
        let mut touched: SmallVec<[u32; 2]> = left.chain(come).chain(stays).copied().collect();
        touched.sort_unstable();
        for place in touched {
            self.note(place, number, places.contains(&place));
            self.judge(place, (spot, spot.time, about.rule.update_s), (about, out));
        }
    }

    fn note(&mut self, place: u32, number: u32, is_there: bool) {
        if is_there {
            self.crowds.entry(place).or_default().insert(number);
        } else if let Some(crowd) = self.crowds.get_mut(&place) {
            crowd.remove(&number);
            if crowd.is_empty() {
                self.crowds.remove(&place);
            }
        }
    }

    /// What a crowd is at a moment, as a record shows; told anew every `update_s`.
    fn judge(
        &mut self,
        place: u32,
        (cause, time, update_s): (Spot, i64, u32),
        (about, out): (&About<'_>, &mut Verdicts),
    ) {
        let count = self.count(place);
        let sign =
            Sign { offends: count >= self.terms.at_least, clears: count < self.terms.clear_below, time, at: cause.at };
        let turns = self.offences.tell(&place, (sign, update_s), |first| about.id(&about.place(place), first));
        self.say(place, cause, turns, (about, out));
    }

    fn say(&self, place: u32, cause: Spot, turns: Turns, (about, out): (&About<'_>, &mut Verdicts)) {
        for turn in turns {
            let spots = self.crowds.get(&place).into_iter().flatten().filter_map(|number| self.present.get(*number));
            out.push(Verdict {
                subject: about.place(place),
                turn,
                cause,
                value: Some(self.count(place) as f64),
                evidence: evidence(turn.transition, spots.map(|member| member.spot.at)),
            });
        }
    }

    fn count(&self, place: u32) -> usize {
        self.crowds.get(&place).map_or(0, BTreeSet::len)
    }

    /// When something may happen without anybody speaking.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.present.next_end().into_iter().chain(self.offences.next_due()).min()
    }

    /// Lets one such thing happen, the earliest.
    pub(super) fn fall_due(&mut self, moment: i64, (about, out): (&About<'_>, &mut Verdicts)) {
        // Who was there until a hold was due was there long enough.
        if self.offences.next_due().is_some_and(|due| due <= moment) {
            let id = |place: &u32, first| about.id(&about.place(*place), first);
            let Some((place, Some(turn))) = self.offences.fall_due(moment, id) else { return };
            let crowd = self.crowds.get(&place).into_iter().flatten();
            let newest =
                crowd.filter_map(|number| self.present.get(*number)).map(|member| member.spot).max_by_key(Spot::order);
            if let Some(cause) = newest {
                self.say(place, cause, Turns::from_elem(turn, 1), (about, out));
            }
        } else if let Some((end, number, member)) = self.present.take_ended(moment) {
            for place in member.kept {
                self.note(place, number, false);
                // Nobody came: there is no record to tell it with.
                self.judge(place, (member.spot, end, 0), (about, out));
            }
        }
    }

    /// Ends what is open.
    pub(super) fn end(&mut self, time: i64, cause: Spot, (about, out): (&About<'_>, &mut Verdicts)) {
        for (place, turn) in self.offences.end(time) {
            self.say(place, cause, Turns::from_elem(turn, 1), (about, out));
        }
    }

    /// Who is there, for saving.
    pub(super) fn saved(&self) -> (impl Iterator<Item = &Member<Places>>, &Offences<u32>) {
        (self.present.all(), &self.offences)
    }

    pub(super) fn restored(
        (terms, hold): (Terms, Hold),
        members: Vec<Member<Places>>,
        phases: BTreeMap<u32, crate::rules::Phase>,
    ) -> Self {
        let mut density =
            Self { offences: Offences::restored(hold.clone(), phases.into_iter()), ..Self::new(terms, hold) };
        for member in members {
            let places = member.kept.clone();
            let number = density.present.add(member);
            places.iter().for_each(|place| density.note(*place, number, true));
        }
        density
    }

    /// Sources that are somewhere. Who left is remembered for a while, and is not followed.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Arc<str>> {
        self.present.all().filter(|member| is_somewhere(member)).map(|member| &member.source)
    }

    /// Whether it is one of them.
    pub(super) fn knows(&self, source: &str) -> bool {
        self.present.number(source).and_then(|number| self.present.get(number)).is_some_and(is_somewhere)
    }

    pub(super) fn len(&self) -> usize {
        self.present.len()
    }
}

fn is_somewhere(member: &Member<Places>) -> bool {
    !member.kept.is_empty()
}
