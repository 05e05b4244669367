//! Rows of `stream_counts` and `archive_counts`: what became of what a process has read.

use super::sealed;
use crate::encode::Encoder;

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

const COLUMNS: &str = "process, at, read, accepted, duplicate, late, rejected, marker, in_flight";

fn encode(row: &CountsRow<'_>, out: &mut Encoder<'_>) {
    out.str(row.process);
    out.i64(row.at_ms);
    row.counts.iter().for_each(|count| out.u64(*count));
}

impl sealed::Table for StreamCounts {
    type Row<'a> = CountsRow<'a>;
    const NAME: &'static str = "stream_counts_rows";
    const COLUMNS: &'static str = COLUMNS;

    fn encode(row: &CountsRow<'_>, out: &mut Encoder<'_>) {
        encode(row, out);
    }
}

impl sealed::Table for ArchiveCounts {
    type Row<'a> = CountsRow<'a>;
    const NAME: &'static str = "archive_counts_rows";
    const COLUMNS: &'static str = COLUMNS;

    fn encode(row: &CountsRow<'_>, out: &mut Encoder<'_>) {
        encode(row, out);
    }
}
