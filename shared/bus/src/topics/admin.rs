//! Asking and changing the cluster's topics. Everything here blocks; [`ensure`] moves that off the async threads.

use super::{Ensured, Finding, Identity, TopicMeta, TopicSpec, identities, partition_count, table};
use crate::{BusError, Hint, KafkaConfig, error, log::Logs};
use futures::executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a topic just made may take to show up.
const VISIBLE: Duration = Duration::from_secs(30);

/// Makes the topics of the table and `extra` that do not exist, waits until they can be seen, and reports where
/// existing ones differ. Existing topics are never changed.
pub async fn ensure(kafka: &KafkaConfig, extra: &[TopicSpec]) -> Result<Ensured, BusError> {
    let (kafka, specs) = (kafka.clone(), all(extra));
    let work = tokio::task::spawn_blocking(move || Cluster::open(&kafka)?.ensure(&specs));
    work.await.map_err(|error| BusError::Other { detail: error.to_string(), hint: Hint::Fatal })?
}

/// Compares the cluster with the table and `extra`, without changing anything. Blocks for a few round trips.
pub fn inspect(kafka: &KafkaConfig, extra: &[TopicSpec]) -> Result<Vec<Finding>, BusError> {
    Cluster::open(kafka)?.inspect(&all(extra))
}

/// One client for all of them: taking one down costs a tenth of a second.
pub(super) fn metas(kafka: &KafkaConfig, topics: &[&str]) -> Result<Vec<TopicMeta>, BusError> {
    let cluster = Cluster::open(kafka)?;
    let identities = identities::ask(kafka, &cluster.observer, topics, TIMEOUT)?;
    let settings = cluster.settings(topics)?;
    let meta = |(identity, settings): (Identity, Settings)| TopicMeta {
        id: identity.id,
        partitions: identity.partitions,
        log_append_time: settings.get("message.timestamp.type") == Some("LogAppendTime"),
        retention_ms: settings.get("retention.ms").and_then(|text| text.parse().ok()).unwrap_or(-1),
    };
    Ok(identities.into_iter().zip(settings).map(meta).collect())
}

pub(super) fn failed(kafka: &KafkaConfig, topic: &str, code: RDKafkaErrorCode) -> BusError {
    match code {
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => {
            BusError::UnknownTopic { topic: topic.to_owned() }
        }
        code if error::is_unreachable(code) => {
            BusError::Unreachable { bootstrap: kafka.bootstrap.clone(), detail: code.to_string() }
        }
        code if error::is_denied(code) => BusError::Denied(format!("topic {topic}: {code}")),
        code => BusError::Other { detail: format!("topic {topic}: {code}"), hint: error::hint_of(code) },
    }
}

fn all(extra: &[TopicSpec]) -> Vec<TopicSpec> {
    let mut specs = table();
    for spec in extra {
        if !specs.iter().any(|known| known.name == spec.name) {
            specs.push(spec.clone());
        }
    }
    specs
}

/// A topic's settings as the broker tells them.
struct Settings(ConfigResource);

impl Settings {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|entry| entry.value.as_deref())
    }
}

/// The clients these questions need.
struct Cluster {
    kafka: KafkaConfig,
    admin: AdminClient<Logs>,
    observer: BaseConsumer<Logs>,
}

impl Cluster {
    fn open(kafka: &KafkaConfig) -> Result<Self, BusError> {
        let refused = |error| BusError::request(&kafka.bootstrap, &error);
        let admin = kafka.client("gridwarden-admin", &[], &[]).create_with_context(Logs::default()).map_err(refused)?;
        let observer = kafka
            .client("gridwarden-admin", &[], &[("allow.auto.create.topics", "false")])
            .create_with_context(Logs::default())
            .map_err(refused)?;
        Ok(Self { kafka: kafka.clone(), admin, observer })
    }

    fn ensure(&self, specs: &[TopicSpec]) -> Result<Ensured, BusError> {
        let mut ensured = Ensured::default();
        for spec in specs {
            match self.partitions(spec)? {
                Some(_) => ensured.findings.extend(self.differences(spec)?),
                None => {
                    self.create(spec)?;
                    ensured.created.push(spec.name.clone());
                }
            }
        }
        for spec in specs.iter().filter(|spec| ensured.created.contains(&spec.name)) {
            self.wait_visible(spec)?;
        }
        Ok(ensured)
    }

    fn inspect(&self, specs: &[TopicSpec]) -> Result<Vec<Finding>, BusError> {
        let mut findings = Vec::new();
        for spec in specs {
            findings.extend(self.differences(spec)?);
        }
        Ok(findings)
    }

    /// Number of partitions; `None` when the topic does not exist.
    fn partitions(&self, spec: &TopicSpec) -> Result<Option<i32>, BusError> {
        match partition_count(&self.kafka, &self.observer, &spec.name, TIMEOUT) {
            Ok(count) => Ok(Some(count)),
            Err(BusError::UnknownTopic { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self, spec: &TopicSpec) -> Result<(), BusError> {
        let name = self.kafka.full_name(&spec.name);
        let retention = spec.retention_ms.to_string();
        let longest = spec.max_message_bytes.map(|bytes| bytes.to_string());
        // Replication −1: the cluster's default.
        let mut topic = NewTopic::new(&name, spec.partitions, TopicReplication::Fixed(-1))
            .set("message.timestamp.type", "LogAppendTime")
            .set("retention.ms", &retention)
            .set("cleanup.policy", spec.cleanup.as_str());
        if let Some(longest) = &longest {
            topic = topic.set("max.message.bytes", longest);
        }
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
        let results = block_on(self.admin.create_topics([&topic], &options)).map_err(|error| self.refused(&error))?;
        for result in results {
            match result {
                // Another service was quicker.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(failed(&self.kafka, &name, code)),
            }
        }
        tracing::info!(topic = name, partitions = spec.partitions, "topic created");
        Ok(())
    }

    fn wait_visible(&self, spec: &TopicSpec) -> Result<(), BusError> {
        let deadline = Instant::now() + VISIBLE;
        while Instant::now() < deadline {
            match partition_count(&self.kafka, &self.observer, &spec.name, TIMEOUT) {
                Ok(count) if count == spec.partitions => return Ok(()),
                Ok(_) | Err(BusError::UnknownTopic { .. }) => {}
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(BusError::TimedOut(VISIBLE.as_millis(), "new topics to be seen"))
    }

    fn refused(&self, error: &KafkaError) -> BusError {
        // The administrator's client cannot be listened to; the other one is told the same.
        BusError::request(&self.kafka.bootstrap, error).because(&self.observer)
    }

    /// Of topics, in the order asked for.
    fn settings(&self, topics: &[&str]) -> Result<Vec<Settings>, BusError> {
        let names: Vec<String> = topics.iter().map(|topic| self.kafka.full_name(topic)).collect();
        let wanted: Vec<ResourceSpecifier<'_>> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        let answers = block_on(self.admin.describe_configs(&wanted, &options)).map_err(|error| self.refused(&error))?;
        let mut found = Vec::with_capacity(answers.len());
        for answer in answers {
            found.push(answer.map_err(|code| failed(&self.kafka, &names.join(", "), code))?);
        }
        let mut of = |name: &String| {
            let is_it =
                |found: &ConfigResource| matches!(&found.specifier, OwnedResourceSpecifier::Topic(it) if it == name);
            let place = found.iter().position(is_it);
            place
                .map(|place| Settings(found.swap_remove(place)))
                .ok_or_else(|| BusError::UnknownTopic { topic: name.clone() })
        };
        names.iter().map(&mut of).collect()
    }

    fn differences(&self, spec: &TopicSpec) -> Result<Vec<Finding>, BusError> {
        let Some(partitions) = self.partitions(spec)? else {
            let detail = format!("topic {} does not exist", self.kafka.full_name(&spec.name));
            return Ok(vec![Finding { topic: spec.name.clone(), fatal: true, detail }]);
        };
        let settings = self.settings(&[&spec.name])?;
        Ok(compare(spec, partitions, |name| settings.first()?.get(name)))
    }
}

/// What is different, and whether it matters: pure.
fn compare<'a>(spec: &TopicSpec, partitions: i32, setting: impl Fn(&str) -> Option<&'a str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |fatal: bool, detail: String| {
        findings.push(Finding { topic: spec.name.clone(), fatal, detail: format!("topic {}: {detail}", spec.name) });
    };
    let stamp = setting("message.timestamp.type").unwrap_or("unknown");
    if stamp != "LogAppendTime" {
        note(true, format!("message.timestamp.type is {stamp}, it must be LogAppendTime"));
    }
    if partitions != spec.partitions {
        // Control topics are read as one sequence; others may have as many as the city needs.
        let one_only = spec.partitions == 1;
        note(one_only, format!("it has {partitions} partitions, the table says {}", spec.partitions));
    }
    let cleanup = setting("cleanup.policy").unwrap_or("unknown");
    if cleanup != spec.cleanup.as_str() {
        // A compacted log forgets what was in force; a deleted ledger forgets what was delivered.
        note(true, format!("cleanup.policy is {cleanup}, it must be {}", spec.cleanup.as_str()));
    }
    let retention = setting("retention.ms").and_then(|text| text.parse::<i64>().ok());
    if retention != Some(spec.retention_ms) {
        let keeps_less = spec.retention_ms == -1;
        let shown = retention.map_or("unknown".to_owned(), |ms| ms.to_string());
        note(keeps_less, format!("retention.ms is {shown}, the table says {}", spec.retention_ms));
    }
    let longest = setting("max.message.bytes").and_then(|text| text.parse::<u32>().ok());
    if let (Some(wanted), Some(longest)) = (spec.max_message_bytes, longest)
        && longest < wanted
    {
        note(false, format!("max.message.bytes is {longest}, the table says {wanted}"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::Cleanup;

    fn spec() -> TopicSpec {
        TopicSpec {
            name: "rules.v1".to_owned(),
            about: String::new(),
            partitions: 1,
            retention_ms: -1,
            cleanup: Cleanup::Delete,
            max_message_bytes: None,
        }
    }

    fn found(partitions: i32, stamp: &'static str, retention: &'static str) -> Vec<bool> {
        let setting = |name: &str| match name {
            "message.timestamp.type" => Some(stamp),
            "cleanup.policy" => Some("delete"),
            "retention.ms" => Some(retention),
            _ => None,
        };
        compare(&spec(), partitions, setting).iter().map(|finding| finding.fatal).collect()
    }

    #[test]
    fn a_topic_as_in_the_table_has_no_findings() {
        assert!(found(1, "LogAppendTime", "-1").is_empty());
    }

    #[test]
    fn sender_time_and_a_forgetting_control_topic_are_fatal() {
        assert_eq!(found(1, "CreateTime", "-1"), [true]);
        assert_eq!(found(1, "LogAppendTime", "1000"), [true]);
        assert_eq!(found(3, "LogAppendTime", "-1"), [true]);
    }
}
