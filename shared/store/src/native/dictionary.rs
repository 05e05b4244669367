//! The words of a `LowCardinality` column of one block, and which word stands where.

use super::length;
use hashbrown::HashMap;
use std::borrow::Cow;

/// Version of the form: dictionaries shared between blocks, with keys of the block's own.
const VERSION: u64 = 1;
/// The keys stand in the block, and are all there are.
const KEYS_HERE: u64 = 1 << 9 | 1 << 10;

/// Words and where they stand.
#[derive(Default)]
pub(super) struct Dictionary {
    numbers: HashMap<Box<[u8]>, u32, foldhash::fast::FixedState>,
    /// The words as they are sent, by number.
    keys: Vec<u8>,
    /// Where each word lies among them.
    spans: Vec<(usize, usize)>,
    /// Numbers of the words, in order of the values.
    places: Vec<u32>,
}

impl Dictionary {
    /// Room for so many values more.
    pub(super) fn reserve(&mut self, values: usize) {
        self.places.reserve(values);
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    #[inline]
    pub(super) fn push(&mut self, word: &[u8]) {
        // Words come in runs.
        let number = match self.places.last() {
            Some(last) if self.word(*last) == Some(word) => *last,
            _ => self.number(word),
        };
        self.places.push(number);
    }

    fn word(&self, number: u32) -> Option<&[u8]> {
        let (from, to) = *self.spans.get(number as usize)?;
        self.keys.get(from..to)
    }

    fn number(&mut self, word: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = self.spans.len() as u32;
        length(&mut self.keys, word.len());
        let from = self.keys.len();
        self.keys.extend_from_slice(word);
        self.spans.push((from, self.keys.len()));
        self.numbers.insert(word.into(), number);
        number
    }

    /// Forgets all words, keeps the room.
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.keys.clear();
        self.spans.clear();
        self.places.clear();
    }

    /// Bytes it will take, about.
    pub(super) fn size(&self) -> usize {
        self.keys.len() + self.places.len() * self.width()
    }

    fn width(&self) -> usize {
        match self.spans.len() {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        }
    }

    /// What stands before a column's data.
    pub(super) fn version() -> Cow<'static, [u8]> {
        Cow::Owned(VERSION.to_le_bytes().to_vec())
    }

    /// The words and where they stand; nothing where there is no value.
    pub(super) fn pieces<'c>(&'c self, out: &mut Vec<Cow<'c, [u8]>>) {
        if self.places.is_empty() {
            return;
        }
        let width = self.width();
        let index = KEYS_HERE | width.trailing_zeros() as u64;
        let mut head = index.to_le_bytes().to_vec();
        head.extend((self.spans.len() as u64).to_le_bytes());
        out.push(Cow::Owned(head));
        out.push(Cow::Borrowed(&self.keys));
        let mut places = Vec::with_capacity(8 + self.places.len() * width);
        places.extend((self.places.len() as u64).to_le_bytes());
        match width {
            1 => places.extend(self.places.iter().map(|number| *number as u8)),
            2 => self.places.iter().for_each(|number| places.extend((*number as u16).to_le_bytes())),
            _ => self.places.iter().for_each(|number| places.extend(number.to_le_bytes())),
        }
        out.push(Cow::Owned(places));
    }
}
