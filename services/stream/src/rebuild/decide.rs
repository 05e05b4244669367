//! How a partition is read on when the log may no longer hold what comes next: pure, facts in, a decision with its reason out.
//!
//! * `RBD-1` reading goes on exactly where the state ends. What the log holds is read from the log; what the log lacks, up to its begin,
//!   from the archive. Nothing between is passed over but what is in neither, and that is said.
//! * `RBD-2` the number of records that are in neither is exact: offsets wanted, less those archived, less those at which the log
//!   never held a record.
//! * `RBD-3` a log that ends before the state does is another log, or was cut: refused.
//! * `RBD-4` without a state, reading begins with the oldest record the archive holds of the time asked for.

use gridwarden_store::read::Shelf;

/// What the log of a partition holds: offsets `begin..end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Log {
    /// Oldest offset kept.
    pub(crate) begin: i64,
    /// The offset the next record will get.
    pub(crate) end: i64,
}

/// What is known of a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The offset the state goes on with; none: there is no state.
    pub(crate) next: Option<i64>,
    /// The log.
    pub(crate) log: Log,
    /// What the archive holds from there (without a state: from the time asked for) to the log's begin.
    pub(crate) shelf: &'a Shelf,
}

/// From where a partition is read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum From {
    /// The log, from this offset on.
    Log(i64),
    /// The archive, offsets from the first up to the second, then the log.
    Archive(i64, i64),
}

/// How a partition is read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Decision {
    /// From where.
    pub(crate) from: From,
    /// Records that are neither in the archive nor in the log.
    pub(crate) lost: u64,
    /// Why.
    pub(crate) why: Why,
}

/// Why it is read so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// The log holds what comes next.
    InLog,
    /// There is no state, and nothing below the log's begin to make one from.
    NothingBefore,
    /// There is no state: it is made from what is archived.
    NoState,
    /// The log begins behind the state.
    Outlived,
    /// The same, and nothing of what lies between was archived.
    NotArchived,
}

/// Why a partition is not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// `RBD-3`.
    #[error(
        "the state goes on with offset {next}, but the log ends at {end}: it was cut, or this is another cluster's copy of the topic; \
         nothing was read. To begin anew, remove the checkpoints"
    )]
    Ahead {
        /// The offset the state goes on with.
        next: i64,
        /// The log's end.
        end: i64,
    },
}

/// Whether the archive has to be asked before anything can be decided.
pub(crate) fn needs_archive(next: Option<i64>, log: Log) -> bool {
    next.unwrap_or(0) < log.begin
}

/// Decides.
pub(crate) fn decide(facts: &Facts<'_>) -> Result<Decision, Refusal> {
    let Facts { next, log, shelf } = *facts;
    if let Some(next) = next.filter(|next| *next > log.end) {
        return Err(Refusal::Ahead { next, end: log.end });
    }
    let in_log = |why| Ok(Decision { from: From::Log(next.unwrap_or(log.begin).max(log.begin)), lost: 0, why });
    if !needs_archive(next, log) {
        return in_log(Why::InLog);
    }
    let Some(from) = next.or_else(|| shelf.stretches.first().map(|oldest| oldest.first)) else {
        return in_log(Why::NothingBefore);
    };
    let lost = lost(shelf, from, log.begin);
    let why = if next.is_some() { Why::Outlived } else { Why::NoState };
    if shelf.stretches.is_empty() {
        return Ok(Decision { from: From::Log(log.begin), lost, why: Why::NotArchived });
    }
    Ok(Decision { from: From::Archive(from, log.begin), lost, why })
}

/// `RBD-2`.
fn lost(shelf: &Shelf, from: i64, to: i64) -> u64 {
    let records: u64 = shelf.stretches.iter().map(|stretch| stretch.records).sum();
    let empty: i64 = shelf.empty.iter().map(|gap| (gap.end.min(to) - gap.first.max(from)).max(0)).sum();
    (to - from).max(0).unsigned_abs().saturating_sub(records).saturating_sub(empty.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_store::read::{OffsetRange, Stretch};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const NEAR: i64 = 8;

    /// What the store would say of these offsets.
    fn shelf(held: &BTreeSet<i64>, empty: &BTreeSet<i64>) -> Shelf {
        let mut shelf = Shelf::default();
        for offset in held {
            match shelf.stretches.last_mut().filter(|last| last.first / NEAR == offset / NEAR) {
                Some(last) => (last.end, last.records) = (offset + 1, last.records + 1),
                None => shelf.stretches.push(Stretch {
                    first: *offset,
                    end: offset + 1,
                    records: 1,
                    oldest_ms: 0,
                    newest_ms: 0,
                }),
            }
        }
        for offset in empty {
            match shelf.empty.last_mut().filter(|last| last.end == *offset) {
                Some(last) => last.end += 1,
                None => shelf.empty.push(OffsetRange { first: *offset, end: offset + 1 }),
            }
        }
        shelf
    }

    fn decided(next: Option<i64>, (begin, end): (i64, i64), held: &[i64], empty: &[i64]) -> Result<Decision, Refusal> {
        let from = next.unwrap_or(0);
        let within =
            |offsets: &[i64]| offsets.iter().copied().filter(|offset| (from..begin).contains(offset)).collect();
        decide(&Facts { next, log: Log { begin, end }, shelf: &shelf(&within(held), &within(empty)) })
    }

    fn of(from: From, lost: u64, why: Why) -> Result<Decision, Refusal> {
        Ok(Decision { from, lost, why })
    }

    #[test]
    fn what_the_log_holds_is_read_from_the_log() {
        let all: Vec<i64> = (0..90).collect();
        assert_eq!(decided(Some(50), (10, 90), &all, &[]), of(From::Log(50), 0, Why::InLog));
        assert_eq!(decided(Some(10), (10, 90), &all, &[]), of(From::Log(10), 0, Why::InLog));
        assert_eq!(decided(Some(90), (90, 90), &all, &[]), of(From::Log(90), 0, Why::InLog));
        assert_eq!(decided(None, (0, 90), &all, &[]), of(From::Log(0), 0, Why::InLog));
    }

    #[test]
    fn what_it_lacks_comes_from_the_archive_up_to_its_begin() {
        let all: Vec<i64> = (0..90).collect();
        assert_eq!(decided(Some(20), (50, 90), &all, &[]), of(From::Archive(20, 50), 0, Why::Outlived));
        assert_eq!(decided(Some(20), (50, 50), &all, &[]), of(From::Archive(20, 50), 0, Why::Outlived));
        assert_eq!(decided(None, (50, 90), &all[30..], &[]), of(From::Archive(30, 50), 0, Why::NoState));
        assert_eq!(decided(None, (50, 90), &[], &[]), of(From::Log(50), 0, Why::NothingBefore));
    }

    #[test]
    fn what_is_in_neither_is_counted_and_where_the_log_held_nothing_is_no_loss() {
        let some: Vec<i64> = (20..40).filter(|offset| offset % 10 != 3).collect();
        assert_eq!(decided(Some(15), (50, 90), &some, &[]), of(From::Archive(15, 50), 17, Why::Outlived));
        assert_eq!(decided(Some(15), (50, 90), &some, &[23, 15, 16, 49]), of(From::Archive(15, 50), 13, Why::Outlived));
        assert_eq!(decided(Some(15), (50, 90), &[], &[15]), of(From::Log(50), 34, Why::NotArchived));
        assert_eq!(decided(None, (50, 90), &some, &[]), of(From::Archive(20, 50), 12, Why::NoState));
    }

    #[test]
    fn a_log_that_ends_before_the_state_does_is_refused() {
        let refused = decided(Some(91), (10, 90), &[], &[]).expect_err("refused");
        assert_eq!(refused, Refusal::Ahead { next: 91, end: 90 });
        assert!(refused.to_string().contains("goes on with offset 91, but the log ends at 90"), "{refused}");
    }

    proptest! {
        #[test]
        fn every_offset_is_read_once_or_lost_or_empty(
            offsets in prop::collection::vec(0u8..3, 0..60),
            begin in 0i64..60,
            more in 0i64..20,
            next in prop::option::of(0i64..90),
        ) {
            let end = begin + more;
            let of_kind = |kind: u8| -> Vec<i64> {
                (0i64..).zip(&offsets).filter(|(offset, is)| **is == kind && *offset < begin).map(|(offset, _)| offset).collect()
            };
            let (held, empty) = (of_kind(1), of_kind(2));
            let Ok(decision) = decided(next, (begin, end), &held, &empty) else {
                prop_assert!(next.is_some_and(|next| next > end));
                return Ok(());
            };
            let wanted = next.or_else(|| held.first().copied()).unwrap_or(begin).min(begin.max(next.unwrap_or(0)));
            let (archived, from_log) = match decision.from {
                From::Log(from) => (0..0, from),
                From::Archive(from, to) => (from..to, to),
            };
            prop_assert!(from_log >= begin, "the log is not asked for what it lacks");
            prop_assert!(archived.is_empty() || archived.end == begin, "nor the archive for what the log holds");
            let mut lost = 0;
            for offset in wanted..end {
                let in_archive = archived.contains(&offset) && held.contains(&offset);
                let in_log = offset >= from_log;
                prop_assert!(!(in_archive && in_log));
                lost += u64::from(!in_archive && !in_log && !empty.contains(&offset));
            }
            prop_assert_eq!(lost, decision.lost);
        }
    }
}
