//! Rows of `replays`: messages sent again after they were rejected, and taken then.

use super::{day, sealed};
use crate::encode::Encoder;
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
    const COLUMNS: &'static str =
        "topic_id, partition, offset, appended_at, origin_topic_id, origin_partition, origin_offset, repeat";

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
