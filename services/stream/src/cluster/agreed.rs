//! Numbers that mean the same in every process: the process that leads gives them out, the others ask it.
//!
//! What crosses processes are numbers of areas, metrics and domains, and all pieces of a checkpoint are read with one list of names.
//! A process asks once for each name it has not met, with a worker that waits for the answer: names are few and stay.
//! Answers are what came after what the asker has, in the order it was numbered: asking twice does no harm.
//!
//! `CLU-2` a number is given out by one process and never changes: no two names share one, no name has two.

use crate::{
    checkpoint::{AreaForm, DomainForm},
    shared::{Lore, World},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a process wants to know. `from`: how many it has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Metrics; wanted is a kind, or a value of a kind.
    Metrics { from: u32, wanted: Option<(String, Option<String>)> },
    /// Areas.
    Areas { from: u32, wanted: Vec<AreaForm> },
    /// Rules.
    Rules { from: u32, wanted: Vec<String> },
    /// Watermark domains; wanted is that of a feed in a topic.
    Domains { wanted: Option<(u16, u16)> },
}

/// What a process is told: all that was numbered since.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Tail {
    /// Metrics, in the order they were made.
    Metrics { from: u32, metrics: Vec<MetricForm> },
    /// Areas, by number.
    Areas { from: u32, areas: Vec<AreaForm> },
    /// Rules, by slot.
    Rules { from: u32, rules: Vec<String> },
    /// All domains.
    Domains(Vec<DomainForm>),
}

/// A metric on its way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct MetricForm {
    /// Its number.
    pub(crate) metric: u32,
    /// Number of its kind.
    pub(crate) kind: u16,
    /// What it is of.
    pub(crate) of: MetricOf,
}

/// What a metric is of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum MetricOf {
    /// It counts the events of a kind with this name, which is new with it.
    Kind(String),
    /// A value with this name.
    Value(String),
}

/// Who gives out numbers. It answers, or the process ends.
#[derive(Clone)]
pub(crate) struct Authority(Arc<dyn Fn(Ask) -> Tail + Send + Sync>);

impl Authority {
    pub(crate) fn new(ask: impl Fn(Ask) -> Tail + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// Asks, and waits.
    pub(crate) fn ask(&self, ask: Ask) -> Tail {
        (self.0)(ask)
    }
}

/// What the process that leads answers.
pub(crate) fn answer(world: &World, lore: &Lore, ask: Ask) -> Tail {
    match ask {
        Ask::Metrics { from, wanted } => {
            let wanted = wanted.as_ref().map(|(kind, value)| (kind.as_str(), value.as_deref()));
            Tail::Metrics { from, metrics: lore.names.tail(from, wanted) }
        }
        Ask::Areas { from, wanted } => Tail::Areas { from, areas: lore.views.names.tail(from, &wanted) },
        Ask::Rules { from, wanted } => Tail::Rules { from, rules: lore.books.tail(from, &wanted) },
        Ask::Domains { wanted } => {
            if let Some((feed, topic)) = wanted {
                world.domains.historical(feed, topic);
            }
            Tail::Domains(world.domains.saved())
        }
    }
}
