//! Rows of `area_metrics` and `entity_latest`: what `stream` writes.

use super::{Areas, sealed};
use crate::native::{
    BOOL, DECIMAL18, DECIMAL38, Declared, Encoder, FLOATS, Kind, MILLIS, NULLABLE_F64, SECONDS, U32, U64,
};
use gridwarden_domain::{observation::Position, value::Fixed};

/// Version of a window's row: it rises only with truth (recompute generation, then admitted events).
pub fn metric_version(generation: u32, count: u64) -> u64 {
    const COUNT_BITS: u32 = 40;
    (u64::from(generation) << COUNT_BITS) | count.min((1 << COUNT_BITS) - 1)
}

/// Version of an entity's latest state: event time, then the low bits of the offset.
pub fn entity_version(time_ms: i64, offset: i64) -> u64 {
    const OFFSET_BITS: u32 = 20;
    ((time_ms.max(0) as u64) << OFFSET_BITS) | (offset as u64 & ((1 << OFFSET_BITS) - 1))
}

/// One window of area × metric.
#[derive(Clone, Copy, Debug)]
pub struct AreaMetricRow<'a> {
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
    /// See [`metric_version`].
    pub version: u64,
    /// Number of admitted values.
    pub count: u64,
    /// Sum in millionths.
    pub sum: i128,
    /// Smallest value.
    pub min: Fixed,
    /// Largest value.
    pub max: Fixed,
    /// Value of the last by (time, partition, offset).
    pub last: Fixed,
    /// Event time of `last`, epoch milliseconds.
    pub last_ms: i64,
    /// Whether the watermark had passed the window when the row was made.
    pub closed: bool,
}

/// Table `area_windows_rows`.
pub struct AreaMetrics;

impl sealed::Table for AreaMetrics {
    type Row<'a> = AreaMetricRow<'a>;
    const NAME: &'static str = "area_windows_rows";
    const COLUMNS: &'static [Declared] = &[
        ("layer", Kind::Low),
        ("level", Kind::Low),
        ("code", Kind::Text),
        ("metric", Kind::Low),
        ("window_s", U32),
        ("window_start", SECONDS),
        ("version", U64),
        ("count", U64),
        ("sum", DECIMAL38),
        ("min", DECIMAL18),
        ("max", DECIMAL18),
        ("last", DECIMAL18),
        ("last_time", MILLIS),
        ("closed", BOOL),
    ];

    fn encode(row: &AreaMetricRow<'_>, out: &mut Encoder<'_>) {
        out.str(row.layer);
        out.str(row.level);
        out.str(row.code);
        out.str(row.metric);
        out.u32(row.window_s);
        out.u32(row.start_s);
        out.u64(row.version);
        out.u64(row.count);
        out.i128(row.sum);
        out.i64(row.min.0);
        out.i64(row.max.0);
        out.i64(row.last.0);
        out.i64(row.last_ms);
        out.bool(row.closed);
    }
}

/// The latest state of an entity.
#[derive(Clone, Copy, Debug)]
pub struct EntityLatestRow<'a> {
    /// Entity id.
    pub source: &'a str,
    /// Kind of entity.
    pub kind: &'a str,
    /// See [`entity_version`].
    pub version: u64,
    /// Event time, epoch milliseconds.
    pub time_ms: i64,
    /// Append time, epoch milliseconds.
    pub appended_ms: i64,
    /// Feed, empty for live ones.
    pub feed: &'a str,
    /// Where it was.
    pub position: Option<Position>,
    /// Areas that contain it, every layer and level, leaf first.
    pub areas: Areas<'a>,
    /// Values by name.
    pub values: &'a [(&'a str, Fixed)],
}

/// Table `entity_latest_rows`.
pub struct EntityLatest;

impl sealed::Table for EntityLatest {
    type Row<'a> = EntityLatestRow<'a>;
    const NAME: &'static str = "entity_latest_rows";
    const COLUMNS: &'static [Declared] = &[
        ("source", Kind::Text),
        ("kind", Kind::Low),
        ("version", U64),
        ("time", MILLIS),
        ("appended_at", MILLIS),
        ("feed", Kind::Low),
        ("lon", NULLABLE_F64),
        ("lat", NULLABLE_F64),
        ("area_layers", Kind::Lows),
        ("area_codes", Kind::Texts),
        ("value_names", Kind::Lows),
        ("value_numbers", FLOATS),
    ];

    fn encode(row: &EntityLatestRow<'_>, out: &mut Encoder<'_>) {
        out.str(row.source);
        out.str(row.kind);
        out.u64(row.version);
        out.i64(row.time_ms);
        out.i64(row.appended_ms);
        out.str(row.feed);
        out.nullable_f64(row.position.map(|p| p.lon));
        out.nullable_f64(row.position.map(|p| p.lat));
        out.areas(row.areas);
        out.strs(row.values.iter().map(|(name, _)| &**name));
        out.floats(row.values.iter().map(|(_, value)| value.to_f64()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rise_with_truth() {
        assert!(metric_version(0, 6) > metric_version(0, 5));
        assert!(metric_version(1, 0) > metric_version(0, u64::MAX));
        assert!(entity_version(2, 0) > entity_version(1, 9));
        assert!(entity_version(2, 9) > entity_version(2, 8));
    }
}
