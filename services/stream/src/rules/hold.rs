//! An offence: begun, held for as long as its rule asks, raised, over. The same for every rule that holds something against somebody.
//!
//! A rule with hours looks in them only. What begins in a period ends with it at the latest: an offence that has not held long enough by
//! then is none, and an open alert is cleared at that moment.

use super::{Phase, change::Open};
use crate::windows::At;
use gridwarden_domain::rule::Hours;
use std::sync::Arc;

/// How long an offence must go on to be one, and in which hours it may.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hold {
    /// In milliseconds of event time.
    pub(crate) ms: i64,
    /// Always when there are none.
    pub(crate) hours: Option<Arc<Hours>>,
}

impl Hold {
    /// Whether a record of an event time is looked at.
    #[inline]
    pub(crate) fn looks_at(&self, time: i64) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.hold(time))
    }

    /// When the period ends in which this began.
    fn end(&self, phase: &Phase) -> Option<i64> {
        let began = match phase {
            Phase::Pending { since, .. } => *since,
            Phase::Open(open) => open.raised_at,
            Phase::Way(_) | Phase::Ordered(_) => return None,
        };
        self.hours.as_ref()?.end_after(began)
    }

    /// What happens when nobody says anything, and when.
    pub(crate) fn falls(&self, phase: &Phase) -> Option<(i64, Step)> {
        let end = self.end(phase);
        match phase {
            Phase::Pending { since, first } => {
                let due = since.saturating_add(self.ms);
                let step = Step::Raise { time: due, first: *first, and_clear: false };
                Some(end.filter(|end| *end <= due).map_or((due, step), |end| (end, Step::Drop)))
            }
            Phase::Open(open) => Some((end?, Step::Clear(*open))),
            Phase::Way(_) | Phase::Ordered(_) => None,
        }
    }

    /// What was over with its period before a record of an event time came, and when.
    pub(crate) fn over(&self, phase: &Phase, time: i64) -> Option<(i64, Step)> {
        let end = self.end(phase).filter(|end| *end <= time)?;
        match phase {
            Phase::Pending { since, first } if since.saturating_add(self.ms) < end => {
                Some((end, Step::Raise { time: since.saturating_add(self.ms), first: *first, and_clear: true }))
            }
            Phase::Pending { .. } => Some((end, Step::Drop)),
            Phase::Open(open) => Some((end, Step::Clear(*open))),
            Phase::Way(_) | Phase::Ordered(_) => None,
        }
    }
}

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
    /// An offence begins that must hold.
    Hold,
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
    /// The alert, told anew.
    Update(Open),
    /// The alert is cleared.
    Clear(Open),
}

/// Decides. Until a source says otherwise what it said last stands: an offence that ends after it was due has been one.
/// `update_s`: how often an open alert is told anew.
pub(crate) fn step((hold_ms, update_s): (i64, u32), phase: Option<&Phase>, sign: Sign) -> Step {
    let Sign { offends, clears, time, at } = sign;
    match phase {
        None if !offends => Step::Stay,
        None if hold_ms == 0 => Step::Raise { time, first: at, and_clear: false },
        None => Step::Hold,
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
        Some(Phase::Open(open)) => open.updated(time, update_s).map_or(Step::Stay, Step::Update),
        Some(Phase::Way(_) | Phase::Ordered(_)) => Step::Stay,
    }
}
