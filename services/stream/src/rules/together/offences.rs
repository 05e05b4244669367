//! Offences by what they are about: begun, held, raised, over, with the moments at which holds become due.

use crate::{
    rules::{
        Phase,
        change::Open,
        hold::{self, Sign, Step},
    },
    windows::At,
};
use gridwarden_domain::alert::Transition;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

/// A transition of an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turn {
    /// Raised or cleared.
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
    hold_ms: i64,
    phases: BTreeMap<K, Phase>,
    /// Holds by when they are due.
    dues: BTreeSet<(i64, K)>,
}

impl<K: Ord + Clone> Offences<K> {
    pub(super) fn new(hold_ms: i64) -> Self {
        Self { hold_ms, phases: BTreeMap::new(), dues: BTreeSet::new() }
    }

    /// As they were saved.
    pub(super) fn restored(hold_ms: i64, phases: impl Iterator<Item = (K, Phase)>) -> Self {
        let mut offences = Self::new(hold_ms);
        phases.for_each(|(key, phase)| offences.set(&key, Some(phase)));
        offences
    }

    pub(super) fn phases(&self) -> impl Iterator<Item = (&K, &Phase)> {
        self.phases.iter()
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.phases.contains_key(key)
    }

    /// What a record says of one; `id` of an alert by the record it began with.
    pub(super) fn tell(&mut self, key: &K, sign: Sign, id: impl FnOnce(At) -> u128) -> Turns {
        let mut turns = Turns::new();
        match hold::step(self.hold_ms, self.phases.get(key), sign) {
            Step::Stay => {}
            Step::Hold { .. } => self.set(key, Some(Phase::Pending { since: sign.time, first: sign.at })),
            Step::Drop => self.set(key, None),
            Step::Raise { time, first, and_clear } => {
                let open = Open { id: id(first), seq: 1, raised_at: time };
                turns.push(Turn { transition: Transition::Raised, open, time });
                if and_clear {
                    turns.push(cleared(open, sign.time));
                }
                self.set(key, (!and_clear).then_some(Phase::Open(open)));
            }
            Step::Clear(open) => {
                self.set(key, None);
                turns.push(cleared(open, sign.time));
            }
        }
        turns
    }

    /// When the next hold is due.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.dues.first().map(|(due, _)| *due)
    }

    /// Raises the first that is due by a moment.
    pub(super) fn fall_due(&mut self, time: i64, id: impl FnOnce(&K, At) -> u128) -> Option<(K, Turn)> {
        let (due, key) = self.dues.first().filter(|(due, _)| *due <= time)?.clone();
        let Some(Phase::Pending { first, .. }) = self.phases.get(&key) else { return None };
        let open = Open { id: id(&key, *first), seq: 1, raised_at: due };
        self.set(&key, Some(Phase::Open(open)));
        Some((key, Turn { transition: Transition::Raised, open, time: due }))
    }

    /// Ends all of them.
    pub(super) fn end(&mut self, time: i64) -> Vec<(K, Turn)> {
        self.dues.clear();
        let open = |(key, phase)| match phase {
            Phase::Open(open) => Some((key, cleared(open, time))),
            Phase::Pending { .. } => None,
        };
        std::mem::take(&mut self.phases).into_iter().filter_map(open).collect()
    }

    fn set(&mut self, key: &K, phase: Option<Phase>) {
        if let Some(Phase::Pending { since, .. }) = self.phases.get(key) {
            self.dues.remove(&(since.saturating_add(self.hold_ms), key.clone()));
        }
        if let Some(Phase::Pending { since, .. }) = &phase {
            self.dues.insert((since.saturating_add(self.hold_ms), key.clone()));
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
