//! The identity of a record: where it stands in Kafka's log, for ever.
//!
//! `IDN-1` two records are the same exactly when topic id, partition and offset are equal. The topic's *name* is not part of
//! it: a topic deleted and made again starts at offset 0 with another id (apache/iceberg #16360).

use serde::{Deserialize, Serialize};
use std::fmt;

/// Kafka's topic UUID as one number; printed as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TopicId(pub u128);

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for TopicId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TopicId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(TopicId).map_err(serde::de::Error::custom)
    }
}

/// Where a record stands: (topic id, partition, offset).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct RecordId {
    /// The topic's UUID.
    pub topic_id: TopicId,
    /// Partition number, 0-based.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
}

/// `topic id/partition/offset`.
impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic_id, self.partition, self.offset)
    }
}
