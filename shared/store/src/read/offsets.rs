//! Which offsets of a partition are archived: the archive's cursor is what ClickHouse itself holds.
//!
//! A partition may hold hundreds of millions of records, so offsets are counted in buckets by bitmaps on the server; only
//! buckets with holes are listed.

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
struct Bucket {
    bucket: u64,
    first: u64,
    last: u64,
    present: u64,
}

#[derive(Row, Deserialize)]
struct Holey {
    bucket: u64,
    places: Vec<u32>,
}

const BUCKET: u64 = 1 << 16;

const BUCKETS: &str = "SELECT intDiv(offset, 65536) AS bucket, min(offset) AS first, max(offset) AS last, \
    toUInt64(groupBitmap(toUInt32(offset % 65536))) AS present \
    FROM archived_offsets WHERE topic_id = {topic:UUID} AND partition = {partition:UInt32} AND offset >= {from:UInt64} \
    GROUP BY bucket ORDER BY bucket";

const PLACES: &str = "SELECT intDiv(offset, 65536) AS bucket, \
    bitmapToArray(groupBitmapState(toUInt32(offset % 65536))) AS places \
    FROM archived_offsets WHERE topic_id = {topic:UUID} AND partition = {partition:UInt32} AND offset >= {from:UInt64} \
    AND bucket IN {buckets:Array(UInt64)} GROUP BY bucket ORDER BY bucket";

/// Most holey buckets asked for at once: 256 KiB of answer each.
const HOLEY_AT_ONCE: usize = 64;

impl Reader {
    /// Ranges of offsets ≥ `from` of a partition that are in ClickHouse as an observation, a report or a reject, ascending
    /// and apart from each other. Records that leave no row (ends of feeds) are gaps.
    pub async fn archived_ranges(
        &self,
        topic: TopicId,
        partition: i32,
        from: i64,
    ) -> Result<Vec<OffsetRange>, StoreError> {
        let query = |sql: &str| {
            let query = self.client().query_raw(sql);
            let query = query.param("topic", hyphenated(topic)).param("partition", partition.max(0) as u32);
            query.param("from", from.max(0) as u64)
        };
        let buckets: Vec<Bucket> = query(BUCKETS).fetch_all().await?;
        let mut ranges = Ranges::default();
        let (whole, holey): (Vec<&Bucket>, Vec<&Bucket>) =
            buckets.iter().partition(|bucket| bucket.last - bucket.first + 1 == bucket.present);
        for bucket in whole {
            ranges.add(bucket.first, bucket.last + 1);
        }
        for some in holey.chunks(HOLEY_AT_ONCE) {
            let numbers: Vec<u64> = some.iter().map(|bucket| bucket.bucket).collect();
            let lists: Vec<Holey> = query(PLACES).param("buckets", numbers).fetch_all().await?;
            for list in lists {
                for place in list.places {
                    let offset = list.bucket * BUCKET + u64::from(place);
                    ranges.add(offset, offset + 1);
                }
            }
        }
        Ok(ranges.joined())
    }
}

/// `{:UUID}` is parsed from the usual form.
fn hyphenated(topic: TopicId) -> String {
    let (high, low) = ((topic.0 >> 64) as u64, topic.0 as u64);
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}

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

    fn joined(mut self) -> Vec<OffsetRange> {
        self.0.sort_by_key(|range| range.first);
        let mut joined = Self::default();
        for range in self.0 {
            joined.add(range.first as u64, range.end as u64);
        }
        joined.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        let mut ranges = Ranges::default();
        for (first, end) in [(70, 80), (0, 5), (5, 6), (6, 70), (90, 91)] {
            ranges.add(first, end);
        }
        let joined = ranges.joined();
        assert_eq!(joined, [OffsetRange { first: 0, end: 80 }, OffsetRange { first: 90, end: 91 }]);
    }

    #[test]
    fn a_topic_id_is_written_as_a_uuid() {
        let id = TopicId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
        assert_eq!(hyphenated(id), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
