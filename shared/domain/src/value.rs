//! Measured values as fixed point, so that sums do not depend on the order of their parts (`DOM-2`).

use serde::{Deserialize, Serialize};

/// Steps per unit: a value is kept in millionths.
pub const SCALE: i64 = 1_000_000;

/// Largest magnitude a single value may have, in units. Larger ones are rejected, never clipped.
pub const MAX_UNITS: f64 = 1e12;

/// What [`f64::round`] gives for a number below 2⁶³, without the call that is of a baseline x86-64: what is cut off is exact.
#[inline]
fn nearest(number: f64) -> i64 {
    let whole = number as i64;
    let rest = number - whole as f64;
    whole + i64::from(rest >= 0.5) - i64::from(rest <= -0.5)
}

/// A measured number in millionths of its unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Fixed(pub i64);

impl Fixed {
    /// Rounds half away from zero to the nearest millionth; `None` when not finite or beyond [`MAX_UNITS`].
    #[inline]
    pub fn from_f64(value: f64) -> Option<Self> {
        // NaN fails this comparison as well.
        if value.abs() <= MAX_UNITS { Some(Self(nearest(value * SCALE as f64))) } else { None }
    }

    /// The value in units.
    #[inline]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(number: f64) {
        assert_eq!(nearest(number), number.round() as i64, "{number}");
    }

    #[test]
    fn halves_go_away_from_zero_and_what_is_just_below_does_not() {
        for number in
            [0.0, 0.5, 1.5, 2.5, 0.5f64.next_down(), 1.5f64.next_down(), 4_503_599_627_370_495.5, 1e18, 9.9e17]
        {
            check(number);
            check(-number);
        }
    }

    proptest! {
        #[test]
        fn the_nearest_is_what_the_standard_library_says(number in -1e18..1e18f64, small in -1e6..1e6f64) {
            check(number);
            check(small);
            check((small * 2.0).trunc() / 2.0);
        }
    }
}
