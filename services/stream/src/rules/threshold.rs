//! The threshold: a value beyond a level, cleared at another level, raised after a hold.

use super::hold::Sign;
use crate::windows::At;
use gridwarden_domain::{
    rule::{Side, Threshold},
    value::Fixed,
};

/// A threshold in fixed point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Levels {
    side: Side,
    level: Fixed,
    clear: Fixed,
}

impl Levels {
    pub(crate) fn of(document: &Threshold) -> Option<Self> {
        let level = Fixed::from_f64(document.level)?;
        let clear = document.clear.map_or(Some(level), Fixed::from_f64)?;
        Some(Self { side: document.side, level, clear })
    }

    /// Whether the value is beyond the level.
    #[inline]
    pub(crate) fn offends(&self, value: Fixed) -> bool {
        self.side.is_beyond(value, self.level)
    }

    /// Whether the value clears a raised alert.
    fn clears(&self, value: Fixed) -> bool {
        !self.side.is_beyond(value, self.clear)
    }

    /// What a value at an event time says.
    pub(crate) fn sign(&self, value: Fixed, time: i64, at: At) -> Sign {
        Sign { offends: self.offends(value), clears: self.clears(value), time, at }
    }
}
