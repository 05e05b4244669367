//! RowBinary, written by hand: a row is appended to the block's bytes without an intermediate value.
//!
//! Layout: <https://clickhouse.com/docs/interfaces/formats/RowBinary>. `LowCardinality(T)` is written as `T`.

use gridwarden_domain::identity::RecordId;

/// Appends values in RowBinary.
pub(crate) struct Encoder<'o>(pub(crate) &'o mut Vec<u8>);

impl Encoder<'_> {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Also `DateTime64(3)` in milliseconds and `Decimal(18, s)` in units of its scale.
    pub(crate) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Also `Decimal(38, s)` in units of its scale.
    pub(crate) fn i128(&mut self, value: i128) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn f32(&mut self, value: f32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// LEB128, as lengths are written.
    pub(crate) fn length(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.length(value.len());
        self.0.extend_from_slice(value);
    }

    pub(crate) fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// `Nullable(T)`.
    pub(crate) fn nullable<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => {
                self.u8(0);
                write(self, value);
            }
            None => self.u8(1),
        }
    }

    /// `Array(T)`, and `Map(K, V)` as an array of pairs.
    pub(crate) fn array<T>(&mut self, items: impl ExactSizeIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.length(items.len());
        for item in items {
            write(self, item);
        }
    }

    /// ClickHouse keeps a UUID as two little-endian halves, the high one first.
    pub(crate) fn uuid(&mut self, value: u128) {
        self.u64((value >> 64) as u64);
        self.u64(value as u64);
    }

    /// `topic_id UUID, partition UInt32, offset UInt64`. Kafka knows neither a negative partition nor a negative offset.
    pub(crate) fn record(&mut self, record: RecordId) {
        self.uuid(record.topic_id.0);
        self.u32(record.partition.max(0) as u32);
        self.u64(record.offset.max(0) as u64);
    }

    /// `area_layers Array(String), area_codes Array(String)`.
    pub(crate) fn areas(&mut self, areas: &[(&str, &str)]) {
        self.array(areas.iter(), |e, (layer, _)| e.str(layer));
        self.array(areas.iter(), |e, (_, code)| e.str(code));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(write: impl FnOnce(&mut Encoder<'_>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut Encoder(&mut bytes));
        bytes
    }

    #[test]
    fn lengths_are_leb128() {
        let cases = [(0, vec![0]), (127, vec![127]), (128, vec![0x80, 1]), (300, vec![0xac, 2])];
        for (length, bytes) in cases {
            assert_eq!(encoded(|e| e.length(length)), bytes);
        }
    }

    #[test]
    fn a_missing_value_is_one_byte() {
        assert_eq!(encoded(|e| e.nullable(None, Encoder::f64)), [1]);
        assert_eq!(encoded(|e| e.nullable(Some(7), Encoder::u8)), [0, 7]);
    }

    #[test]
    fn a_uuid_is_two_halves() {
        let bytes = encoded(|e| e.uuid(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff));
        assert_eq!(bytes[..2], [0x77, 0x66]);
        assert_eq!(bytes[8..10], [0xff, 0xee]);
    }
}
