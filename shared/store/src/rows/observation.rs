//! Rows of `observations`, `rejects` and `markers`: what `archive` writes.

use super::{Areas, day, sealed};
use crate::native::{BOOL, Declared, Encoder, FLOATS, Kind, MILLIS, NULLABLE_F32, NULLABLE_F64, U32, U64, UUID};
use gridwarden_domain::{
    identity::RecordId,
    observation::{ObservationRef, Position},
    reject::Reason,
    value::Fixed,
};
use std::borrow::Cow;

/// An observation with its identity and its places.
pub struct ObservationRow<'a> {
    /// Where the record stands.
    pub record: RecordId,
    /// Append time, epoch milliseconds. All rows of a block must share its UTC day (`STO-3`).
    pub appended_ms: i64,
    /// Feed, empty for live ones.
    pub feed: &'a str,
    /// What was said.
    pub said: Said<'a>,
    /// Its position, or the registered one of a fixed entity.
    pub position: Option<Position>,
    /// Areas that contain it, every layer and level, leaf first.
    pub areas: Areas<'a>,
    /// Whether it came later than `max_age`.
    pub late: bool,
    /// Whether it was made up by `simulate`.
    pub simulated: bool,
}

/// What an observation says, borrowed part by part: its lists make an [`ObservationRef`] invariant, so that a borrowed whole
/// could not be put beside shorter-lived areas.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    id: &'a str,
    source: &'a str,
    kind: &'a str,
    time_ms: i64,
    values: &'a [(Cow<'a, str>, Fixed)],
    attributes: &'a [(Cow<'a, str>, Cow<'a, str>)],
}

impl<'a> Said<'a> {
    /// Borrows from an observation.
    pub fn of<'payload: 'a>(observation: &'a ObservationRef<'payload>) -> Self {
        Self {
            id: observation.id.as_deref().unwrap_or(""),
            source: &observation.source,
            kind: &observation.kind,
            time_ms: observation.time_ms,
            values: &observation.values,
            attributes: &observation.attributes,
        }
    }
}

/// Table `observations_rows`.
pub struct Observations;

impl sealed::Table for Observations {
    type Row<'a> = ObservationRow<'a>;
    const NAME: &'static str = "observations_rows";
    const COLUMNS: &'static [Declared] = &[
        ("topic_id", UUID),
        ("partition", U32),
        ("offset", U64),
        ("appended_at", MILLIS),
        ("time", MILLIS),
        ("feed", Kind::Low),
        ("source", Kind::Text),
        ("kind", Kind::Low),
        ("id", Kind::Text),
        ("lon", NULLABLE_F64),
        ("lat", NULLABLE_F64),
        ("accuracy_m", NULLABLE_F32),
        ("area_layers", Kind::Lows),
        ("area_codes", Kind::Texts),
        ("value_names", Kind::Lows),
        ("value_numbers", FLOATS),
        ("attributes", Kind::LowMap),
        ("late", BOOL),
        ("simulated", BOOL),
    ];

    fn partition(row: &ObservationRow<'_>) -> i64 {
        day(row.appended_ms)
    }

    fn encode(row: &ObservationRow<'_>, out: &mut Encoder<'_>) {
        let said = row.said;
        out.record(row.record);
        out.i64(row.appended_ms);
        out.i64(said.time_ms);
        out.str(row.feed);
        out.str(said.source);
        out.str(said.kind);
        out.str(said.id);
        position(out, row.position);
        out.areas(row.areas);
        out.strs(said.values.iter().map(|(name, _)| &**name));
        out.floats(said.values.iter().map(|(_, value)| value.to_f64()));
        out.map(said.attributes.iter().map(|(name, text)| (name.as_ref(), text.as_bytes())));
        out.bool(row.late);
        out.bool(row.simulated);
    }
}

/// `lon Nullable(Float64), lat Nullable(Float64), accuracy_m Nullable(Float32)`.
pub(super) fn position(out: &mut Encoder<'_>, position: Option<Position>) {
    out.nullable_f64(position.map(|p| p.lon));
    out.nullable_f64(position.map(|p| p.lat));
    out.nullable_f32(position.and_then(|p| p.accuracy_m));
}

/// A record that holds nothing to archive: the end of a feed.
pub struct MarkerRow<'a> {
    /// Where the record stands.
    pub record: RecordId,
    /// Append time, epoch milliseconds. All rows of a block must share its UTC day (`STO-3`).
    pub appended_ms: i64,
    /// The feed that ends.
    pub feed: &'a str,
}

/// Table `markers_rows`.
pub struct Markers;

impl sealed::Table for Markers {
    type Row<'a> = MarkerRow<'a>;
    const NAME: &'static str = "markers_rows";
    const COLUMNS: &'static [Declared] =
        &[("topic_id", UUID), ("partition", U32), ("offset", U64), ("appended_at", MILLIS), ("feed", Kind::Low)];

    fn partition(row: &MarkerRow<'_>) -> i64 {
        day(row.appended_ms)
    }

    fn encode(row: &MarkerRow<'_>, out: &mut Encoder<'_>) {
        out.record(row.record);
        out.i64(row.appended_ms);
        out.str(row.feed);
    }
}

/// A message that was not taken.
pub struct RejectRow<'a> {
    /// Where the message stands.
    pub record: RecordId,
    /// Name of the topic it stands in.
    pub topic: &'a str,
    /// Why.
    pub reason: &'a Reason,
    /// Append time, epoch milliseconds. All rows of a block must share its UTC day (`STO-3`).
    pub appended_ms: i64,
    /// When it was first rejected, epoch milliseconds.
    pub first_seen_ms: i64,
    /// The original bytes.
    pub payload: &'a [u8],
    /// Where the message stood first; where it stands unless it was sent again.
    pub origin: RecordId,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Those of its headers that say how it is read.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// Table `rejects_rows`.
pub struct Rejects;

impl sealed::Table for Rejects {
    type Row<'a> = RejectRow<'a>;
    const NAME: &'static str = "rejects_rows";
    const COLUMNS: &'static [Declared] = &[
        ("topic_id", UUID),
        ("partition", U32),
        ("offset", U64),
        ("topic", Kind::Low),
        ("code", Kind::Low),
        ("field", Kind::Text),
        ("detail", Kind::Text),
        ("appended_at", MILLIS),
        ("first_seen", MILLIS),
        ("payload", Kind::Text),
        ("origin_topic_id", UUID),
        ("origin_partition", U32),
        ("origin_offset", U64),
        ("key", Kind::NullableText),
        ("headers", Kind::TextMap),
    ];

    fn partition(row: &RejectRow<'_>) -> i64 {
        day(row.appended_ms)
    }

    fn encode(row: &RejectRow<'_>, out: &mut Encoder<'_>) {
        out.record(row.record);
        out.str(row.topic);
        out.str(row.reason.code.as_str());
        out.str(&row.reason.field);
        out.str(&row.reason.detail);
        out.i64(row.appended_ms);
        out.i64(row.first_seen_ms);
        out.bytes(row.payload);
        out.record(row.origin);
        out.nullable_bytes(row.key);
        out.map(row.headers.iter().copied());
    }
}
