//! Rows of `area_sketches`: what `stream` writes of metrics whose city asks for quantiles or the number of sources.

use super::sealed;
use crate::native::{BOOL, Declared, Encoder, Kind, SECONDS, U32, U64};
use gridwarden_domain::value::Fixed;

/// The sketch of one window of area × metric.
#[derive(Clone, Copy, Debug)]
pub struct AreaSketchRow<'a> {
    /// Layer id.
    pub layer: &'a str,
    /// Level id.
    pub level: &'a str,
    /// Area code.
    pub code: &'a str,
    /// Metric name.
    pub metric: &'a str,
    /// Length of the window in seconds.
    pub window_s: u32,
    /// Start of the window, epoch seconds.
    pub start_s: u32,
    /// See [`metric_version`](super::metric_version).
    pub version: u64,
    /// Number of events.
    pub events: u64,
    /// Values that stand for buckets and the events in them, rising.
    pub buckets: &'a [(Fixed, u64)],
    /// Registers and their ranks, rising.
    pub registers: &'a [(u16, u8)],
    /// Whether the watermark had passed the window when the row was made.
    pub closed: bool,
}

/// Table `area_sketches_rows`.
pub struct AreaSketches;

impl sealed::Table for AreaSketches {
    type Row<'a> = AreaSketchRow<'a>;
    const NAME: &'static str = "area_sketches_rows";
    const COLUMNS: &'static [Declared] = &[
        ("layer", Kind::Low),
        ("level", Kind::Low),
        ("code", Kind::Text),
        ("metric", Kind::Low),
        ("window_s", U32),
        ("window_start", SECONDS),
        ("version", U64),
        ("events", U64),
        ("buckets", Kind::List(8, "Array(Decimal(18, 6))")),
        ("bucket_events", Kind::List(8, "Array(UInt64)")),
        ("registers", Kind::List(2, "Array(UInt16)")),
        ("ranks", Kind::List(1, "Array(UInt8)")),
        ("closed", BOOL),
    ];

    fn encode(row: &AreaSketchRow<'_>, out: &mut Encoder<'_>) {
        out.str(row.layer);
        out.str(row.level);
        out.str(row.code);
        out.str(row.metric);
        out.u32(row.window_s);
        out.u32(row.start_s);
        out.u64(row.version);
        out.u64(row.events);
        out.list(row.buckets.iter().map(|(value, _)| value.0.to_le_bytes()));
        out.list(row.buckets.iter().map(|(_, events)| events.to_le_bytes()));
        out.list(row.registers.iter().map(|(register, _)| register.to_le_bytes()));
        out.list(row.registers.iter().map(|(_, rank)| [*rank]));
        out.bool(row.closed);
    }
}
