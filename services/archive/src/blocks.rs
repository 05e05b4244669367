//! Collecting rows into blocks: one table, one append day, one part, one token.
//!
//! `ARC-3` all rows of a block share their append day (UTC), so that a block is one part and is there whole or not at all.
//! `ARC-4` a block's token is a function of exactly its rows: table, day, where they stand, and a digest of their bytes.

use gridwarden_domain::identity::{RecordId, TopicId};
use gridwarden_runtime::seeded::seeded;
use gridwarden_store::{Block, rows::Table};
use std::collections::BTreeMap;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Blocks of different days open at the same time: a catch-up meets midnight at another moment in each partition.
const MAX_OPEN_DAYS: usize = 4;

/// When a block is full.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows.
    pub rows: usize,
    /// Encoded bytes.
    pub bytes: usize,
    /// Milliseconds since its first row.
    pub age_ms: i64,
}

/// First and last offset of a partition's rows in a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Topic.
    pub topic_id: TopicId,
    /// Partition.
    pub partition: i32,
    /// Lowest offset.
    pub first: i64,
    /// Highest offset.
    pub last: i64,
}

/// A block and what becomes its token.
pub struct Filled<T: Table> {
    /// The rows.
    pub block: Block<T>,
    /// Append day, days since 1970-01-01.
    pub day: i64,
    /// Where the rows stand.
    pub spans: Vec<Span>,
    /// How many of them are late; of messages sent again, how many are repeats.
    pub late: u64,
    /// Append time of the oldest row.
    pub oldest_ms: i64,
    opened_ms: i64,
}

impl<T: Table> Filled<T> {
    fn new(block: Block<T>, day: i64, now_ms: i64) -> Self {
        Self { block, day, spans: Vec::new(), late: 0, oldest_ms: i64::MAX, opened_ms: now_ms }
    }

    fn add(&mut self, record: RecordId, row: &T::Row<'_>) {
        self.block.push(row);
        let same = |span: &&mut Span| span.topic_id == record.topic_id && span.partition == record.partition;
        match self.spans.iter_mut().find(same) {
            Some(span) => {
                span.first = span.first.min(record.offset);
                span.last = span.last.max(record.offset);
            }
            None => self.spans.push(Span {
                topic_id: record.topic_id,
                partition: record.partition,
                first: record.offset,
                last: record.offset,
            }),
        }
    }

    fn is_due(&self, limits: &Limits, now_ms: i64) -> bool {
        self.block.rows() >= limits.rows
            || self.block.size() >= limits.bytes
            || now_ms - self.opened_ms >= limits.age_ms
    }

    /// The deduplication token (`ARC-4`). The digest alone would do; the rest is for people who look for a block.
    pub fn token(&self, table: &str) -> String {
        if seeded("token-without-range") {
            return format!("{table}/{}", self.day);
        }
        let digest = self.block.digest();
        let rows = self.block.rows();
        let mut token = format!("{table}/{}/{rows}", self.day);
        if let Some(span) = self.spans.first() {
            token.push_str(&format!("/{}/{}/{}-{}", span.topic_id, span.partition, span.first, span.last));
        }
        if self.spans.len() > 1 {
            token.push_str(&format!("+{}", self.spans.len() - 1));
        }
        token.push('/');
        token.push_str(&digest);
        token
    }
}

/// The blocks of a table that are being filled, one per append day.
pub struct Shelf<T: Table> {
    open: BTreeMap<i64, Filled<T>>,
    /// With room for what the last block held: lists that grow by doubling are copied again and again.
    next: Option<Block<T>>,
    limits: Limits,
}

impl<T: Table> Shelf<T> {
    /// Nothing collected yet.
    pub fn new(limits: Limits) -> Self {
        Self { open: BTreeMap::new(), next: None, limits }
    }

    /// Adds a row.
    pub fn push(&mut self, (record, appended_ms): (RecordId, i64), late: bool, row: &T::Row<'_>, now_ms: i64) {
        let day = appended_ms.div_euclid(DAY_MS);
        let fresh = || Filled::new(self.next.take().unwrap_or_default(), day, now_ms);
        let filled = self.open.entry(day).or_insert_with(fresh);
        filled.add(record, row);
        filled.late += u64::from(late);
        filled.oldest_ms = filled.oldest_ms.min(appended_ms);
    }

    /// Whether there is a block that is due.
    pub fn is_due(&self, now_ms: i64) -> bool {
        self.open.len() > MAX_OPEN_DAYS || self.open.values().any(|filled| filled.is_due(&self.limits, now_ms))
    }

    /// A block that is due: full, old enough, or one day too many.
    pub fn take_due(&mut self, now_ms: i64) -> Option<Filled<T>> {
        let due = self.open.iter().find(|(_, filled)| filled.is_due(&self.limits, now_ms)).map(|(day, _)| *day);
        let crowded = (self.open.len() > MAX_OPEN_DAYS).then(|| self.open.keys().next().copied()).flatten();
        let filled = self.open.remove(&due.or(crowded)?)?;
        self.next = Some(filled.block.like());
        Some(filled)
    }

    /// Any block, for the end.
    pub fn take_any(&mut self) -> Option<Filled<T>> {
        self.open.pop_first().map(|(_, filled)| filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::reject::{Code, Reason};
    use gridwarden_store::rows::{RejectRow, Rejects};
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { rows: 3, bytes: 1 << 20, age_ms: 1000 };

    fn push(shelf: &mut Shelf<Rejects>, partition: i32, offset: i64, appended_ms: i64, now_ms: i64) {
        let record = RecordId { topic_id: TopicId(7), partition, offset };
        let reason = Reason { code: Code::Malformed, field: String::new(), detail: "d".to_owned() };
        let row = RejectRow {
            record,
            topic: "t",
            reason: &reason,
            appended_ms,
            first_seen_ms: 5,
            payload: b"x",
            origin: record,
            key: None,
            headers: &[],
        };
        shelf.push((record, appended_ms), false, &row, now_ms);
    }

    #[test]
    fn a_block_is_due_by_rows_or_by_age() {
        let mut shelf = Shelf::<Rejects>::new(LIMITS);
        push(&mut shelf, 0, 1, 10, 100);
        push(&mut shelf, 0, 2, 10, 100);
        assert!(shelf.take_due(1099).is_none());
        assert_eq!(shelf.take_due(1100).map(|filled| filled.block.rows()), Some(2));
        for offset in 0..3 {
            push(&mut shelf, 0, offset, 10, 100);
        }
        assert_eq!(shelf.take_due(100).map(|filled| filled.block.rows()), Some(3));
        assert!(shelf.take_due(9999).is_none() && shelf.take_any().is_none());
    }

    #[test]
    fn a_token_differs_when_any_row_differs() {
        let token = |offsets: &[i64]| {
            let mut shelf = Shelf::<Rejects>::new(LIMITS);
            offsets.iter().for_each(|offset| push(&mut shelf, 0, *offset, 10, 0));
            shelf.take_any().unwrap().token("rejects_rows")
        };
        assert_eq!(token(&[1, 2, 4]), token(&[1, 2, 4]));
        assert_ne!(token(&[1, 2, 4]), token(&[1, 3, 4]), "same span, other rows");
        assert!(token(&[1, 2]).starts_with("rejects_rows/0/2/00000000000000000000000000000007/0/1-2/"));
    }

    proptest! {
        /// `ARC-3`, and no row is lost or doubled, whatever the days and partitions.
        #[test]
        fn a_block_holds_one_day(rows in proptest::collection::vec((0i32..3, 0i64..6), 0..200)) {
            let mut shelf = Shelf::<Rejects>::new(LIMITS);
            let mut blocks = Vec::new();
            for (offset, (partition, day)) in (0i64..).zip(&rows) {
                push(&mut shelf, *partition, offset, day * DAY_MS + offset, 0);
                while let Some(filled) = shelf.take_due(0) { blocks.push(filled); }
                prop_assert!(shelf.open.len() <= MAX_OPEN_DAYS);
            }
            while let Some(filled) = shelf.take_any() { blocks.push(filled); }
            prop_assert_eq!(blocks.iter().map(|filled| filled.block.rows()).sum::<usize>(), rows.len());
            for filled in &blocks {
                prop_assert_eq!(filled.oldest_ms.div_euclid(DAY_MS), filled.day);
                for span in &filled.spans {
                    for end in [span.first, span.last] {
                        let (_, day) = rows[usize::try_from(end).unwrap()];
                        prop_assert_eq!(day, filled.day);
                    }
                }
            }
        }
    }
}
