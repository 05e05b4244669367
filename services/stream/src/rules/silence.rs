//! Silence: an entity that spoke, and has said nothing for as long as its rule asks.
//!
//! Whoever speaks is waited for from then on ([`Phase::Pending`] since what he said last). There is one timer for each entity and
//! rule: it is not moved with every message, but looks, when it is due, at when the entity spoke last, and waits on. An open alert stays
//! open when the rule's hours end: who is silent is silent.

use super::{
    Phase,
    hold::{Hold, Step},
};

/// When an entity that spoke last at a moment has been silent for too long. Hours say when that may be raised: what falls due outside
/// of them is due when they begin. None when they never do.
pub(crate) fn due(hold: &Hold, since: i64) -> Option<i64> {
    let due = since.saturating_add(hold.ms);
    hold.hours.as_ref().map_or(Some(due), |hours| hours.first_from(due))
}

/// What a message at an event time ends; afterwards the entity is waited for from that time on. None when the message is older than
/// what was heard last.
pub(crate) fn hear(hold: &Hold, phase: Option<&Phase>, time: i64) -> Option<Step> {
    match phase {
        None | Some(Phase::Way(_) | Phase::Ordered(_)) => Some(Step::Stay),
        Some(Phase::Pending { since, .. }) if time < *since => None,
        Some(Phase::Pending { since, first }) => {
            // It was silent for too long, as this message shows.
            let due = due(hold, *since).filter(|due| time > *due);
            Some(due.map_or(Step::Stay, |time| Step::Raise { time, first: *first, and_clear: true }))
        }
        Some(Phase::Open(open)) => Some(Step::Clear(*open)),
    }
}
