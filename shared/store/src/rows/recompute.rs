//! Rows of `recomputes`: what was counted again.

use super::sealed;
use crate::native::{Declared, Encoder, Kind, MILLIS, SECONDS, U32, U64};

/// A recompute whose rows are all there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecomputeRow<'a> {
    /// In the versions of its rows.
    pub generation: u32,
    /// Windows from here on, epoch seconds ...
    pub first_s: u32,
    /// ... and before.
    pub end_s: u32,
    /// The layer; empty: all.
    pub layer: &'a str,
    /// With the layers in force for records appended then, if later than the record; 0: as they were.
    pub layers_of_ms: i64,
    /// Everything appended before (epoch ms) was in the archive.
    pub archived_ms: i64,
    /// Rows written.
    pub rows: u64,
    /// When, epoch ms.
    pub done_ms: i64,
}

/// Table `recomputes_rows`.
pub struct Recomputes;

impl sealed::Table for Recomputes {
    type Row<'a> = RecomputeRow<'a>;
    const NAME: &'static str = "recomputes_rows";
    const COLUMNS: &'static [Declared] = &[
        ("generation", U32),
        ("first", SECONDS),
        ("end", SECONDS),
        ("layer", Kind::Low),
        ("layers_of", MILLIS),
        ("archived", MILLIS),
        ("rows", U64),
        ("done_at", MILLIS),
    ];

    fn encode(row: &RecomputeRow<'_>, out: &mut Encoder<'_>) {
        out.u32(row.generation);
        out.u32(row.first_s);
        out.u32(row.end_s);
        out.str(row.layer);
        out.i64(row.layers_of_ms);
        out.i64(row.archived_ms);
        out.u64(row.rows);
        out.i64(row.done_ms);
    }
}
