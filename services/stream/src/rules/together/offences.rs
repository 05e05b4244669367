//! Offences by what they are about: begun, held, raised, over, with the moments at which holds become due.

use crate::{
    rules::{
        Phase,
        change::Open,
        hold::{self, Hold, Sign, Step},
    },
    windows::At,
};
use gridwarden_domain::alert::Transition;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

/// A transition of an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turn {
    /// What became of it.
    pub(crate) transition: Transition,
    /// The alert, after it.
    pub(crate) open: Open,
    /// Event time.
    pub(crate) time: i64,
}

/// What one step leads to.
pub(super) type Turns = SmallVec<[Turn; 2]>;

/// All offences of a rule.
#[derive(Debug)]
pub(super) struct Offences<K> {
    hold: Hold,
    phases: BTreeMap<K, Phase>,
    /// What happens by itself, by when.
    dues: BTreeSet<(i64, K)>,
}

impl<K: Ord + Clone> Offences<K> {
    pub(super) fn new(hold: Hold) -> Self {
        Self { hold, phases: BTreeMap::new(), dues: BTreeSet::new() }
    }

    /// As they were saved.
    pub(super) fn restored(hold: Hold, phases: impl Iterator<Item = (K, Phase)>) -> Self {
        let mut offences = Self::new(hold);
        phases.for_each(|(key, phase)| offences.set(&key, Some(phase)));
        offences
    }

    pub(super) fn phases(&self) -> impl Iterator<Item = (&K, &Phase)> {
        self.phases.iter()
    }

    /// Whether the rule looks in certain hours only.
    pub(super) fn has_hours(&self) -> bool {
        self.hold.hours.is_some()
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.phases.contains_key(key)
    }

    /// What a record says of one; `id` of an alert by the record it began with. Before it, what was over with the rule's hours: a moment
    /// may be the end of a period and that of a record.
    /// An open alert is told anew every `update_s`.
    pub(super) fn tell(&mut self, key: &K, (sign, update_s): (Sign, u32), id: impl Fn(At) -> u128) -> Turns {
        let mut turns = Turns::new();
        if let Some((end, step)) = self.phases.get(key).and_then(|phase| self.hold.over(phase, sign.time)) {
            self.act(key, step, (end, sign.at, 0), &id, &mut turns);
        }
        if self.hold.looks_at(sign.time) {
            let step = hold::step((self.hold.ms, update_s), self.phases.get(key), sign);
            self.act(key, step, (sign.time, sign.at, update_s), &id, &mut turns);
        }
        turns
    }

    fn act(
        &mut self,
        key: &K,
        step: Step,
        (time, at, update_s): (i64, At, u32),
        id: impl Fn(At) -> u128,
        turns: &mut Turns,
    ) {
        let phase = match step {
            Step::Stay => return,
            Step::Hold => Some(Phase::Pending { since: time, first: at }),
            Step::Drop => None,
            Step::Raise { time: raised_at, first, and_clear } => {
                let open = Open::raised(id(first), raised_at);
                turns.push(Turn { transition: Transition::Raised, open, time: raised_at });
                if and_clear {
                    turns.push(cleared(open, time));
                }
                // A record that shows it to have been raised long ago tells it anew.
                let told = open.updated(time, update_s).filter(|_| !and_clear);
                turns.extend(told.map(|open| Turn { transition: Transition::Updated, open, time }));
                (!and_clear).then_some(Phase::Open(told.unwrap_or(open)))
            }
            Step::Update(open) => {
                turns.push(Turn { transition: Transition::Updated, open, time });
                Some(Phase::Open(open))
            }
            Step::Clear(open) => {
                turns.push(cleared(open, time));
                None
            }
        };
        self.set(key, phase);
    }

    /// When the next thing happens by itself.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.dues.first().map(|(due, _)| *due)
    }

    /// Lets the first happen that is due by a moment: what became of whom, if anything is to be said of it.
    pub(super) fn fall_due(&mut self, time: i64, id: impl FnOnce(&K, At) -> u128) -> Option<(K, Option<Turn>)> {
        let (_, key) = self.dues.first().filter(|(due, _)| *due <= time)?.clone();
        let (due, step) = self.hold.falls(self.phases.get(&key)?)?;
        let (phase, turn) = match step {
            Step::Raise { first, .. } => {
                let open = Open::raised(id(&key, first), due);
                (Some(Phase::Open(open)), Some(Turn { transition: Transition::Raised, open, time: due }))
            }
            Step::Clear(open) => (None, Some(cleared(open, due))),
            Step::Drop | Step::Stay | Step::Hold | Step::Update(_) => (None, None),
        };
        self.set(&key, phase);
        Some((key, turn))
    }

    /// Ends all of them.
    pub(super) fn end(&mut self, time: i64) -> Vec<(K, Turn)> {
        self.dues.clear();
        let open = |(key, phase)| match phase {
            Phase::Open(open) => Some((key, cleared(open, time))),
            _ => None,
        };
        std::mem::take(&mut self.phases).into_iter().filter_map(open).collect()
    }

    fn set(&mut self, key: &K, phase: Option<Phase>) {
        let due = |phase: &Phase| self.hold.falls(phase).map(|(due, _)| due);
        if let Some(due) = self.phases.get(key).and_then(due) {
            self.dues.remove(&(due, key.clone()));
        }
        if let Some(due) = phase.as_ref().and_then(due) {
            self.dues.insert((due, key.clone()));
        }
        match phase {
            Some(phase) => drop(self.phases.insert(key.clone(), phase)),
            None => drop(self.phases.remove(key)),
        }
    }
}

/// The end of an alert, never before its beginning.
pub(super) fn cleared(open: Open, time: i64) -> Turn {
    let open = Open { seq: open.seq + 1, ..open };
    Turn { transition: Transition::Cleared, open, time: time.max(open.raised_at) }
}
