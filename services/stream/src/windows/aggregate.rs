//! What is known of a set of values: count, sum, smallest, largest, last. One cache line.
//!
//! `WIN-1` an aggregate is a function of the *set* of its values: adding and merging give the same in any order. Sums are
//! whole numbers (millionths), "last" is the greatest by (time, partition, offset), which is total.

use serde::{Deserialize, Serialize};

/// Where a record stands among all partitions read: partition number in the upper 16 bits, offset below.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct At(pub(crate) u64);

impl At {
    const OFFSET_BITS: u32 = 48;

    /// `part` counts partitions over all topics read.
    pub(crate) fn new(part: u16, offset: i64) -> Self {
        Self((u64::from(part) << Self::OFFSET_BITS) | (offset as u64 & ((1 << Self::OFFSET_BITS) - 1)))
    }

    /// The partition's number.
    pub(crate) fn part(self) -> u16 {
        (self.0 >> Self::OFFSET_BITS) as u16
    }

    /// The offset.
    pub(crate) fn offset(self) -> i64 {
        (self.0 & ((1 << Self::OFFSET_BITS) - 1)) as i64
    }
}

/// Aggregate of values in millionths.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Aggregate {
    /// Sum.
    pub(crate) sum: i128,
    /// Number of values; 0 means the rest says nothing.
    pub(crate) count: u64,
    /// Smallest.
    pub(crate) min: i64,
    /// Largest.
    pub(crate) max: i64,
    /// Last by (time, partition, offset).
    pub(crate) last: i64,
    /// Its event time.
    pub(crate) last_time: i64,
    /// Its place in the log.
    pub(crate) last_at: At,
}

impl Aggregate {
    /// Of no values.
    pub(crate) const EMPTY: Self =
        Self { sum: 0, count: 0, min: i64::MAX, max: i64::MIN, last: 0, last_time: i64::MIN, last_at: At(0) };

    /// Adds one value.
    #[inline]
    pub(crate) fn add(&mut self, value: i64, time: i64, at: At) {
        self.count += 1;
        self.sum += i128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if (time, at) >= (self.last_time, self.last_at) {
            (self.last, self.last_time, self.last_at) = (value, time, at);
        }
    }

    /// Adds all values of another, whose records are not among ours.
    #[inline]
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if (other.last_time, other.last_at) >= (self.last_time, self.last_at) {
            (self.last, self.last_time, self.last_at) = (other.last, other.last_time, other.last_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_one_cache_line() {
        assert_eq!(size_of::<Aggregate>(), 64);
    }

    #[test]
    fn places_keep_their_offset_and_order() {
        assert!(At::new(1, 0) > At::new(0, (1 << 48) - 1));
        assert!(At::new(3, 8) > At::new(3, 7));
        assert_eq!(At::new(65535, 123_456_789_012).offset(), 123_456_789_012);
    }

    proptest! {
        #[test]
        fn neither_order_nor_grouping_matters(
            values in prop::collection::vec((any::<i32>(), 0i64..50, 0u16..4), 1..60),
            cut in 0usize..60,
            turn in 0usize..60,
        ) {
            let of = |items: &[(usize, (i32, i64, u16))]| {
                let mut sum = Aggregate::EMPTY;
                for (offset, (value, time, part)) in items {
                    sum.add(i64::from(*value), *time, At::new(*part, *offset as i64));
                }
                sum
            };
            let mut items: Vec<_> = values.into_iter().enumerate().collect();
            let whole = of(&items);
            let turn = turn % items.len();
            items.rotate_left(turn);
            items.reverse();
            let cut = cut.min(items.len());
            let (left, right) = items.split_at(cut);
            let mut merged = of(left);
            merged.merge(&of(right));
            prop_assert_eq!(merged, whole);
            let mut other_way = of(right);
            other_way.merge(&of(left));
            prop_assert_eq!(other_way, whole);
        }
    }
}
