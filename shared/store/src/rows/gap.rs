//! Rows of `gaps`: offsets at which the archive has nothing to archive.

use super::sealed;
use crate::native::{Declared, Encoder, Kind, MILLIS, U32, U64, UUID};
use gridwarden_domain::identity::TopicId;

/// Why nothing is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum GapKind {
    /// The log holds no record there: ends of transactions, aborted ones, compaction.
    Empty,
    /// Retention deleted the records before they were archived, and going on without them was allowed.
    Lost,
    /// Below the log's start; all of it is archived or noted as lost.
    Settled,
}

impl GapKind {
    /// As it stands in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Lost => "lost",
            Self::Settled => "settled",
        }
    }
}

/// Offsets `first..end` of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GapRow {
    /// Topic.
    pub topic_id: TopicId,
    /// Partition.
    pub partition: i32,
    /// First offset.
    pub first: i64,
    /// One past the last.
    pub end: i64,
    /// Why.
    pub kind: GapKind,
    /// When, epoch milliseconds: of an empty one the append time of the record after it.
    pub noted_ms: i64,
}

/// Table `gaps_rows`.
pub struct Gaps;

impl sealed::Table for Gaps {
    type Row<'a> = GapRow;
    const NAME: &'static str = "gaps_rows";
    const COLUMNS: &'static [Declared] = &[
        ("topic_id", UUID),
        ("partition", U32),
        ("first_offset", U64),
        ("end_offset", U64),
        ("kind", Kind::Low),
        ("noted_at", MILLIS),
    ];

    fn encode(row: &GapRow, out: &mut Encoder<'_>) {
        out.uuid(row.topic_id.0);
        out.u32(row.partition.max(0) as u32);
        out.u64(row.first.max(0) as u64);
        out.u64(row.end.max(0) as u64);
        out.str(row.kind.as_str());
        out.i64(row.noted_ms);
    }
}
