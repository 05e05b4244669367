//! Buckets for quantiles: a DDSketch whose borders are whole numbers, so that the same value lies in the same bucket on every
//! machine.
//!
//! `SKE-2` the value that stands for a bucket differs from every value in it by at most 1 % of the latter: a quantile read from
//! buckets is within 1 % of the value that stands at its rank.

use gridwarden_domain::value::Fixed;
use std::sync::LazyLock;

/// The place of the bucket of 0; those of positive values rise from there, those of negative ones fall.
pub(super) const ZERO: u16 = 8_192;

/// A bucket of magnitudes, in millionths: the largest in it, and the one that stands for it.
#[derive(Clone, Copy)]
struct Bucket {
    last: u64,
    stands: u64,
}

/// By magnitude, rising, from 1 to all there are: about 2,050.
static BUCKETS: LazyLock<Vec<Bucket>> = LazyLock::new(|| {
    let mut buckets = Vec::new();
    let mut first = 1u128;
    while first <= u128::from(i64::MIN.unsigned_abs()) {
        // At most 1 % above the smallest in it, and 1 % below the largest.
        let stands = first * 101 / 100;
        let last = stands * 100 / 99;
        let within = |magnitude: u128| u64::try_from(magnitude).unwrap_or(u64::MAX);
        buckets.push(Bucket { last: within(last), stands: within(stands) });
        first = last + 1;
    }
    buckets
});

/// The place of a value in millionths.
pub(super) fn place(value: i64) -> u16 {
    let magnitude = value.unsigned_abs();
    if magnitude == 0 {
        return ZERO;
    }
    let number = BUCKETS.partition_point(|bucket| bucket.last < magnitude) as u16 + 1;
    if value > 0 { ZERO + number } else { ZERO - number }
}

/// What stands for the values at a place.
pub(super) fn value(place: u16) -> Fixed {
    let number = place.abs_diff(ZERO);
    let Some(before) = number.checked_sub(1) else { return Fixed(0) };
    let stands = BUCKETS.get(usize::from(before)).map_or(u64::MAX, |bucket| bucket.stands);
    let stands = i64::try_from(stands).unwrap_or(i64::MAX);
    Fixed(if place > ZERO { stands } else { -stands })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_leave_room_on_both_sides() {
        assert!((2_000..2_100).contains(&BUCKETS.len()), "{}", BUCKETS.len());
        assert_eq!((place(0), place(1), place(-1), place(2)), (ZERO, ZERO + 1, ZERO - 1, ZERO + 2));
        assert!(place(i64::MIN) > super::super::registers::COUNT);
        assert!(usize::from(place(i64::MAX)) <= usize::from(ZERO) + BUCKETS.len());
    }

    #[test]
    fn where_buckets_lie_is_fixed_for_ever() {
        // Saved state and rows depend on these: 1, 12.5, and the largest there is. Reckoned by another program.
        assert_eq!([1_000_000, 12_500_000, i64::MAX].map(place), [8_749, 8_876, 10_242]);
        assert_eq!([8_749, 8_876].map(|place| value(place).0), [993_763, 12_601_636]);
    }

    fn values() -> impl Strategy<Value = i64> {
        prop_oneof![
            any::<i64>(),
            -1_000i64..1_000,
            (0u32..63).prop_map(|bit| 1i64 << bit),
            -100_000_000i64..100_000_000
        ]
    }

    proptest! {
        #[test]
        fn what_stands_for_a_value_is_within_one_percent(value in values()) {
            let stands = super::value(place(value)).0;
            let error = i128::from(stands) - i128::from(value);
            prop_assert!(error.abs() * 100 <= i128::from(value).abs(), "{value} {stands}");
            prop_assert_eq!(place(stands), place(value), "it lies in its own bucket");
        }

        #[test]
        fn places_rise_with_values(one in values(), other in values()) {
            prop_assert_eq!(one.cmp(&other).is_lt() && place(one) > place(other), false);
        }
    }
}
