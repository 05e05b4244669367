//! The values of one column of a block.

use super::{dictionary::Dictionary, kind::Kind, text};
use std::borrow::Cow;

/// Values of one column.
pub(crate) struct Column {
    pub(super) kind: Kind,
    /// Values of a fixed width, texts with their lengths, floats; of a map its values.
    pub(super) bytes: Vec<u8>,
    /// 1 where there is no value.
    pub(super) nulls: Vec<u8>,
    /// Where each list ends, in values since the beginning.
    pub(super) ends: Vec<u64>,
    /// Keys of a map that are not in a dictionary.
    pub(super) keys: Vec<u8>,
    pub(super) words: Dictionary,
}

impl Column {
    pub(crate) fn new(kind: Kind) -> Self {
        let (words, keys) = (Dictionary::default(), Vec::new());
        Self { kind, bytes: Vec::new(), nulls: Vec::new(), ends: Vec::new(), keys, words }
    }

    /// Room for so many rows more.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.bytes.reserve(rows * self.kind.usual());
        match self.kind {
            Kind::Low => self.words.reserve(rows),
            Kind::Nullable(..) | Kind::NullableText => self.nulls.reserve(rows),
            kind if kind.is_list() => self.ends.reserve(rows),
            _ => {}
        }
    }

    /// An empty column with room for what this one holds.
    pub(crate) fn like(&self) -> Self {
        let mut column = Self::new(self.kind);
        column.bytes.reserve(self.bytes.len());
        column.nulls.reserve(self.nulls.len());
        column.ends.reserve(self.ends.len());
        column.keys.reserve(self.keys.len());
        column.words.reserve(self.words.len());
        column
    }

    /// Ends a list of so many values.
    pub(super) fn end_list(&mut self, values: u64) {
        let before = self.ends.last().copied().unwrap_or(0);
        self.ends.push(before + values);
    }

    /// Appends a text, where this column keeps texts.
    #[inline]
    pub(super) fn push_text(&mut self, value: &[u8]) {
        match self.kind.is_low() {
            true => self.words.push(value),
            false => text(&mut self.bytes, value),
        }
    }

    /// Forgets the values, keeps the room.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.nulls.clear();
        self.ends.clear();
        self.keys.clear();
        self.words.clear();
    }

    /// Bytes it will take, about.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + self.nulls.len() + self.ends.len() * size_of::<u64>() + self.keys.len() + self.words.size()
    }

    pub(super) fn pieces<'c>(&'c self, out: &mut Vec<Cow<'c, [u8]>>) {
        if self.kind.is_low() {
            out.push(Dictionary::version());
        }
        if self.kind.is_list() {
            out.push(Cow::Owned(self.ends.iter().flat_map(|end| end.to_le_bytes()).collect()));
        }
        for bytes in [&self.nulls, &self.keys] {
            out.push(Cow::Borrowed(bytes));
        }
        self.words.pieces(out);
        out.push(Cow::Borrowed(&self.bytes));
    }
}
