//! Proximity: two entities near each other. Both may move: whoever speaks is measured against those about where it is now.

use super::{
    About, Spot, Verdict, Verdicts, evidence,
    offences::{Offences, Turns},
    present::{Member, Present},
};
use crate::rules::{
    Phase,
    hold::{Hold, Sign},
};
use gridwarden_domain::alert::Subject;
use gridwarden_geo::{Near, distance_m};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Of which side of the rule an entity is: bits.
pub(crate) const SELECTED: u8 = 1;
pub(crate) const TO: u8 = 2;

/// Two entities, by id, in order.
pub(super) type Pair = (Arc<str>, Arc<str>);

/// What the rule asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Terms {
    pub(super) within_m: f64,
    pub(super) clear_m: f64,
    pub(super) within_ms: i64,
}

impl Terms {
    pub(crate) fn of(document: &gridwarden_domain::rule::together::Proximity) -> Self {
        Self {
            within_m: document.within_m,
            clear_m: document.clear_m.unwrap_or(document.within_m),
            within_ms: i64::from(document.within_s) * 1000,
        }
    }
}

/// Who is near whom.
#[derive(Debug)]
pub(crate) struct Proximity {
    terms: Terms,
    /// Kept: of which sides.
    present: Present<u8>,
    near: Near,
    offences: Offences<Pair>,
    /// Whom an offence of an entity is with.
    partners: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
}

impl Proximity {
    pub(super) fn new(terms: Terms, hold: Hold) -> Self {
        Self {
            terms,
            present: Present::new(terms.within_ms),
            near: Near::new(terms.clear_m),
            offences: Offences::new(hold),
            partners: BTreeMap::new(),
        }
    }

    /// An entity is here now, of these sides; of none: the rule does not look at it any more.
    pub(super) fn see(&mut self, source: &str, spot: Spot, sides: u8, (about, out): (&About<'_>, &mut Verdicts)) {
        let number = match self.present.number(source) {
            Some(number) => {
                if let Some(member) = self.present.get_mut(number) {
                    self.near.remove(number, member.spot.position);
                    (member.spot, member.kept) = (spot, sides);
                }
                number
            }
            None if sides == 0 => return,
            None => self.present.add(Member { source: source.into(), spot, kept: sides }),
        };
        if sides != 0 {
            self.near.insert(number, spot.position);
        }
        let Some(source) = self.present.get(number).map(|member| Arc::clone(&member.source)) else { return };
        let mut others: BTreeSet<Arc<str>> = self.partners.get(&source).cloned().unwrap_or_default();
        self.near.around(spot.position, |other| {
            if other != number
                && let Some(other) = self.present.get(other)
            {
                others.insert(Arc::clone(&other.source));
            }
        });
        for other in others {
            self.measure(pair(&source, &other), spot, (about, out));
        }
    }

    fn measure(&mut self, pair: Pair, cause: Spot, (about, out): (&About<'_>, &mut Verdicts)) {
        let [one, other] = [&pair.0, &pair.1].map(|source| {
            let member = self.present.number(source).and_then(|number| self.present.get(number))?;
            Some((member.spot.position, member.kept))
        });
        let (Some(one), Some(other)) = (one, other) else { return };
        let is_pair = (one.1 & SELECTED != 0 && other.1 & TO != 0) || (one.1 & TO != 0 && other.1 & SELECTED != 0);
        let apart_m = distance_m(one.0, other.0);
        let sign = Sign {
            offends: is_pair && apart_m <= self.terms.within_m,
            clears: !is_pair || apart_m > self.terms.clear_m,
            time: cause.time,
            at: cause.at,
        };
        self.tell(&pair, sign, cause, (about, out));
    }

    fn tell(&mut self, pair: &Pair, sign: Sign, cause: Spot, (about, out): (&About<'_>, &mut Verdicts)) {
        let turns = self.offences.tell(pair, (sign, about.rule.update_s), |first| about.id(&subject(pair), first));
        self.say(pair, cause, turns, out);
        self.join(pair, self.offences.has(pair));
    }

    fn join(&mut self, pair: &Pair, together: bool) {
        for (one, other) in [(&pair.0, &pair.1), (&pair.1, &pair.0)] {
            if together {
                self.partners.entry(Arc::clone(one)).or_default().insert(Arc::clone(other));
            } else if let Some(partners) = self.partners.get_mut(one) {
                partners.remove(other);
                if partners.is_empty() {
                    self.partners.remove(one);
                }
            }
        }
    }

    fn say(&self, pair: &Pair, cause: Spot, turns: Turns, out: &mut Verdicts) {
        for turn in turns {
            let spots = [&pair.0, &pair.1].into_iter().filter_map(|source| {
                let number = self.present.number(source)?;
                Some(self.present.get(number)?.spot.at)
            });
            let evidence = evidence(turn.transition, spots);
            out.push(Verdict { subject: subject(pair), turn, cause, value: None, evidence });
        }
    }

    /// When something may happen without anybody speaking.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.present.next_end().into_iter().chain(self.offences.next_due()).min()
    }

    /// Lets one such thing happen, the earliest.
    pub(super) fn fall_due(&mut self, moment: i64, (about, out): (&About<'_>, &mut Verdicts)) {
        if self.offences.next_due().is_some_and(|due| due <= moment) {
            let id = |pair: &Pair, first| about.id(&subject(pair), first);
            let Some((pair, turn)) = self.offences.fall_due(moment, id) else { return };
            self.join(&pair, self.offences.has(&pair));
            let Some(turn) = turn else { return };
            let spot = |source: &Arc<str>| Some(self.present.get(self.present.number(source)?)?.spot);
            let newest = [&pair.0, &pair.1].into_iter().filter_map(spot).max_by_key(Spot::order);
            if let Some(cause) = newest {
                self.say(&pair, cause, Turns::from_elem(turn, 1), out);
            }
        } else if let Some((end, number, member)) = self.present.take_ended(moment) {
            // Nobody is near whose place is not known any more.
            self.near.remove(number, member.spot.position);
            for other in self.partners.get(&member.source).cloned().unwrap_or_default() {
                let sign = Sign { offends: false, clears: true, time: end, at: member.spot.at };
                self.tell(&pair(&member.source, &other), sign, member.spot, (about, out));
            }
        }
    }

    /// Ends what is open.
    pub(super) fn end(&mut self, time: i64, cause: Spot, out: &mut Verdicts) {
        self.partners.clear();
        for (pair, turn) in self.offences.end(time) {
            self.say(&pair, cause, Turns::from_elem(turn, 1), out);
        }
    }

    /// For saving.
    pub(super) fn saved(&self) -> (impl Iterator<Item = &Member<u8>>, &Offences<Pair>) {
        (self.present.all(), &self.offences)
    }

    pub(super) fn restored(
        (terms, hold): (Terms, Hold),
        members: Vec<Member<u8>>,
        phases: BTreeMap<Pair, Phase>,
    ) -> Self {
        let mut proximity = Self::new(terms, hold.clone());
        phases.keys().for_each(|pair| proximity.join(pair, true));
        proximity.offences = Offences::restored(hold, phases.into_iter());
        for member in members {
            let (position, sides) = (member.spot.position, member.kept);
            let number = proximity.present.add(member);
            if sides != 0 {
                proximity.near.insert(number, position);
            }
        }
        proximity
    }

    pub(super) fn knows(&self, source: &str) -> bool {
        self.present.number(source).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.present.len()
    }
}

fn pair(one: &Arc<str>, other: &Arc<str>) -> Pair {
    if one <= other { (Arc::clone(one), Arc::clone(other)) } else { (Arc::clone(other), Arc::clone(one)) }
}

fn subject(pair: &Pair) -> Subject {
    Subject::Pair([pair.0.to_string(), pair.1.to_string()])
}
