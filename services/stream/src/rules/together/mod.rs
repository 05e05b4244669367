//! Rules over several entities: [`density`], [`proximity`], [`cluster`], [`window`]. Pure: what is seen comes in, in the order of event time;
//! verdicts come out. They know no geometry but distances, no watermark and no partition.
//!
//! * `TOG-1` what a rule says is a function of what it sees in the order of (time, partition, offset) alone: not of when it comes.
//! * `TOG-2` nothing is kept for longer than the rule's `within_s`.

mod cluster;
mod density;
mod offences;
mod present;
mod proximity;
mod saved;
mod window;

pub(crate) use cluster::Terms as ClusterTerms;
pub(crate) use density::{OWN, Terms as DensityTerms};
pub(crate) use offences::Turn;
pub(crate) use proximity::{SELECTED, TO, Terms as ProximityTerms};
pub(crate) use saved::{Saved, SavedState};
pub(crate) use window::Terms as WindowTerms;

use super::{change::subject_id, hold::Hold};
use crate::windows::At;
use cluster::Cluster;
use density::Density;
use gridwarden_domain::{
    alert::{AreaRef, MOST_EVIDENCE, Subject, Transition},
    identity::RecordId,
    rule::{
        Condition, Rule,
        together::{Density as DensityDocument, Place, Window as WindowDocument},
    },
};
use proximity::Proximity;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use window::Window;

/// Where and when a record saw something.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spot {
    /// Event time.
    pub(crate) time: i64,
    /// The record.
    pub(crate) at: At,
    /// Its append time.
    pub(crate) appended: i64,
    /// `[lon, lat]`.
    pub(crate) position: [f64; 2],
    /// Metres of error, as claimed.
    pub(crate) accuracy_m: Option<f32>,
    /// Whether it is made up.
    pub(crate) simulated: bool,
}

impl Spot {
    fn order(&self) -> (i64, At) {
        (self.time, self.at)
    }
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// Of whom or what.
    pub(crate) subject: Subject,
    /// What became of the alert.
    pub(crate) turn: Turn,
    /// What caused it.
    pub(crate) cause: Spot,
    /// How many there were, or what they came to.
    pub(crate) value: Option<f64>,
    /// What shows it, oldest first; nothing shows an end.
    pub(crate) evidence: Vec<At>,
}

/// What rules say.
pub(crate) type Verdicts = Vec<Verdict>;

/// What a rule is asked with.
pub(crate) struct About<'a> {
    /// The document.
    pub(crate) rule: &'a Rule,
    /// The identity of a record.
    pub(crate) identity: &'a dyn Fn(At) -> RecordId,
    /// The name of an area.
    pub(crate) area: &'a dyn Fn(u32) -> AreaRef,
}

impl About<'_> {
    fn id(&self, subject: &Subject, first: At) -> u128 {
        let (kind, name) = subject.named();
        subject_id(&self.rule.id, (kind, &name), (self.identity)(first))
    }

    /// What only the rule names.
    fn itself(&self) -> Subject {
        Subject::Place(self.rule.id.clone())
    }

    fn place(&self, place: u32) -> Subject {
        match &self.rule.condition {
            Condition::Density(DensityDocument { place: Place::Area(area), .. })
            | Condition::Window(WindowDocument { place: Place::Area(area), .. }) => Subject::Area(area.clone()),
            Condition::Density(DensityDocument { place: Place::Each(_), .. })
            | Condition::Window(WindowDocument { place: Place::Each(_), .. }) => Subject::Area((self.area)(place)),
            _ => self.itself(),
        }
    }
}

/// The newest records of those that show an alert, in order.
fn evidence(transition: Transition, records: impl Iterator<Item = At>) -> Vec<At> {
    if !transition.is_open() {
        return Vec::new();
    }
    let mut records: Vec<At> = records.collect();
    records.sort_unstable();
    records.dedup();
    let beyond = records.len().saturating_sub(MOST_EVIDENCE);
    records.split_off(beyond)
}

/// What a rule over several entities remembers.
#[derive(Debug)]
pub(crate) enum State {
    /// See [`density`].
    Density(Box<Density>),
    /// See [`proximity`].
    Proximity(Box<Proximity>),
    /// See [`cluster`].
    Cluster(Box<Cluster>),
    /// See [`window`].
    Window(Box<Window>),
}

/// What a rule is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sight<'s> {
    /// An entity in these places and in no other.
    Places(&'s [u32]),
    /// An entity of these sides of a proximity.
    Sides(u8),
    /// An event.
    Event,
    /// A value in these places, in millionths.
    Value(&'s [u32], i64),
}

impl State {
    /// Of a rule that has seen nothing yet; none when it is no rule over several entities.
    pub(crate) fn of(rule: &Rule, hold: &Hold) -> Option<Self> {
        let hold = hold.clone();
        Some(match &rule.condition {
            Condition::Density(density) => Self::Density(Box::new(Density::new(DensityTerms::of(density), hold))),
            Condition::Proximity(proximity) => {
                Self::Proximity(Box::new(Proximity::new(ProximityTerms::of(proximity), hold)))
            }
            Condition::Cluster(cluster) => Self::Cluster(Box::new(Cluster::new(ClusterTerms::of(cluster), hold.hours))),
            Condition::Window(window) => Self::Window(Box::new(Window::new(WindowTerms::of(window), hold.hours))),
            Condition::Threshold(_) | Condition::Fence(_) | Condition::Silence(_) => return None,
        })
    }

    /// Shows it something; never anything older than before.
    pub(crate) fn see(&mut self, source: &str, spot: Spot, sight: Sight<'_>, way: (&About<'_>, &mut Verdicts)) {
        match (self, sight) {
            (Self::Density(density), Sight::Places(places)) => density.see(source, spot, places, way),
            (Self::Proximity(proximity), Sight::Sides(sides)) => proximity.see(source, spot, sides, way),
            (Self::Cluster(cluster), Sight::Event) => cluster.see(source, spot, way),
            (Self::Window(window), Sight::Value(places, value)) => window.see(spot, places, value),
            _ => {}
        }
    }

    /// When something may happen though nobody speaks.
    pub(crate) fn next_due(&self) -> Option<i64> {
        match self {
            Self::Density(density) => density.next_due(),
            Self::Proximity(proximity) => proximity.next_due(),
            Self::Cluster(cluster) => cluster.next_due(),
            Self::Window(window) => window.next_due(),
        }
    }

    /// Lets the first of that happen, at the moment [`State::next_due`] says.
    pub(crate) fn fall_due(&mut self, moment: i64, way: (&About<'_>, &mut Verdicts)) {
        match self {
            Self::Density(density) => density.fall_due(moment, way),
            Self::Proximity(proximity) => proximity.fall_due(moment, way),
            Self::Cluster(cluster) => cluster.fall_due(moment, way),
            Self::Window(window) => window.fall_due(moment, way),
        }
    }

    /// The rule is no longer in force: what is open ends.
    pub(crate) fn end(&mut self, time: i64, cause: Spot, way: (&About<'_>, &mut Verdicts)) {
        match self {
            Self::Density(density) => density.end(time, cause, way),
            Self::Proximity(proximity) => proximity.end(time, cause, way.1),
            Self::Cluster(cluster) => cluster.end(time, way),
            Self::Window(window) => window.end(time, way),
        }
    }

    /// Whether it must be shown an entity though the rule does not look at it any more.
    pub(crate) fn knows(&self, source: &str) -> bool {
        match self {
            Self::Density(density) => density.knows(source),
            Self::Proximity(proximity) => proximity.knows(source),
            Self::Cluster(_) | Self::Window(_) => false,
        }
    }

    /// Sources that are in one of its places.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Arc<str>> {
        let density = match self {
            Self::Density(density) => Some(density.sources()),
            _ => None,
        };
        density.into_iter().flatten()
    }

    /// How much it remembers.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Density(density) => density.len(),
            Self::Proximity(proximity) => proximity.len(),
            Self::Cluster(cluster) => cluster.len(),
            Self::Window(window) => window.len(),
        }
    }
}

#[cfg(test)]
mod tests;
