//! The archive in the log's own order: what a partition held, offset by offset, for whoever must read what the log no longer holds.
//!
//! `STO-6` each record comes once and whole, offsets rise, however often it was inserted; a record that was sent again comes with
//! its origin. What is read is bounded: a range of offsets is asked for, and is handed out in chunks.
//!
//! Rows lie in the archive by kind, source and time. ClickHouse hands them out as they lie, which costs it a third of what putting them
//! in order costs it; they are put in order here, by whoever takes them.

use super::{OffsetRange, Reader, offsets};
use crate::error::StoreError;
use clickhouse::Row;
use gridwarden_domain::identity::TopicId;
use serde::Deserialize;
use std::time::Duration;

mod parts;
mod row;

use parts::Pile;
pub(super) use parts::Spare;
pub use parts::{LogChunk, LogChunks, LogPart, LogRecord};
pub use row::{LogObservation, LogReport, LogSaid};

/// Offsets of one partition that are wanted, and since when they may have been appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// First offset.
    pub first: i64,
    /// One past the last.
    pub end: i64,
    /// Appended at or after, epoch ms.
    pub since_ms: i64,
}

/// Offsets that lie near each other, `first..end`, some of which are archived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// First offset that is there.
    pub first: i64,
    /// One past the last that is there.
    pub end: i64,
    /// How many are there.
    pub records: u64,
    /// Append time of the oldest, epoch ms.
    pub oldest_ms: i64,
    /// Append time of the newest.
    pub newest_ms: i64,
}

/// What the archive holds of a part of a partition.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Shelf {
    /// Records, ascending.
    pub stretches: Vec<Stretch>,
    /// Offsets at which the log held no record, ascending and apart.
    pub empty: Vec<OffsetRange>,
}

/// What to read of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSlice {
    /// Topic.
    pub topic: TopicId,
    /// Partitions, and the offsets wanted of each.
    pub parts: Vec<(i32, OffsetRange)>,
    /// All were appended at or after (epoch ms) ...
    pub oldest_ms: i64,
    /// ... and at or before.
    pub newest_ms: i64,
}

#[derive(Row, Deserialize)]
struct Bucket {
    partition: u32,
    first: u64,
    last: u64,
    records: u64,
    oldest_ms: i64,
    newest_ms: i64,
}

#[derive(Row, Deserialize)]
struct Empty {
    partition: u32,
    first_offset: u64,
    end_offset: u64,
}

/// Of all partitions at once: what the rows are sorted by has nothing to do with offsets, so each is looked at.
const SHELVES: &str = "SELECT partition, min(offset) AS first, max(offset) AS last, \
    toUInt64(groupBitmap(toUInt32(offset % 65536))) AS records, \
    toUnixTimestamp64Milli(min(appended_at)) AS oldest_ms, toUnixTimestamp64Milli(max(appended_at)) AS newest_ms \
    FROM archived_log WHERE topic_id = {topic:UUID} AND what != 0 AND partition < length({firsts:Array(UInt64)}) \
    AND appended_at >= fromUnixTimestamp64Milli({since:Int64}) \
    AND appended_at >= fromUnixTimestamp64Milli({sinces:Array(Int64)}[partition + 1]) \
    AND offset >= {firsts:Array(UInt64)}[partition + 1] AND offset < {ends:Array(UInt64)}[partition + 1] \
    GROUP BY partition, intDiv(offset, 65536) ORDER BY partition, first";

const EMPTY: &str = "SELECT partition, first_offset, end_offset FROM archive_gaps \
    WHERE topic_id = {topic:UUID} AND kind = 'empty' ORDER BY partition, first_offset";

/// The order of columns is the row's.
const ROWS: &str = "SELECT partition, offset, what, toUnixTimestamp64Milli(appended_at) AS appended_ms, \
    toUnixTimestamp64Milli(time) AS time_ms, simulated, feed, origin, source, kind, id, lon, lat, accuracy_m, names, numbers \
    FROM archived_log WHERE topic_id = {topic:UUID} AND partition < length({firsts:Array(UInt64)}) \
    AND offset >= {firsts:Array(UInt64)}[partition + 1] AND offset < {ends:Array(UInt64)}[partition + 1] \
    AND appended_at >= fromUnixTimestamp64Milli({oldest:Int64}) AND appended_at <= fromUnixTimestamp64Milli({newest:Int64})";

/// An answer that stops for so long is broken off: a machine that is cut off does not say so.
const PATIENCE: Duration = Duration::from_secs(60);

impl Reader {
    /// What the archive holds of each partition of a topic, within what is wanted of it (in the order of partitions).
    pub async fn archived_shelves(&self, topic: TopicId, wanted: &[Wanted]) -> Result<Vec<Shelf>, StoreError> {
        let mut shelves = vec![Shelf::default(); wanted.len()];
        let number = |offset: i64| offset.max(0) as u64;
        let topic = offsets::hyphenated(topic);
        let query = self.client().query_raw(SHELVES).param("topic", &topic);
        let query = query
            .param("since", wanted.iter().map(|wanted| wanted.since_ms).min().unwrap_or(0))
            .param("sinces", wanted.iter().map(|wanted| wanted.since_ms).collect::<Vec<_>>())
            .param("firsts", wanted.iter().map(|wanted| number(wanted.first)).collect::<Vec<_>>())
            .param("ends", wanted.iter().map(|wanted| number(wanted.end)).collect::<Vec<_>>());
        for bucket in query.fetch_all::<Bucket>().await? {
            let Bucket { first, last, records, oldest_ms, newest_ms, .. } = bucket;
            if let Some(shelf) = shelves.get_mut(bucket.partition as usize) {
                let (first, end) = (first as i64, last as i64 + 1);
                shelf.stretches.push(Stretch { first, end, records, oldest_ms, newest_ms });
            }
        }
        let gaps = self.client().query_raw(EMPTY).param("topic", &topic).fetch_all::<Empty>().await?;
        for (partition, (shelf, wanted)) in (0u32..).zip(shelves.iter_mut().zip(wanted)) {
            let of_it = gaps.iter().filter(|gap| gap.partition == partition);
            let cut =
                of_it.map(|gap| (gap.first_offset.max(number(wanted.first)), gap.end_offset.min(number(wanted.end))));
            shelf.empty = offsets::joined(cut.filter(|(first, end)| first < end));
        }
        Ok(shelves)
    }

    /// The archived records of a slice, by partition: all of them, in memory.
    pub async fn archived_log(&self, slice: &LogSlice) -> Result<Vec<LogPart>, StoreError> {
        self.patient_log(slice, PATIENCE).await
    }

    async fn patient_log(&self, slice: &LogSlice, patience: Duration) -> Result<Vec<LogPart>, StoreError> {
        let (firsts, ends) = bounds(&slice.parts);
        let query = self.client().query_raw(ROWS).param("topic", offsets::hyphenated(slice.topic));
        let query = query
            .param("firsts", firsts)
            .param("ends", ends)
            .param("oldest", slice.oldest_ms)
            .param("newest", slice.newest_ms);
        let (mut rows, mut pile) = (query.fetch_bytes("RowBinary")?, Pile::of(self.spare()));
        loop {
            let more = tokio::time::timeout(patience, rows.next()).await.map_err(|_| StoreError::TimedOut)??;
            let Some(more) = more else { break };
            pile.add(&more);
        }
        pile.parts().map_err(|left| StoreError::Rows(format!("{left} bytes that are no archived record")))
    }
}

/// The first offset of each partition by number, and one past the last; nothing of those that are not named. So ClickHouse finds a
/// row's own by its place, without a search.
fn bounds(parts: &[(i32, OffsetRange)]) -> (Vec<u64>, Vec<u64>) {
    let number = |offset: i64| offset.max(0) as u64;
    let named = || parts.iter().filter_map(|(partition, range)| Some((usize::try_from(*partition).ok()?, range)));
    let length = named().map(|(partition, _)| partition + 1).max().unwrap_or(0);
    let (mut firsts, mut ends) = (vec![0; length], vec![0; length]);
    for (partition, range) in named() {
        if let (Some(first), Some(end)) = (firsts.get_mut(partition), ends.get_mut(partition)) {
            (*first, *end) = (number(range.first), number(range.end));
        }
    }
    (firsts, ends)
}

#[cfg(test)]
mod tests;
