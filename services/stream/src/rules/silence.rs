//! Silence: an entity that spoke, and has said nothing for as long as its rule asks.
//!
//! Whoever speaks is waited for from then on ([`Phase::Pending`] since what he said last). There is one timer for each entity and
//! rule: it is not moved with every message, but looks, when it is due, at when the entity spoke last, and waits on.

use super::{Phase, hold::Step};

/// What a message at an event time ends; afterwards the entity is waited for from that time on. None when the message is older than
/// what was heard last.
pub(crate) fn hear(after_ms: i64, phase: Option<&Phase>, time: i64) -> Option<Step> {
    match phase {
        None => Some(Step::Stay),
        Some(Phase::Pending { since, .. }) if time < *since => None,
        Some(Phase::Pending { since, first }) => {
            let due = since.saturating_add(after_ms);
            // It was silent for too long, as this message shows.
            Some(if time > due { Step::Raise { time: due, first: *first, and_clear: true } } else { Step::Stay })
        }
        Some(Phase::Open(open)) => Some(Step::Clear(*open)),
    }
}
