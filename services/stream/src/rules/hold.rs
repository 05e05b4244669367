//! An offence: begun, held for as long as its rule asks, raised, over. The same for every rule that looks at single entities.

use super::{Phase, change::Open};
use crate::windows::At;

/// What a record says of an offence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sign {
    /// It goes on, or begins.
    pub(crate) offends: bool,
    /// A raised alert is over. Never together with `offends`.
    pub(crate) clears: bool,
    /// Event time.
    pub(crate) time: i64,
    /// The record.
    pub(crate) at: At,
}

/// What it does.
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
        /// Whether the same record clears it again: it held long enough, but is over.
        and_clear: bool,
    },
    /// The alert is cleared.
    Clear(Open),
}

/// Decides. Until a source says otherwise what it said last stands: an offence that ends after it was due has been one.
pub(crate) fn step(hold_ms: i64, phase: Option<&Phase>, sign: Sign) -> Step {
    let Sign { offends, clears, time, at } = sign;
    match phase {
        None if !offends => Step::Stay,
        None if hold_ms == 0 => Step::Raise { time, first: at, and_clear: false },
        None => Step::Hold { due: time.saturating_add(hold_ms) },
        Some(Phase::Pending { since, first }) => {
            let due = since.saturating_add(hold_ms);
            if time >= due {
                Step::Raise { time: due, first: *first, and_clear: clears }
            } else if offends {
                Step::Stay
            } else {
                Step::Drop
            }
        }
        Some(Phase::Open(open)) if clears => Step::Clear(*open),
        Some(Phase::Open(_)) => Step::Stay,
    }
}
