//! Which offsets of a partition are archived: the archive's cursor is what ClickHouse itself holds.
//!
//! A topic may hold hundreds of millions of records, so offsets are counted in buckets by bitmaps on the server, for all
//! partitions at once; only buckets with holes are listed. What the log never held (`archive_gaps`) counts as held.

use super::Reader;
use crate::error::StoreError;
use clickhouse::Row;
use gridwarden_domain::identity::TopicId;
use serde::Deserialize;

/// Offsets `first..end`, all present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetRange {
    /// First offset.
    pub first: i64,
    /// One past the last.
    pub end: i64,
}

#[derive(Row, Deserialize)]
struct Gap {
    partition: u32,
    first_offset: u64,
    end_offset: u64,
}

#[derive(Row, Deserialize)]
struct Bucket {
    key: u64,
    first: u64,
    last: u64,
    present: u64,
}

#[derive(Row, Deserialize)]
struct Holey {
    key: u64,
    places: Vec<u32>,
}

/// Offsets of a bucket; `archived_offsets` holds no gap longer than this.
const BUCKET: u64 = 1 << 16;
/// Buckets of a partition: what a key is made of.
const PARTITION: u64 = 1 << 40;

/// What `archived_offsets` leaves to its reader: long gaps, and what was settled or lost.
const GAPS: &str = "SELECT partition, first_offset, end_offset FROM archive_gaps \
    WHERE topic_id = {topic:UUID} AND (kind != 'empty' OR end_offset - first_offset > 65536) \
    ORDER BY partition, first_offset";

const BUCKETS: &str = "SELECT toUInt64(partition) * 1099511627776 + intDiv(offset, 65536) AS key, \
    min(offset) AS first, max(offset) AS last, toUInt64(groupBitmap(toUInt32(offset % 65536))) AS present \
    FROM archived_offsets WHERE topic_id = {topic:UUID} AND offset >= {from:UInt64} GROUP BY key ORDER BY key";

const PLACES: &str = "SELECT toUInt64(partition) * 1099511627776 + intDiv(offset, 65536) AS key, \
    bitmapToArray(groupBitmapState(toUInt32(offset % 65536))) AS places \
    FROM archived_offsets WHERE topic_id = {topic:UUID} AND offset >= {from:UInt64} \
    AND key IN {keys:Array(UInt64)} GROUP BY key ORDER BY key";

/// Most holey buckets asked for at once: 256 KiB of answer each.
const HOLEY_AT_ONCE: usize = 256;

impl Reader {
    /// What ClickHouse knows of a topic, per partition (their number is given): ranges of offsets that are there as an
    /// observation, a report, a reject, a marker or a gap, ascending and apart from each other.
    pub async fn archived_ranges(&self, topic: TopicId, partitions: i32) -> Result<Vec<Vec<OffsetRange>>, StoreError> {
        let mut held: Vec<Ranges> = (0..partitions.max(0)).map(|_| Ranges::default()).collect();
        let gaps = self.client().query_raw(GAPS).param("topic", hyphenated(topic));
        let gaps: Vec<Gap> = gaps.fetch_all().await?;
        for gap in &gaps {
            if let Some(ranges) = held.get_mut(gap.partition as usize) {
                ranges.add(gap.first_offset, gap.end_offset);
            }
        }
        // Below what is settled in every partition nobody needs to look.
        let from = held.iter().map(Ranges::settled).min().unwrap_or(0);
        let query = |sql: &str| self.client().query_raw(sql).param("topic", hyphenated(topic)).param("from", from);
        let buckets: Vec<Bucket> = query(BUCKETS).fetch_all().await?;
        let (whole, holey): (Vec<&Bucket>, Vec<&Bucket>) =
            buckets.iter().partition(|bucket| bucket.last - bucket.first + 1 == bucket.present);
        for bucket in whole {
            if let Some(ranges) = held.get_mut((bucket.key / PARTITION) as usize) {
                ranges.add(bucket.first, bucket.last + 1);
            }
        }
        for some in holey.chunks(HOLEY_AT_ONCE) {
            let keys: Vec<u64> = some.iter().map(|bucket| bucket.key).collect();
            let lists: Vec<Holey> = query(PLACES).param("keys", keys).fetch_all().await?;
            for list in lists {
                let Some(ranges) = held.get_mut((list.key / PARTITION) as usize) else { continue };
                for place in list.places {
                    let offset = list.key % PARTITION * BUCKET + u64::from(place);
                    ranges.add(offset, offset + 1);
                }
            }
        }
        Ok(held.into_iter().map(Ranges::joined).collect())
    }
}

/// `{:UUID}` is parsed from the usual form.
pub(super) fn hyphenated(topic: TopicId) -> String {
    let (high, low) = ((topic.0 >> 64) as u64, topic.0 as u64);
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}

/// Ranges `first..end`, in any order, as ascending ones apart from each other.
pub(super) fn joined(ranges: impl Iterator<Item = (u64, u64)>) -> Vec<OffsetRange> {
    let mut all = Ranges::default();
    ranges.for_each(|(first, end)| all.add(first, end));
    all.joined()
}

/// Ranges as they come: in any order, and they may overlap.
#[derive(Default)]
struct Ranges(Vec<OffsetRange>);

impl Ranges {
    fn add(&mut self, first: u64, end: u64) {
        let (first, end) = (first as i64, end as i64);
        match self.0.last_mut() {
            Some(last) if last.end == first => last.end = end,
            _ => self.0.push(OffsetRange { first, end }),
        }
    }

    /// The end of what is known without a gap from the very first offset on.
    fn settled(&self) -> u64 {
        self.0.iter().filter(|range| range.first == 0).map(|range| range.end as u64).max().unwrap_or(0)
    }

    fn joined(mut self) -> Vec<OffsetRange> {
        self.0.retain(|range| range.end > range.first);
        self.0.sort_by_key(|range| range.first);
        let mut joined = Vec::<OffsetRange>::new();
        for range in self.0 {
            match joined.last_mut() {
                Some(last) if range.first <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pairs: &[(u64, u64)]) -> Vec<(i64, i64)> {
        let mut ranges = Ranges::default();
        for (first, end) in pairs {
            ranges.add(*first, *end);
        }
        ranges.joined().iter().map(|range| (range.first, range.end)).collect()
    }

    #[test]
    fn ranges_that_touch_or_overlap_are_one() {
        assert_eq!(joined(&[(70, 80), (0, 5), (5, 6), (6, 70), (90, 91)]), [(0, 80), (90, 91)]);
        assert_eq!(joined(&[(0, 100), (10, 20), (50, 120), (130, 130), (125, 131)]), [(0, 120), (125, 131)]);
        assert_eq!(joined(&[]), []);
    }

    #[test]
    fn only_what_begins_at_the_first_offset_is_settled() {
        let settled = |pairs: &[(u64, u64)]| {
            Ranges(pairs.iter().map(|(first, end)| OffsetRange { first: *first as i64, end: *end as i64 }).collect())
                .settled()
        };
        assert_eq!(settled(&[(0, 7), (0, 9), (9, 20)]), 9);
        assert_eq!(settled(&[(1, 7)]), 0);
        assert_eq!(settled(&[]), 0);
    }

    #[test]
    fn a_topic_id_is_written_as_a_uuid() {
        let id = TopicId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
        assert_eq!(hyphenated(id), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
