//! What may be done with claims and manifests: pure, facts in, a decision with its reason out.
//!
//! * `CKP-1` a process goes on from the newest checkpoint that counts. One counts when its generation's process wrote it
//!   before the next was claimed on top of it: what a claim names as its base, and what leads there; later ones of that older
//!   generation do not, whoever wrote them, however late.
//! * `CKP-2` a damaged checkpoint is refused with words, and the one before it used.
//! * `CKP-3` only the newest claimant removes anything, and never one of the last [`KEPT`] that count.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Checkpoints kept.
pub(crate) const KEPT: usize = 3;

/// A checkpoint: who wrote it, and its number. Numbers go on rising from generation to generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The generation of the process that wrote it.
    pub(crate) generation: u32,
    /// Its number.
    pub(crate) number: u32,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of generation {}", self.number, self.generation)
    }
}

/// Claims and manifests as they lie there.
#[derive(Clone, Default, PartialEq, Eq, Debug, Hash)]
pub(crate) struct Facts {
    /// By generation: the base it was claimed on.
    pub(crate) claims: BTreeMap<u32, Option<Mark>>,
    /// Manifests, rising.
    pub(crate) manifests: Vec<Mark>,
    /// The highest generation heard of elsewhere: who begins without any claim must be above it.
    pub(crate) floor: u32,
}

/// Whether a checkpoint can be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Health {
    /// Everything it names is there as it was written.
    Whole,
    /// Something is not, in words.
    Damaged(String),
}

/// Why a process begins where it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// There was never a checkpoint.
    First,
    /// It is the newest that counts.
    Newest,
    /// Those after it are damaged, each in words.
    Damaged(Vec<(Mark, String)>),
}

/// Where to begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Start {
    /// The generation to claim.
    pub(crate) generation: u32,
    /// The checkpoint to go on from; none: from the log's beginning.
    pub(crate) base: Option<Mark>,
    /// Why that one.
    pub(crate) why: Why,
}

/// What to do next on the way to a start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Read this one and say how it is.
    Look(Mark),
    /// Claim and begin.
    Begin(Start),
}

impl Facts {
    /// The newest claim.
    pub(crate) fn newest_claim(&self) -> Option<u32> {
        self.claims.last_key_value().map(|(generation, _)| *generation)
    }

    /// The newest claim, if it is later than that of the process of `generation`: then that one is over.
    pub(crate) fn taken_over(&self, generation: u32) -> Option<u32> {
        self.newest_claim().filter(|newest| *newest > generation)
    }

    /// The checkpoints that count, newest first (`CKP-1`).
    pub(crate) fn counting(&self) -> Vec<Mark> {
        let mut counting = Vec::new();
        let mut next = self.newest_claim().map(|generation| (generation, u32::MAX));
        while let Some((generation, newest)) = next {
            let own = self.manifests.iter().filter(|mark| mark.generation == generation && mark.number <= newest);
            counting.extend(own.rev().copied());
            let base = self.claims.get(&generation).copied().flatten();
            // A base is older than the claim on it: whatever else stands there must not lead in a circle.
            next = base.filter(|base| base.generation < generation).map(|base| (base.generation, base.number));
        }
        counting
    }

    /// Where a process begins, given what was found so far of those it was asked to look at (`CKP-1`, `CKP-2`).
    pub(crate) fn start(&self, found: &BTreeMap<Mark, Health>) -> Step {
        let generation = self.newest_claim().unwrap_or(self.floor) + 1;
        let mut damaged = Vec::new();
        for mark in self.counting() {
            match found.get(&mark) {
                None => return Step::Look(mark),
                Some(Health::Whole) => {
                    let why = if damaged.is_empty() { Why::Newest } else { Why::Damaged(damaged) };
                    return Step::Begin(Start { generation, base: Some(mark), why });
                }
                Some(Health::Damaged(words)) => damaged.push((mark, words.clone())),
            }
        }
        let why = if damaged.is_empty() { Why::First } else { Why::Damaged(damaged) };
        Step::Begin(Start { generation, base: None, why })
    }

    /// What the process of `generation` may remove now (`CKP-3`).
    pub(crate) fn prune(&self, generation: u32) -> Prune {
        if let Some(newest) = self.taken_over(generation) {
            return Prune::TakenOver(newest);
        }
        let counting = self.counting();
        let kept: Vec<Mark> = counting.into_iter().take(KEPT).collect();
        let Some((newest, oldest)) = kept.first().zip(kept.last()) else { return Prune::Nothing };
        // What is newer than all that counts may be this process's next one, half written.
        let goes = |mark: &&Mark| **mark < *newest && !kept.contains(*mark);
        let manifests = self.manifests.iter().filter(goes).copied().collect();
        let claims = self.claims.keys().filter(|claimed| **claimed < oldest.generation).copied().collect();
        Prune::Older { manifests, claims, kept }
    }
}

/// What may be removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Prune {
    /// Another process has claimed a later generation: this one is over.
    TakenOver(u32),
    /// There is no checkpoint yet.
    Nothing,
    /// What is not needed to go on.
    Older {
        /// Manifests.
        manifests: Vec<Mark>,
        /// Claims nothing leads through any more.
        claims: Vec<u32>,
        /// The checkpoints that stay.
        kept: Vec<Mark>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(generation: u32, number: u32) -> Mark {
        Mark { generation, number }
    }

    fn facts(claims: &[(u32, Option<(u32, u32)>)], manifests: &[(u32, u32)]) -> Facts {
        let base = |(generation, base): &(u32, Option<(u32, u32)>)| (*generation, base.map(|(g, n)| mark(g, n)));
        let manifests = manifests.iter().map(|(generation, number)| mark(*generation, *number)).collect();
        Facts { claims: claims.iter().map(base).collect(), manifests, floor: 0 }
    }

    fn start(facts: &Facts, damaged: &[(u32, u32)]) -> Start {
        let mut found = BTreeMap::new();
        loop {
            match facts.start(&found) {
                Step::Begin(start) => return start,
                Step::Look(mark) => {
                    let bad = damaged.contains(&(mark.generation, mark.number));
                    let health = if bad { Health::Damaged("torn".to_owned()) } else { Health::Whole };
                    assert_eq!(found.insert(mark, health), None, "asked once");
                }
            }
        }
    }

    #[test]
    fn the_first_process_begins_at_the_beginning() {
        assert_eq!(start(&Facts::default(), &[]), Start { generation: 1, base: None, why: Why::First });
        // One that claimed and wrote nothing changes nothing.
        assert_eq!(start(&facts(&[(1, None)], &[]), &[]), Start { generation: 2, base: None, why: Why::First });
    }

    #[test]
    fn who_begins_without_claims_is_above_all_that_was_heard_of() {
        let found = Facts { floor: 6, ..Facts::default() };
        assert_eq!(start(&found, &[]).generation, 7);
        assert_eq!(start(&Facts { floor: 6, ..facts(&[(9, None)], &[]) }, &[]).generation, 10);
    }

    #[test]
    fn the_newest_of_the_last_claimant_counts() {
        let found = facts(&[(1, None), (2, Some((1, 3)))], &[(1, 1), (1, 2), (1, 3), (2, 4), (2, 5)]);
        assert_eq!(start(&found, &[]), Start { generation: 3, base: Some(mark(2, 5)), why: Why::Newest });
    }

    #[test]
    fn what_an_old_process_writes_after_it_was_replaced_does_not_count() {
        // Generation 1 went on to 4 and 5 after generation 2 had been claimed on 3.
        let found = facts(&[(1, None), (2, Some((1, 3)))], &[(1, 2), (1, 3), (1, 4), (1, 5)]);
        assert_eq!(start(&found, &[]).base, Some(mark(1, 3)));
        assert_eq!(found.counting(), [mark(1, 3), mark(1, 2)]);
    }

    #[test]
    fn a_claimant_that_wrote_nothing_hands_its_base_on() {
        let found = facts(&[(1, None), (2, Some((1, 3))), (3, Some((1, 3)))], &[(1, 3), (1, 4)]);
        assert_eq!(start(&found, &[]), Start { generation: 4, base: Some(mark(1, 3)), why: Why::Newest });
    }

    #[test]
    fn a_damaged_one_is_refused_and_the_one_before_it_used() {
        let found = facts(&[(1, None), (2, Some((1, 3)))], &[(1, 2), (1, 3), (1, 4), (2, 4)]);
        let torn = |generation, number| (mark(generation, number), "torn".to_owned());
        let one = start(&found, &[(2, 4)]);
        assert_eq!((one.base, one.why), (Some(mark(1, 3)), Why::Damaged(vec![torn(2, 4)])));
        let all = start(&found, &[(2, 4), (1, 3), (1, 2)]);
        assert_eq!((all.base, all.why), (None, Why::Damaged(vec![torn(2, 4), torn(1, 3), torn(1, 2)])));
    }

    #[test]
    fn the_last_three_that_count_stay() {
        let found = facts(&[(1, None), (2, Some((1, 3)))], &[(1, 1), (1, 2), (1, 3), (1, 4), (2, 4), (2, 5)]);
        let kept = vec![mark(2, 5), mark(2, 4), mark(1, 3)];
        let manifests = vec![mark(1, 1), mark(1, 2), mark(1, 4)];
        assert_eq!(found.prune(2), Prune::Older { manifests, claims: Vec::new(), kept });
        assert_eq!(found.prune(1), Prune::TakenOver(2));
        assert_eq!(facts(&[(1, None)], &[]).prune(1), Prune::Nothing);
    }

    #[test]
    fn claims_that_lead_nowhere_go() {
        let claims = [(1, None), (2, Some((1, 3))), (3, Some((2, 4)))];
        let found = facts(&claims, &[(1, 3), (2, 4), (3, 5), (3, 6), (3, 7)]);
        let kept = vec![mark(3, 7), mark(3, 6), mark(3, 5)];
        assert_eq!(found.prune(3), Prune::Older { manifests: vec![mark(1, 3), mark(2, 4)], claims: vec![1, 2], kept });
    }

    #[test]
    fn claims_that_lead_in_a_circle_end() {
        let found = facts(&[(1, Some((2, 9))), (2, Some((2, 9)))], &[(1, 1), (2, 9)]);
        assert_eq!(found.counting(), [mark(2, 9)]);
    }
}
