//! One row on its way into the columns: each call fills the next column.

use super::{column::Column, kind::Kind, text};
use gridwarden_domain::identity::RecordId;

/// Takes the values of one row, in the order of the columns.
pub(crate) struct Encoder<'c> {
    columns: &'c mut [Column],
    at: usize,
}

impl<'c> Encoder<'c> {
    pub(crate) fn new(columns: &'c mut [Column]) -> Self {
        Self { columns, at: 0 }
    }

    /// After the last value: a row that is not whole would put all columns out of step.
    pub(crate) fn end(self) {
        debug_assert_eq!(self.at, self.columns.len(), "a row has a value for each column");
    }

    #[inline]
    fn next(&mut self, fits: impl FnOnce(Kind) -> bool) -> Option<&mut Column> {
        let column = self.columns.get_mut(self.at);
        debug_assert!(
            column.as_ref().is_some_and(|column| fits(column.kind)),
            "column {} holds something else",
            self.at
        );
        self.at += 1;
        column
    }

    #[inline]
    fn fixed<const N: usize>(&mut self, value: [u8; N]) {
        if let Some(column) = self.next(|kind| matches!(kind, Kind::Fixed(width, _) if width == N)) {
            column.bytes.extend_from_slice(&value);
        }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.fixed([value]);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.fixed([u8::from(value)]);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.fixed(value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.fixed(value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.fixed(value.to_le_bytes());
    }

    /// Also `DateTime64(3)` in milliseconds and `Decimal(18, s)` in units of its scale.
    pub(crate) fn i64(&mut self, value: i64) {
        self.fixed(value.to_le_bytes());
    }

    /// Also `Decimal(38, s)` in units of its scale.
    pub(crate) fn i128(&mut self, value: i128) {
        self.fixed(value.to_le_bytes());
    }

    /// ClickHouse keeps a UUID as two little-endian halves, the high one first.
    pub(crate) fn uuid(&mut self, value: u128) {
        self.fixed::<16>(value.rotate_left(64).to_le_bytes());
    }

    /// `topic_id UUID, partition UInt32, offset UInt64`. Kafka knows neither a negative partition nor a negative offset.
    pub(crate) fn record(&mut self, record: RecordId) {
        self.uuid(record.topic_id.0);
        self.u32(record.partition.max(0) as u32);
        self.u64(record.offset.max(0) as u64);
    }

    #[inline]
    fn nullable<const N: usize>(&mut self, value: Option<[u8; N]>) {
        if let Some(column) = self.next(|kind| matches!(kind, Kind::Nullable(width, _) if width == N)) {
            column.nulls.push(u8::from(value.is_none()));
            column.bytes.extend_from_slice(&value.unwrap_or([0; N]));
        }
    }

    pub(crate) fn nullable_f64(&mut self, value: Option<f64>) {
        self.nullable(value.map(f64::to_le_bytes));
    }

    pub(crate) fn nullable_f32(&mut self, value: Option<f32>) {
        self.nullable(value.map(f32::to_le_bytes));
    }

    pub(crate) fn nullable_i64(&mut self, value: Option<i64>) {
        self.nullable(value.map(i64::to_le_bytes));
    }

    /// `Nullable(String)`.
    pub(crate) fn nullable_bytes(&mut self, value: Option<&[u8]>) {
        if let Some(column) = self.next(|kind| kind == Kind::NullableText) {
            column.nulls.push(u8::from(value.is_none()));
            text(&mut column.bytes, value.unwrap_or_default());
        }
    }

    /// `String` or `LowCardinality(String)`.
    #[inline]
    pub(crate) fn bytes(&mut self, value: &[u8]) {
        if let Some(column) = self.next(|kind| matches!(kind, Kind::Text | Kind::Low)) {
            column.push_text(value);
        }
    }

    /// The same.
    #[inline]
    pub(crate) fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// `Array` of either.
    pub(crate) fn strs<'v>(&mut self, values: impl Iterator<Item = &'v str>) {
        let Some(column) = self.next(|kind| matches!(kind, Kind::Texts | Kind::Lows)) else { return };
        let mut count = 0;
        for value in values {
            count += 1;
            column.push_text(value.as_bytes());
        }
        column.end_list(count);
    }

    /// `Array` of a type of fixed width.
    pub(crate) fn list<const N: usize>(&mut self, values: impl Iterator<Item = [u8; N]>) {
        let Some(column) = self.next(|kind| matches!(kind, Kind::List(width, _) if width == N)) else { return };
        let mut count = 0;
        for value in values {
            count += 1;
            column.bytes.extend_from_slice(&value);
        }
        column.end_list(count);
    }

    /// `Array(Float64)`.
    pub(crate) fn floats(&mut self, values: impl Iterator<Item = f64>) {
        self.list(values.map(f64::to_le_bytes));
    }

    /// `Map` of either to `String`.
    pub(crate) fn map<'v>(&mut self, entries: impl Iterator<Item = (&'v str, &'v [u8])>) {
        let Some(column) = self.next(|kind| matches!(kind, Kind::TextMap | Kind::LowMap)) else { return };
        let mut count = 0;
        for (key, value) in entries {
            count += 1;
            match column.kind.is_low() {
                true => column.words.push(key.as_bytes()),
                false => text(&mut column.keys, key.as_bytes()),
            }
            text(&mut column.bytes, value);
        }
        column.end_list(count);
    }

    /// `area_layers Array(LowCardinality(String)), area_codes Array(String)`.
    pub(crate) fn areas(&mut self, areas: &[(&str, &str)]) {
        self.strs(areas.iter().map(|(layer, _)| *layer));
        self.strs(areas.iter().map(|(_, code)| *code));
    }
}
