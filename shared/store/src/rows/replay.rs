//! Rows of `replays`: messages sent again after they were rejected, and taken then.

use super::{day, sealed};
use crate::native::{BOOL, Declared, Encoder, MILLIS, U32, U64, UUID};
use gridwarden_domain::identity::RecordId;

/// A message sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplayRow {
    /// Where it stands now.
    pub record: RecordId,
    /// Append time, epoch milliseconds. All rows of a block must share its UTC day (`STO-3`).
    pub appended_ms: i64,
    /// Where it stood first.
    pub origin: RecordId,
    /// Whether another record of that origin counts.
    pub repeat: bool,
}

/// Table `replays_rows`.
pub struct Replays;

impl sealed::Table for Replays {
    type Row<'a> = ReplayRow;
    const NAME: &'static str = "replays_rows";
    const COLUMNS: &'static [Declared] = &[
        ("topic_id", UUID),
        ("partition", U32),
        ("offset", U64),
        ("appended_at", MILLIS),
        ("origin_topic_id", UUID),
        ("origin_partition", U32),
        ("origin_offset", U64),
        ("repeat", BOOL),
    ];

    fn partition(row: &ReplayRow) -> i64 {
        day(row.appended_ms)
    }

    fn encode(row: &ReplayRow, out: &mut Encoder<'_>) {
        out.record(row.record);
        out.i64(row.appended_ms);
        out.record(row.origin);
        out.bool(row.repeat);
    }
}
