//! The threshold: a value beyond a level, cleared at another level, raised after a hold.

use super::{Phase, change::Open};
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

/// What a value does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Nothing.
    Stay,
    /// An offence begins that must hold until `due`.
    Hold {
        /// Event time at which the alert is raised if nothing ends it before.
        due: i64,
    },
    /// The offence ended before it had held long enough.
    Drop,
    /// The alert is raised: offending since `first`.
    Raise {
        /// Event time of the raise.
        time: i64,
        /// The record with which the offence began.
        first: At,
        /// Whether the same value clears it again: it held long enough, but is over.
        and_clear: bool,
    },
    /// The alert is cleared.
    Clear(Open),
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
        match self.side {
            Side::Above => value > self.level,
            Side::Below => value < self.level,
        }
    }

    /// Whether the value clears a raised alert.
    fn clears(&self, value: Fixed) -> bool {
        match self.side {
            Side::Above => value <= self.clear,
            Side::Below => value >= self.clear,
        }
    }

    /// What a value at an event time does to an entity in a phase.
    pub(crate) fn step(&self, phase: Option<&Phase>, value: Fixed, time: i64, at: At) -> Step {
        match phase {
            None if !self.offends(value) => Step::Stay,
            None if self.hold_ms == 0 => Step::Raise { time, first: at, and_clear: false },
            None => Step::Hold { due: time.saturating_add(self.hold_ms) },
            Some(Phase::Pending { since, first }) => {
                let due = since.saturating_add(self.hold_ms);
                // Until a source says otherwise its last value stands.
                if time >= due {
                    Step::Raise { time: due, first: *first, and_clear: self.clears(value) }
                } else if self.offends(value) {
                    Step::Stay
                } else {
                    Step::Drop
                }
            }
            Some(Phase::Open(open)) if self.clears(value) => Step::Clear(*open),
            Some(Phase::Open(_)) => Step::Stay,
        }
    }
}
