//! What numbers stood for when the state was saved.

use serde::{Deserialize, Serialize};

/// A kind and its metrics.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct KindForm {
    /// Name.
    pub(crate) name: String,
    /// The metric that counts its events.
    pub(crate) count: u32,
    /// Where its next value would go in its last group, if there is room.
    pub(crate) next: Option<u32>,
    /// Values and their metrics.
    pub(crate) values: Vec<(String, u32)>,
}

/// An area's name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct AreaForm {
    /// Layer.
    pub(crate) layer: String,
    /// Level.
    pub(crate) level: String,
    /// Code.
    pub(crate) code: String,
}

/// A watermark domain of a historical feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct DomainForm {
    /// Number of the feed.
    pub(crate) feed: u16,
    /// Number of the topic.
    pub(crate) topic: u16,
    /// Number of the domain.
    pub(crate) domain: u8,
}

/// All names, by number.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Names {
    /// Topics.
    pub(crate) topics: Vec<String>,
    /// Partitions: number of the topic, partition.
    pub(crate) parts: Vec<(u16, i32)>,
    /// Feeds.
    pub(crate) feeds: Vec<String>,
    /// Historical domains.
    pub(crate) domains: Vec<DomainForm>,
    /// Kinds.
    pub(crate) kinds: Vec<KindForm>,
    /// Areas.
    pub(crate) areas: Vec<AreaForm>,
    /// Rules by slot.
    pub(crate) rules: Vec<String>,
}
