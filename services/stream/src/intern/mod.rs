//! Names become numbers once, where they enter; what travels and what is kept are numbers.
//!
//! Kinds, metrics and areas are numbered for the whole process (they cross workers), entities in their partition (they never do).
//! Numbers mean nothing outside the process and are never saved or sent.

mod areas;
mod entities;
mod kinds;
mod metrics;

pub(crate) use areas::{AreaName, View, Views, with_above};
pub(crate) use entities::{Entities, Entity, Id, Whereabouts};
pub(crate) use kinds::Kinds;
pub(crate) use metrics::MetricNames;
