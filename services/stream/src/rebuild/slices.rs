//! In which pieces the archive is read: pure.
//!
//! `RBD-5` of every partition offsets are asked for once, in order; partitions go side by side, the one whose next records are the
//! oldest first, so that no partition's windows wait for another's past. A slice is bounded, and is read as a whole or not at all.

use gridwarden_domain::identity::TopicId;
use gridwarden_store::read::{LogSlice, OffsetRange, Stretch};
use std::collections::{BTreeMap, VecDeque};

/// A partition on its way through the archive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lane {
    /// The partition's number.
    pub(crate) part: u16,
    /// Number of its topic.
    pub(crate) topic: u16,
    /// Its topic's id.
    pub(crate) topic_id: TopicId,
    /// Partition.
    pub(crate) partition: i32,
    /// Where the log began when it was asked.
    pub(crate) to: i64,
    /// Append time of the newest that is archived.
    pub(crate) newest_ms: i64,
    /// What is archived of it and was not asked for yet.
    pub(crate) stretches: VecDeque<Stretch>,
}

/// A slice of one topic.
pub(crate) struct Slice {
    /// Number of the topic.
    pub(crate) topic: u16,
    /// What to ask for.
    pub(crate) of: LogSlice,
}

/// Takes the next so many records, or a few more, off the lanes; empty when nothing is left.
pub(crate) fn next_slices(lanes: &mut [Lane], records: u64) -> Vec<Slice> {
    let mut slices = BTreeMap::<u16, Slice>::new();
    let mut taken = 0;
    while taken < records {
        let oldest = lanes.iter_mut().filter_map(|lane| Some((lane.stretches.front()?.oldest_ms, lane)));
        let Some((_, lane)) = oldest.min_by_key(|(oldest_ms, lane)| (*oldest_ms, lane.part)) else { break };
        let Some(stretch) = lane.stretches.pop_front() else { break };
        taken += stretch.records;
        let fresh = || LogSlice { topic: lane.topic_id, parts: Vec::new(), oldest_ms: i64::MAX, newest_ms: i64::MIN };
        let slice = &mut slices.entry(lane.topic).or_insert_with(|| Slice { topic: lane.topic, of: fresh() }).of;
        slice.oldest_ms = slice.oldest_ms.min(stretch.oldest_ms);
        slice.newest_ms = slice.newest_ms.max(stretch.newest_ms);
        match slice.parts.iter_mut().find(|(partition, _)| *partition == lane.partition) {
            Some((_, range)) => range.end = stretch.end,
            None => slice.parts.push((lane.partition, OffsetRange { first: stretch.first, end: stretch.end })),
        }
    }
    slices.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(part: u16, topic: u16, stretches: &[(i64, i64, i64)]) -> Lane {
        let stretch = |(first, end, at): &(i64, i64, i64)| Stretch {
            first: *first,
            end: *end,
            records: (end - first) as u64,
            oldest_ms: *at,
            newest_ms: at + 5,
        };
        Lane {
            part,
            topic,
            topic_id: TopicId(u128::from(topic)),
            partition: i32::from(part),
            to: 1_000,
            newest_ms: 1_000,
            stretches: stretches.iter().map(stretch).collect(),
        }
    }

    fn parts(slice: &Slice) -> Vec<(i32, i64, i64)> {
        slice.of.parts.iter().map(|(partition, range)| (*partition, range.first, range.end)).collect()
    }

    #[test]
    fn partitions_go_side_by_side_the_oldest_first() {
        let mut lanes = [
            lane(0, 0, &[(0, 10, 100), (10, 20, 300), (20, 30, 900)]),
            lane(1, 0, &[(5, 15, 200), (15, 25, 400)]),
            lane(2, 1, &[(7, 8, 150)]),
        ];
        let slices = next_slices(&mut lanes, 25);
        let all: Vec<_> = slices.iter().map(|slice| (slice.topic, parts(slice))).collect();
        assert_eq!(all, [(0, vec![(0, 0, 20), (1, 5, 15)]), (1, vec![(2, 7, 8)])]);
        assert_eq!((slices[0].of.oldest_ms, slices[0].of.newest_ms), (100, 305));
        let rest = next_slices(&mut lanes, 1_000);
        assert_eq!(rest.iter().map(parts).collect::<Vec<_>>(), [[(1, 15, 25), (0, 20, 30)]]);
        assert!(next_slices(&mut lanes, 1).is_empty());
    }
}
