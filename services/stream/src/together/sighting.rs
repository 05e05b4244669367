//! What a record saw, for rules over several entities.

use crate::rules::together::Spot;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// What a record saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sighting {
    /// Where and when.
    pub(crate) spot: Spot,
    /// Its partition's highest append time: it says which rules are in force (`RUL-3`).
    pub(crate) known: i64,
    /// Watermark domain.
    pub(crate) domain: u8,
    /// The worker it is for.
    pub(crate) to: u16,
    /// Entity id, or the report's.
    pub(crate) source: Box<str>,
    /// Of what kind.
    pub(crate) what: What,
}

/// What kind of record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum What {
    /// An observation: kind; values by metric, in millionths.
    Observation(u16, SmallVec<[(u32, i64); 2]>),
    /// A report: its class's code.
    Report(Box<str>),
}
