//! Where a partition's reading stands: what the next record is to the archive, and which offsets hold none. Pure.
//!
//! `ARC-8` an offset between two records read one after the other holds no record (the end of a transaction, an aborted one,
//! compaction). It is noted as a gap, so that it is no hole at the next start.

use crate::plan::Present;
use gridwarden_store::read::OffsetRange;

/// A partition's place in its log.
#[derive(Debug)]
pub struct Cursor {
    present: Present,
    next: i64,
}

/// What a record is to the archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// To be archived.
    Missing,
    /// In ClickHouse already, with all others up to this offset.
    Held {
        /// One past the last of them.
        until: i64,
    },
    /// From before a leap.
    Old,
}

impl Cursor {
    /// Reading begins at `from`.
    pub fn new(from: i64, present: Present) -> Self {
        Self { present, next: from }
    }

    /// Takes the next record. Offsets without records before it, not yet known as such, go to `gaps`.
    pub fn step(&mut self, offset: i64, gaps: &mut Vec<OffsetRange>) -> Step {
        if offset < self.next {
            return Step::Old;
        }
        if offset > self.next {
            gaps.extend(self.present.missing(OffsetRange { first: self.next, end: offset }));
        }
        self.next = offset + 1;
        match self.present.held_until(offset) {
            Some(until) => Step::Held { until },
            None => Step::Missing,
        }
    }

    /// The first offset that was not passed yet.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Everything below `until` is held; what still comes of it is [`Step::Old`], whether the leap succeeds or not.
    pub fn leap(&mut self, until: i64) {
        self.next = self.next.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Log, start};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn range(first: i64, end: i64) -> OffsetRange {
        OffsetRange { first, end }
    }

    fn ranges(offsets: &BTreeSet<i64>) -> Vec<OffsetRange> {
        let mut list = Vec::<OffsetRange>::new();
        for offset in offsets {
            match list.last_mut() {
                Some(last) if last.end == *offset => last.end += 1,
                _ => list.push(range(*offset, offset + 1)),
            }
        }
        list
    }

    #[test]
    fn what_lies_between_two_records_is_a_gap_unless_it_is_held() {
        let plan = start(&[range(0, 5), range(7, 9), range(20, 30)], Log { start: 0, end: 40 }, false).unwrap();
        let mut cursor = Cursor::new(plan.from, plan.present);
        let mut gaps = Vec::new();
        assert_eq!(cursor.step(6, &mut gaps), Step::Missing);
        assert_eq!(gaps, [range(5, 6)]);
        assert_eq!(cursor.step(8, &mut gaps), Step::Held { until: 9 });
        assert_eq!(cursor.step(12, &mut gaps), Step::Missing);
        assert_eq!(gaps, [range(5, 6), range(9, 12)], "7 is held");
        assert_eq!(cursor.step(22, &mut gaps), Step::Held { until: 30 });
        assert_eq!(gaps.last(), Some(&range(13, 20)));
        cursor.leap(30);
        assert_eq!((cursor.step(23, &mut gaps), cursor.next()), (Step::Old, 30));
        assert_eq!(cursor.step(30, &mut gaps), Step::Missing);
        assert_eq!(gaps.len(), 3, "a leap leaves no gap");
    }

    proptest! {
        /// Whatever is held, wherever the log has records, whatever is leapt over: after the last record every offset from
        /// the first one read is a row or a gap, and nothing was archived twice (`ARC-1`, `ARC-8`).
        #[test]
        fn every_offset_is_accounted_for_once(
            log in proptest::collection::btree_set(0i64..200, 1..120),
            held in proptest::collection::btree_set(0i64..200, 0..120),
            leaps in proptest::collection::vec(any::<(bool, bool)>(), 200),
        ) {
            let end = log.last().map_or(0, |last| last + 1);
            let held: BTreeSet<i64> = held.into_iter().filter(|offset| *offset < end).collect();
            let plan = start(&ranges(&held), Log { start: 0, end }, false).unwrap();
            let mut cursor = Cursor::new(plan.from, plan.present);
            let (mut gaps, mut archived, mut leapt) = (Vec::new(), BTreeSet::new(), 0);
            for offset in log.iter().copied().filter(|offset| *offset >= plan.from) {
                let (leaps, fails) = leaps[usize::try_from(offset).unwrap()];
                if offset < leapt && !fails {
                    continue;
                }
                match cursor.step(offset, &mut gaps) {
                    Step::Missing => prop_assert!(!held.contains(&offset) && archived.insert(offset)),
                    Step::Held { until } => {
                        prop_assert!(held.contains(&offset));
                        if leaps {
                            cursor.leap(until);
                            leapt = until;
                        }
                    }
                    Step::Old => prop_assert!(held.contains(&offset)),
                }
            }
            let empty: BTreeSet<i64> = gaps.iter().flat_map(|gap| gap.first..gap.end).collect();
            prop_assert!(empty.iter().all(|offset| !log.contains(offset)), "a record was taken for a gap");
            prop_assert_eq!(empty.len() as u64, crate::plan::count(&gaps), "gaps overlap");
            let all: BTreeSet<i64> = held.iter().chain(&archived).chain(&empty).copied().collect();
            let passed = (0..cursor.next().min(end)).collect::<BTreeSet<i64>>();
            prop_assert!(passed.is_subset(&all), "{:?}", passed.difference(&all).collect::<Vec<_>>());
        }
    }
}
