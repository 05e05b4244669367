//! Where to begin reading a partition, and what to leave out: decided from what ClickHouse holds and what the log holds.
//!
//! `ARC-1` an offset is inserted exactly when ClickHouse does not hold it: as an observation, a report, a reject or a marker.
//! `ARC-2` rows ahead of the log, or a log that begins above what is held, stop the archive with words; nothing is skipped
//! in silence.

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
    /// Offsets missing below the log's start, inside what is held: gone before they were archived, or never records
    /// (transaction markers).
    pub holes_gone: u64,
    /// Records gone before they were archived, when reading on was allowed nevertheless.
    pub lost: u64,
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
        "offsets {first} to {last} were deleted by the topic's retention before they were archived ({count} records); \
         to go on without them set archive.accept_loss = true"
    )]
    Lost {
        /// First offset that is gone.
        first: i64,
        /// Last offset that is gone.
        last: i64,
        /// How many.
        count: u64,
    },
}

/// Whether ranges that begin at the log's start say enough, or what is held below it must be known too.
pub fn needs_all(held: &[OffsetRange], log: Log) -> bool {
    log.start > 0 && held.first().is_none_or(|range| range.first > log.start)
}

/// Decides where to begin. `held` is ascending and apart; ranges below the log's start may be missing from it only when
/// [`needs_all`] said so.
pub fn start(held: &[OffsetRange], log: Log, accept_loss: bool) -> Result<Start, Refusal> {
    let Some(last) = held.last() else {
        // Nothing was ever archived: the archive begins where the log does.
        return Ok(Start { from: log.start, present: Present::default(), holes_gone: 0, lost: 0 });
    };
    if last.end > log.end {
        return Err(Refusal::Ahead { held: last.end - 1, end: log.end });
    }
    let mut lost = 0;
    if last.end < log.start {
        lost = (log.start - last.end).unsigned_abs();
        if !accept_loss {
            return Err(Refusal::Lost { first: last.end, last: log.start - 1, count: lost });
        }
    }
    let from = first_missing(held, log.start);
    Ok(Start { from, present: Present::above(held, from), holes_gone: holes_below(held, log.start), lost })
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

/// Missing offsets between ranges, below `start`.
fn holes_below(held: &[OffsetRange], start: i64) -> u64 {
    let pairs = held.iter().zip(held.iter().skip(1));
    pairs.map(|(low, high)| (high.first.min(start) - low.end).max(0).unsigned_abs()).sum()
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

    fn plan(held: &[(i64, i64)], log: (i64, i64)) -> Result<(i64, u64), Refusal> {
        start(&ranges(held), Log { start: log.0, end: log.1 }, false).map(|start| (start.from, start.holes_gone))
    }

    #[test]
    fn a_new_archive_begins_where_the_log_does() {
        assert_eq!(plan(&[], (0, 10)), Ok((0, 0)));
        assert_eq!(plan(&[], (5, 10)), Ok((5, 0)));
    }

    #[test]
    fn reading_goes_on_at_the_first_gap() {
        assert_eq!(plan(&[(0, 7)], (0, 10)), Ok((7, 0)));
        assert_eq!(plan(&[(0, 3), (5, 7)], (0, 10)), Ok((3, 0)));
        assert_eq!(plan(&[(2, 7)], (0, 10)), Ok((0, 0)));
        assert_eq!(plan(&[(0, 10)], (0, 10)), Ok((10, 0)));
    }

    #[test]
    fn retention_below_what_is_held_is_no_loss() {
        assert_eq!(plan(&[(0, 7)], (4, 10)), Ok((7, 0)));
        assert_eq!(plan(&[(0, 7)], (7, 10)), Ok((7, 0)));
        assert_eq!(plan(&[(0, 2), (3, 7)], (5, 10)), Ok((7, 1)), "a hole below the log's start is told");
    }

    #[test]
    fn what_is_gone_stops_the_archive() {
        let refusal = Refusal::Lost { first: 7, last: 8, count: 2 };
        assert_eq!(plan(&[(0, 7)], (9, 10)), Err(refusal));
        let accepted = start(&ranges(&[(0, 7)]), Log { start: 9, end: 10 }, true).unwrap();
        assert_eq!((accepted.from, accepted.lost), (9, 2));
    }

    #[test]
    fn rows_ahead_of_the_log_stop_the_archive() {
        assert_eq!(plan(&[(0, 11)], (0, 10)), Err(Refusal::Ahead { held: 10, end: 10 }));
    }

    #[test]
    fn all_is_asked_for_only_when_the_beginning_is_unclear() {
        let log = Log { start: 5, end: 10 };
        assert!(needs_all(&[], log) && needs_all(&ranges(&[(6, 7)]), log));
        assert!(!needs_all(&ranges(&[(5, 7)]), log));
        assert!(!needs_all(&[], Log { start: 0, end: 10 }));
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
        }
    }
}
