//! The threshold: a value beyond a level, cleared at another level, raised after a hold.

use super::{
    Phase,
    hold::{self, Sign, Step},
};
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
    /// How long a value must offend, in milliseconds of event time.
    pub(crate) hold_ms: i64,
}

impl Levels {
    pub(crate) fn of(document: &Threshold) -> Option<Self> {
        let level = Fixed::from_f64(document.level)?;
        let clear = document.clear.map_or(Some(level), Fixed::from_f64)?;
        Some(Self { side: document.side, level, clear, hold_ms: i64::from(document.hold_s) * 1000 })
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

    /// What a value at an event time does to an entity in a phase.
    pub(crate) fn step(&self, phase: Option<&Phase>, value: Fixed, time: i64, at: At) -> Step {
        let sign = Sign { offends: self.offends(value), clears: self.clears(value), time, at };
        hold::step(self.hold_ms, phase, sign)
    }
}
