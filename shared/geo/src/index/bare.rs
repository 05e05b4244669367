//! Bare ground: squares no area touches, a bit each, or a bit for some beside each other. Where areas are far between, most points are
//! answered by it, and it fits into a cache; the raster does not.

use super::AreaIndex;
use crate::ahead::ask_for_item;

/// Most bits: half a mebibyte, half of a usual second-level cache.
const MAX_BITS: usize = 1 << 22;
const WORD: usize = u64::BITS as usize;

/// The squares of an index that no area touches.
#[derive(Default)]
pub(crate) struct BareGround {
    /// Squares per bit, as a power of two.
    shift: u32,
    /// Set where there may be an area.
    touched: Vec<u64>,
}

impl BareGround {
    /// Of an index.
    pub(crate) fn of(index: &AreaIndex) -> Self {
        Self::within(index, MAX_BITS)
    }

    pub(super) fn within(index: &AreaIndex, max_bits: usize) -> Self {
        let bits = |shift: u32| index.squares.len().div_ceil(1 << shift);
        let shift = (0..usize::BITS).find(|shift| bits(*shift) <= max_bits.max(1)).unwrap_or_default();
        let mut ground = Self { shift, touched: vec![0; bits(shift).div_ceil(WORD)] };
        for (square, _) in index.squares.iter().enumerate().filter(|(_, code)| **code != 0) {
            let (word, bit) = ground.place(square);
            if let Some(word) = ground.touched.get_mut(word) {
                *word |= 1 << bit;
            }
        }
        ground
    }

    /// Whether no area is anywhere near a square: of one for which this is false the index knows more.
    #[inline]
    pub(crate) fn is_bare(&self, square: usize) -> bool {
        let (word, bit) = self.place(square);
        self.touched.get(word).is_none_or(|word| word >> bit & 1 == 0)
    }

    /// Asks for what [`BareGround::is_bare`] will look at.
    #[inline]
    pub(crate) fn ask(&self, square: usize) {
        ask_for_item(&self.touched, self.place(square).0);
    }

    #[inline]
    fn place(&self, square: usize) -> (usize, usize) {
        let bit = square >> self.shift;
        (bit / WORD, bit % WORD)
    }

    /// Bytes held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.touched.len() * size_of::<u64>()
    }
}
