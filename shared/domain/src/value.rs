//! Measured values as fixed point, so that sums do not depend on the order of their parts (`DOM-2`).

use serde::{Deserialize, Serialize};

/// Steps per unit: a value is kept in millionths.
pub const SCALE: i64 = 1_000_000;

/// Largest magnitude a single value may have, in units. Larger ones are rejected, never clipped.
pub const MAX_UNITS: f64 = 1e12;

/// A measured number in millionths of its unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Fixed(pub i64);

impl Fixed {
    /// Rounds half away from zero to the nearest millionth; `None` when not finite or beyond [`MAX_UNITS`].
    #[inline]
    pub fn from_f64(value: f64) -> Option<Self> {
        // NaN fails this comparison as well.
        if value.abs() <= MAX_UNITS { Some(Self((value * SCALE as f64).round() as i64)) } else { None }
    }

    /// The value in units.
    #[inline]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }
}
