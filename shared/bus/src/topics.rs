//! The topics: one table (`infra/schema/topics.toml`), made from it, compared with it.

mod admin;
mod identities;

use crate::{BusError, KafkaConfig, error, log::Logs};
use gridwarden_domain::identity::TopicId;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use serde::Deserialize;
use std::time::Duration;

pub use admin::{ensure, inspect};
pub use identities::{Identities, Identity};

/// What registered entities measured.
pub const OBSERVATIONS: &str = "observations.v1";
/// What people and cameras report.
pub const REPORTS: &str = "reports.v1";
/// Entities and components (control).
pub const REGISTRY: &str = "registry.v1";
/// Rule documents (control).
pub const RULES: &str = "rules.v1";
/// Layers and their areas (control).
pub const LAYERS: &str = "layers.v1";
/// Transitions of alerts.
pub const ALERTS: &str = "alerts.v1";
/// The delivery ledger.
pub const DELIVERIES: &str = "deliveries.v1";
/// Messages that were not taken.
pub const REJECTS: &str = "rejects.v1";

/// The table as it stands in the repository.
const TABLE: &str = include_str!("../../../infra/schema/topics.toml");

/// What becomes of old records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cleanup {
    /// Deleted after the retention.
    #[default]
    Delete,
    /// The last one per key is kept.
    Compact,
}

impl Cleanup {
    /// Kafka's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Compact => "compact",
        }
    }
}

/// How a topic is to be made. All of them use LogAppendTime.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSpec {
    /// Name without prefix.
    pub name: String,
    /// What it holds, for people.
    #[serde(default)]
    pub about: String,
    /// Number of partitions.
    pub partitions: i32,
    /// How long records are kept, in ms; −1 for ever.
    pub retention_ms: i64,
    /// What becomes of old records.
    #[serde(default)]
    pub cleanup: Cleanup,
    /// Longest message; the broker's default when missing.
    #[serde(default)]
    pub max_message_bytes: Option<u32>,
}

/// Every topic Gridwarden makes.
pub fn table() -> Vec<TopicSpec> {
    parse(TABLE).unwrap_or_default()
}

fn parse(text: &str) -> Result<Vec<TopicSpec>, toml::de::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        topic: Vec<TopicSpec>,
    }
    toml::from_str::<Table>(text).map(|table| table.topic)
}

/// A topic of an integrator that a mapping reads: made like `observations.v1`, under its own name.
pub fn mapped(name: &str) -> TopicSpec {
    let model = table().into_iter().find(|spec| spec.name == OBSERVATIONS);
    TopicSpec {
        name: name.to_owned(),
        about: "read through a mapping of the city".to_owned(),
        partitions: model.as_ref().map_or(12, |spec| spec.partitions),
        retention_ms: model.as_ref().map_or(604_800_000, |spec| spec.retention_ms),
        cleanup: Cleanup::Delete,
        max_message_bytes: model.and_then(|spec| spec.max_message_bytes),
    }
}

/// What [`ensure`] did and found.
#[derive(Clone, Debug, Default)]
pub struct Ensured {
    /// Topics made just now, without prefix.
    pub created: Vec<String>,
    /// Where existing topics differ from the table.
    pub findings: Vec<Finding>,
}

/// A difference between the table and the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Topic, without prefix.
    pub topic: String,
    /// Whether Gridwarden cannot run with it.
    pub fatal: bool,
    /// A sentence for people.
    pub detail: String,
}

/// What must be known of a topic before its records can be named (`IDN-1`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicMeta {
    /// Its UUID: another one when it was deleted and made again.
    pub id: TopicId,
    /// Number of partitions.
    pub partitions: i32,
    /// Whether records carry the broker's append time; nothing can be said about lateness otherwise.
    pub log_append_time: bool,
    /// How long records are kept, in ms; −1 for ever.
    pub retention_ms: i64,
}

/// Asks for a topic's id, partitions and kind of timestamp. Blocks for a few round trips.
pub fn topic_meta(kafka: &KafkaConfig, topic: &str) -> Result<TopicMeta, BusError> {
    let meta = topic_metas(kafka, &[topic])?.into_iter().next();
    meta.ok_or_else(|| BusError::UnknownTopic { topic: kafka.full_name(topic) })
}

/// The same of several topics, in the order asked for; in hardly more time.
pub fn topic_metas(kafka: &KafkaConfig, topics: &[&str]) -> Result<Vec<TopicMeta>, BusError> {
    admin::metas(kafka, topics)
}

/// Number of partitions by plain metadata; an error with words when the topic does not exist.
pub(crate) fn partition_count(
    kafka: &KafkaConfig,
    client: &BaseConsumer<Logs>,
    topic: &str,
    timeout: Duration,
) -> Result<i32, BusError> {
    let name = kafka.full_name(topic);
    let metadata = client
        .fetch_metadata(Some(&name), timeout)
        .map_err(|error| BusError::request(&kafka.bootstrap, &error).because(client))?;
    let unknown = || BusError::UnknownTopic { topic: name.clone() };
    let found = metadata.topics().iter().find(|found| found.name() == name).ok_or_else(unknown)?;
    match found.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => return Err(unknown()),
        Some(code) => {
            return Err(BusError::Other { detail: format!("topic {name}: {code}"), hint: error::hint_of(code) });
        }
    }
    if found.partitions().is_empty() {
        return Err(unknown());
    }
    Ok(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_every_topic_named_here() {
        let table = parse(TABLE).expect("the table is well formed");
        let names = table.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>();
        for name in [OBSERVATIONS, REPORTS, REGISTRY, RULES, LAYERS, ALERTS, DELIVERIES, REJECTS] {
            assert!(names.contains(&name), "{name} is missing");
        }
        assert_eq!(names.len(), 8, "a topic of the table has no constant");
    }

    #[test]
    fn control_topics_keep_their_whole_history_on_one_partition() {
        for spec in table().iter().filter(|spec| [REGISTRY, RULES, LAYERS].contains(&spec.name.as_str())) {
            assert_eq!((spec.partitions, spec.retention_ms, spec.cleanup), (1, -1, Cleanup::Delete), "{}", spec.name);
        }
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(parse("[[topic]]\nname='a'\npartitions=1\nretention_ms=1\nretention=2").is_err());
    }
}
