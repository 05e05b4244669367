//! Silence: an entity that spoke, and has said nothing for as long as its rule asks.
//!
//! Whoever speaks is waited for from then on ([`Phase::Pending`] since what he said last). There is one timer for each entity and
//! rule: it is not moved with every message, but looks, when it is due, at when the entity spoke last, and waits on.

use super::Phase;
use crate::windows::At;

/// What a message does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    /// It is older than what was heard last.
    Nothing,
    /// Waiting begins; a timer is needed.
    Begin,
    /// It was heard in time: waiting goes on from here, with the timer there is.
    GoOn,
    /// It was silent for too long, as this message shows: since `first`, to be raised for `due` and cleared at once.
    TooLate {
        /// Event time at which the silence was too long.
        due: i64,
        /// What was heard before it.
        first: At,
    },
    /// It speaks again.
    Again,
}

/// Decides about a message at an event time.
pub(crate) fn hear(after_ms: i64, phase: Option<&Phase>, time: i64) -> Heard {
    match phase {
        None => Heard::Begin,
        Some(Phase::Pending { since, .. }) if time < *since => Heard::Nothing,
        Some(Phase::Pending { since, first }) => {
            let due = since.saturating_add(after_ms);
            if time > due { Heard::TooLate { due, first: *first } } else { Heard::GoOn }
        }
        Some(Phase::Open(_)) => Heard::Again,
    }
}
