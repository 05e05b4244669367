//! Where to begin reading a partition, and what to leave out: decided from what ClickHouse holds and what the log holds.
//!
//! `ARC-1` an offset is inserted exactly when ClickHouse does not hold it: as an observation, a report, a reject, a marker
//! or a gap.
//! `ARC-2` rows ahead of the log, or offsets below the log's start that were never archived (after what is held or in its
//! middle), stop the archive with words; nothing is skipped in silence.

use gridwarden_store::read::OffsetRange;

/// What the log of a partition holds: offsets `start..end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Log {
    /// Oldest offset kept.
    pub start: i64,
    /// The offset the next record will get.
    pub end: i64,
}

/// How to read a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Start {
    /// First offset to read: the first one missing.
    pub from: i64,
    /// What is held above it.
    pub present: Present,
    /// Below the log's start and never archived, when reading on was allowed nevertheless.
    pub lost: Vec<OffsetRange>,
}

/// Why a partition cannot be read on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// ClickHouse holds what the log does not have yet.
    #[error(
        "offsets up to {held} are archived, but the log ends at {end}: it was cut, or this is another cluster's copy \
         of the topic; nothing was read"
    )]
    Ahead {
        /// Highest offset held.
        held: i64,
        /// The log's end.
        end: i64,
    },
    /// The log no longer holds what comes next.
    #[error(
        "offsets {first} to {last}{more} were deleted by the topic's retention before they were archived ({count} \
         offsets); to go on without them set archive.accept_loss = true",
        more = if *ranges > 1 { format!(" and {} more ranges", ranges - 1) } else { String::new() }
    )]
    Lost {
        /// First offset that is gone.
        first: i64,
        /// Last offset of the first range that is gone.
        last: i64,
        /// How many ranges.
        ranges: usize,
        /// How many offsets in all of them.
        count: u64,
    },
}

/// Decides where to begin. `held` is ascending and apart, from the very first offset on.
pub fn start(held: &[OffsetRange], log: Log, accept_loss: bool) -> Result<Start, Refusal> {
    let Some(last) = held.last() else {
        // Nothing was ever archived: the archive begins where the log does.
        return Ok(Start { from: log.start, present: Present::default(), lost: Vec::new() });
    };
    if last.end > log.end {
        return Err(Refusal::Ahead { held: last.end - 1, end: log.end });
    }
    let lost = Present::above(held, 0).missing(OffsetRange { first: 0, end: log.start });
    if let (Some(first), false) = (lost.first(), accept_loss) {
        let count = count(&lost);
        return Err(Refusal::Lost { first: first.first, last: first.end - 1, ranges: lost.len(), count });
    }
    let from = first_missing(held, log.start);
    Ok(Start { from, present: Present::above(held, from), lost })
}

/// How many offsets ranges hold.
pub fn count(ranges: &[OffsetRange]) -> u64 {
    ranges.iter().map(|range| (range.end - range.first).max(0).unsigned_abs()).sum()
}

/// The first offset at or above `start` that is not held.
fn first_missing(held: &[OffsetRange], start: i64) -> i64 {
    let mut next = start;
    for range in held {
        if range.first > next {
            break;
        }
        next = next.max(range.end);
    }
    next
}

/// Ranges already held, asked for in rising order of offsets.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Present {
    ranges: Vec<OffsetRange>,
    at: usize,
}

impl Present {
    fn above(held: &[OffsetRange], from: i64) -> Self {
        Self { ranges: held.iter().filter(|range| range.end > from).copied().collect(), at: 0 }
    }

    /// The parts of a range that are not held. What lies below offsets asked for already counts as missing.
    pub fn missing(&self, range: OffsetRange) -> Vec<OffsetRange> {
        let mut missing = Vec::new();
        let mut next = range.first;
        for held in self.ranges.get(self.at..).unwrap_or_default() {
            if held.first >= range.end {
                break;
            }
            if held.first > next {
                missing.push(OffsetRange { first: next, end: held.first });
            }
            next = next.max(held.end);
        }
        if next < range.end {
            missing.push(OffsetRange { first: next, end: range.end });
        }
        missing
    }

    /// The end of the held range this offset lies in; `None` when it is missing. Offsets must not fall.
    #[inline]
    pub fn held_until(&mut self, offset: i64) -> Option<i64> {
        while let Some(range) = self.ranges.get(self.at) {
            if offset < range.first {
                return None;
            }
            if offset < range.end {
                return Some(range.end);
            }
            self.at += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(pairs: &[(i64, i64)]) -> Vec<OffsetRange> {
        pairs.iter().map(|(first, end)| OffsetRange { first: *first, end: *end }).collect()
    }

    fn plan(held: &[(i64, i64)], log: (i64, i64)) -> Result<i64, Refusal> {
        start(&ranges(held), Log { start: log.0, end: log.1 }, false).map(|start| start.from)
    }

    #[test]
    fn a_new_archive_begins_where_the_log_does() {
        assert_eq!(plan(&[], (0, 10)), Ok(0));
        assert_eq!(plan(&[], (5, 10)), Ok(5));
    }

    #[test]
    fn reading_goes_on_at_the_first_gap() {
        assert_eq!(plan(&[(0, 7)], (0, 10)), Ok(7));
        assert_eq!(plan(&[(0, 3), (5, 7)], (0, 10)), Ok(3));
        assert_eq!(plan(&[(2, 7)], (0, 10)), Ok(0));
        assert_eq!(plan(&[(0, 10)], (0, 10)), Ok(10));
    }

    #[test]
    fn retention_below_what_is_held_is_no_loss() {
        assert_eq!(plan(&[(0, 7)], (4, 10)), Ok(7));
        assert_eq!(plan(&[(0, 7)], (7, 10)), Ok(7));
    }

    #[test]
    fn what_is_gone_stops_the_archive_also_in_the_middle() {
        let lost = |first, last, ranges, count| Err(Refusal::Lost { first, last, ranges, count });
        assert_eq!(plan(&[(0, 7)], (9, 10)), lost(7, 8, 1, 2));
        assert_eq!(plan(&[(0, 2), (3, 7)], (5, 10)), lost(2, 2, 1, 1));
        assert_eq!(plan(&[(2, 4), (5, 7)], (9, 10)), lost(0, 1, 3, 5));
        let accepted = start(&ranges(&[(0, 3), (4, 7)]), Log { start: 9, end: 10 }, true).unwrap();
        assert_eq!((accepted.from, accepted.lost), (9, ranges(&[(3, 4), (7, 9)])));
        let words = plan(&[(2, 4), (5, 7)], (9, 10)).unwrap_err().to_string();
        assert!(words.starts_with("offsets 0 to 1 and 2 more ranges were deleted"), "{words}");
    }

    #[test]
    fn rows_ahead_of_the_log_stop_the_archive() {
        assert_eq!(plan(&[(0, 11)], (0, 10)), Err(Refusal::Ahead { held: 10, end: 10 }));
    }

    fn held_offsets() -> impl Strategy<Value = (std::collections::BTreeSet<i64>, i64, i64)> {
        (0i64..40, 0i64..80).prop_flat_map(|(start, more)| {
            let end = start + more;
            (proptest::collection::btree_set(0..end.max(1), 0..60), Just(start), Just(end))
        })
    }

    proptest! {
        /// Reading from the plan's start and leaving out what it says is held reads exactly what is missing (`ARC-1`).
        #[test]
        fn exactly_the_missing_offsets_are_read((held, log_start, log_end) in held_offsets()) {
            let held: std::collections::BTreeSet<i64> = held.into_iter().filter(|offset| *offset < log_end).collect();
            let mut list = Vec::<OffsetRange>::new();
            for offset in &held {
                match list.last_mut() {
                    Some(last) if last.end == *offset => last.end += 1,
                    _ => list.push(OffsetRange { first: *offset, end: offset + 1 }),
                }
            }
            let mut plan = start(&list, Log { start: log_start, end: log_end }, true).unwrap();
            let read: Vec<i64> = (plan.from..log_end).filter(|o| plan.present.held_until(*o).is_none()).collect();
            let missing: Vec<i64> = (log_start..log_end).filter(|offset| !held.contains(offset)).collect();
            prop_assert_eq!(read, missing);
            let gone: Vec<i64> = plan.lost.iter().flat_map(|range| range.first..range.end).collect();
            let never: Vec<i64> = (0..log_start).filter(|offset| !held.contains(offset)).collect();
            prop_assert_eq!(gone, if held.is_empty() { Vec::new() } else { never });
        }
    }
}
