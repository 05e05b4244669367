//! ClickHouse's Native format, written by hand: values go into columns as rows come, and a block leaves column by column.
//!
//! RowBinary cost the engine three times as much for the same rows (`infra/adr/0018`). Layout:
//! <https://clickhouse.com/docs/interfaces/formats/Native>, of protocol revision 0 (what an HTTP insert speaks): number of columns
//! and rows, then for each column its name, its type and its data. `LowCardinality` is a dictionary of the block's own.

mod column;
mod dictionary;
mod encoder;
mod kind;

pub(crate) use column::Column;
pub(crate) use encoder::Encoder;
pub(crate) use kind::{
    BOOL, DECIMAL18, DECIMAL38, FLOATS, Kind, MILLIS, NULLABLE_F32, NULLABLE_F64, NULLABLE_MILLIS, SECONDS, U16, U32,
    U64, UUID,
};

use std::borrow::Cow;

/// A column as it is declared: name, kind.
pub(crate) type Declared = (&'static str, Kind);

/// LEB128, as lengths are written.
#[inline]
fn length(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(out: &mut Vec<u8>, value: &[u8]) {
    length(out, value.len());
    out.extend_from_slice(value);
}

/// A block in pieces, in the order they are sent.
pub(crate) fn pieces<'c>(columns: &'c [Column], declared: &[Declared], rows: usize) -> Vec<Cow<'c, [u8]>> {
    let mut head = Vec::new();
    length(&mut head, columns.len());
    length(&mut head, rows);
    let mut pieces = Vec::with_capacity(4 * columns.len() + 1);
    for (column, (name, kind)) in columns.iter().zip(declared) {
        text(&mut head, name.as_bytes());
        text(&mut head, kind.text().as_bytes());
        pieces.push(Cow::Owned(std::mem::take(&mut head)));
        column.pieces(&mut pieces);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_leb128() {
        let cases = [(0, vec![0]), (127, vec![127]), (128, vec![0x80, 1]), (300, vec![0xac, 2])];
        for (value, bytes) in cases {
            let mut out = Vec::new();
            length(&mut out, value);
            assert_eq!(out, bytes);
        }
    }

    /// Byte by byte what the engine's own `SELECT … FORMAT Native` gives for these two rows.
    #[test]
    fn a_block_is_columns_with_their_names_and_types() {
        let declared: [Declared; 3] = [("a", U16), ("b", Kind::Text), ("c", Kind::Lows)];
        let mut columns: Vec<Column> = declared.iter().map(|(_, kind)| Column::new(*kind)).collect();
        for (number, said, words) in [(1u16, "x", &["l", "m"][..]), (2, "", &["l"][..])] {
            let mut out = Encoder::new(&mut columns);
            out.u16(number);
            out.str(said);
            out.strs(words.iter().copied());
            out.end();
        }
        let block = pieces(&columns, &declared, 2).concat();
        let mut expected = Vec::new();
        expected.extend(b"\x03\x02\x01a\x06UInt16\x01\x00\x02\x00");
        expected.extend(b"\x01b\x06String\x01x\x00");
        expected.extend(b"\x01c\x1dArray(LowCardinality(String))");
        // Version of the dictionary's form, ends of the lists, index of one byte with keys of the block's own.
        for number in [1u64, 2, 3, 0x600, 2] {
            expected.extend(number.to_le_bytes());
        }
        expected.extend(b"\x01l\x01m");
        expected.extend(3u64.to_le_bytes());
        expected.extend(b"\x00\x01\x00");
        assert_eq!(block, expected);
    }
}
