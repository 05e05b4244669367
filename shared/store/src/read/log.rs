//! The archive in the log's own order: what a partition held, offset by offset, for whoever must read what the log no longer holds.
//!
//! `STO-6` each record comes once and whole, offsets rise, however often it was inserted; a record that was sent again comes with
//! its origin. What is read is bounded: a range of offsets is asked for, and comes in chunks that are taken one by one.
//!
//! A row is taken apart where it lies: nothing is allocated for a record but its share of a chunk.

use super::{OffsetRange, Reader, offsets};
use crate::error::StoreError;
use clickhouse::{Row, query::BytesCursor};
use gridwarden_domain::identity::TopicId;
use serde::Deserialize;
use std::time::Duration;

mod row;

pub use row::{LogObservation, LogReport, LogSaid};
use row::{Outline, outline};

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
    toUnixTimestamp64Milli(time) AS time_ms, feed, source, kind, id, lon, lat, accuracy_m, names, numbers, simulated, origin \
    FROM archived_log WHERE topic_id = {topic:UUID} AND has({parts:Array(UInt32)}, partition) \
    AND offset >= {firsts:Array(UInt64)}[indexOf({parts:Array(UInt32)}, partition)] \
    AND offset < {ends:Array(UInt64)}[indexOf({parts:Array(UInt32)}, partition)] \
    AND appended_at >= fromUnixTimestamp64Milli({oldest:Int64}) AND appended_at <= fromUnixTimestamp64Milli({newest:Int64}) \
    ORDER BY partition, offset, what";

/// Beyond so many bytes ClickHouse sorts on its disk.
const SORT_IN_MEMORY: &str = "134217728";
/// So much is gathered before it is cut into records.
const CHUNK_BYTES: usize = 512 << 10;

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

    /// The archived records of a slice: partition by partition, each as it stood in the log.
    pub fn archived_log(&self, slice: &LogSlice) -> Result<LogCursor, StoreError> {
        let number = |offset: i64| offset.max(0) as u64;
        let parts = |of: fn(&(i32, OffsetRange)) -> i64| slice.parts.iter().map(of).map(number).collect::<Vec<u64>>();
        let query = self.client().query_raw(ROWS).param("topic", offsets::hyphenated(slice.topic));
        let query = query
            .param("parts", parts(|(partition, _)| i64::from(*partition)))
            .param("firsts", parts(|(_, range)| range.first))
            .param("ends", parts(|(_, range)| range.end))
            .param("oldest", slice.oldest_ms)
            .param("newest", slice.newest_ms);
        let rows = query.with_setting("max_bytes_before_external_sort", SORT_IN_MEMORY).fetch_bytes("RowBinary")?;
        Ok(LogCursor { rows: Some(rows), rest: Vec::new(), last: None, patience: PATIENCE })
    }
}

/// Archived records on their way.
pub struct LogCursor {
    /// None once all of it has come.
    rows: Option<BytesCursor>,
    /// Came, but is not handed out yet.
    rest: Vec<u8>,
    /// Partition and offset handed out last.
    last: Option<(u32, i64)>,
    /// An answer that stops for so long is broken off: a machine that is cut off does not say so.
    patience: Duration,
}

/// ClickHouse sorts a slice before its first byte comes.
const PATIENCE: Duration = Duration::from_secs(60);

impl LogCursor {
    /// The next records; none at the end.
    pub async fn next(&mut self) -> Result<Option<LogChunk>, StoreError> {
        let mut enough = CHUNK_BYTES;
        loop {
            while let Some(rows) = self.rows.as_mut().filter(|_| self.rest.len() < enough) {
                let more = tokio::time::timeout(self.patience, rows.next()).await;
                match more.map_err(|_| StoreError::TimedOut)?? {
                    Some(more) => self.rest.extend_from_slice(&more),
                    None => self.rows = None,
                }
            }
            let chunk = LogChunk::cut(&mut self.rest, &mut self.last, self.rows.is_none());
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
            if self.rows.is_none() {
                let left = self.rest.len();
                let torn = || StoreError::Rows(format!("{left} bytes that are no archived record"));
                return if left == 0 { Ok(None) } else { Err(torn()) };
            }
            // One record is longer than that.
            enough *= 2;
        }
    }
}

/// Archived records, one behind the other.
pub struct LogChunk {
    bytes: Vec<u8>,
    rows: Vec<Outline>,
}

/// One of them, as it stood in the log.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Append time, epoch ms.
    pub appended_ms: i64,
    /// Its row, for [`LogSaid::read`].
    pub row: &'a [u8],
    /// Feed; empty for the live one.
    pub feed: &'a [u8],
    /// Of one that was sent again: where it stood first, as the header says it.
    pub origin: Option<&'a [u8]>,
    /// Whether it was made up.
    pub simulated: bool,
}

impl LogChunk {
    /// Cuts whole records off the beginning of `rest`; `all`: nothing follows. What stands there twice is passed over.
    fn cut(rest: &mut Vec<u8>, last: &mut Option<(u32, i64)>, all: bool) -> Self {
        let (mut rows, mut at, mut whole) = (Vec::<Outline>::new(), 0, 0);
        let mut again: Option<Outline> = None;
        while let Some(row) = outline(rest, at) {
            at = row.end;
            if row.is_again() {
                // It stays with what follows, which it says something about.
                again = Some(row);
                continue;
            }
            whole = at;
            let origin = again.take().filter(|again| again.key() == row.key()).map(|again| again.origin);
            if last.is_none_or(|last| row.key() > last) {
                *last = Some(row.key());
                rows.push(Outline { origin: origin.unwrap_or(row.origin), ..row });
            }
        }
        let left = rest.split_off(if all { at } else { whole });
        Self { bytes: std::mem::replace(rest, left), rows }
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Of each partition, one past the last offset.
    pub fn ends(&self) -> impl Iterator<Item = (i32, i64)> {
        let lasts = self.rows.chunk_by(|one, other| one.partition == other.partition).filter_map(|run| run.last());
        lasts.map(|row| (row.partition as i32, row.offset + 1))
    }

    /// The records from one on, in order.
    pub fn records(&self, from: usize) -> impl Iterator<Item = LogRecord<'_>> {
        let text = |(start, end): (u32, u32)| self.bytes.get(start as usize..end as usize).unwrap_or_default();
        self.rows.get(from..).unwrap_or_default().iter().map(move |row| LogRecord {
            partition: row.partition as i32,
            offset: row.offset,
            appended_ms: row.appended_ms,
            row: self.bytes.get(row.start..row.end).unwrap_or_default(),
            feed: text(row.feed),
            origin: Some(text(row.origin)).filter(|origin| !origin.is_empty()),
            simulated: row.simulated,
        })
    }
}

#[cfg(test)]
mod tests;
