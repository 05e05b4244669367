//! Rows of `stream_counts` and `archive_counts`: what became of what a process has read.

use super::sealed;
use crate::native::{Declared, Encoder, Kind, MILLIS, U64};

/// Counts of a process since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountsRow<'a> {
    /// When it started (epoch ms) and its number.
    pub process: &'a str,
    /// When, epoch ms.
    pub at_ms: i64,
    /// Read, then: accepted, duplicate, late, rejected, marker, in flight.
    pub counts: [u64; 7],
}

/// Table `stream_counts_rows`.
pub struct StreamCounts;

/// Table `archive_counts_rows`.
pub struct ArchiveCounts;

const COLUMNS: &[Declared] = &[
    ("process", Kind::Text),
    ("at", MILLIS),
    ("read", U64),
    ("accepted", U64),
    ("duplicate", U64),
    ("late", U64),
    ("rejected", U64),
    ("marker", U64),
    ("in_flight", U64),
];

fn encode(row: &CountsRow<'_>, out: &mut Encoder<'_>) {
    out.str(row.process);
    out.i64(row.at_ms);
    row.counts.iter().for_each(|count| out.u64(*count));
}

impl sealed::Table for StreamCounts {
    type Row<'a> = CountsRow<'a>;
    const NAME: &'static str = "stream_counts_rows";
    const COLUMNS: &'static [Declared] = COLUMNS;

    fn encode(row: &CountsRow<'_>, out: &mut Encoder<'_>) {
        encode(row, out);
    }
}

impl sealed::Table for ArchiveCounts {
    type Row<'a> = CountsRow<'a>;
    const NAME: &'static str = "archive_counts_rows";
    const COLUMNS: &'static [Declared] = COLUMNS;

    fn encode(row: &CountsRow<'_>, out: &mut Encoder<'_>) {
        encode(row, out);
    }
}
