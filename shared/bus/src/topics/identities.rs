//! Which topic stands behind a name: its id and number of partitions, asked over a connection of its own.
//!
//! librdkafka reads on at the same offset when a topic was deleted and made again under its name (its own source says so),
//! so whoever names records by (topic id, partition, offset) asks again before that name is used.

use super::admin::failed;
use crate::log::{Logs, listen};
use crate::{BusError, KafkaConfig, ffi};
use gridwarden_domain::identity::TopicId;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::time::Duration;

/// Short, so that whoever asks can still stop in time when nobody answers.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What stands behind a topic's name now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Another one when the topic was deleted and made again.
    pub id: TopicId,
    /// Number of partitions.
    pub partitions: i32,
}

/// A small client that asks for identities: one request for all topics.
pub struct Identities {
    client: BaseConsumer<Logs>,
    kafka: KafkaConfig,
}

impl Identities {
    /// Makes the client; connects with the first question.
    pub fn open(kafka: &KafkaConfig) -> Result<Self, BusError> {
        let fixed = [("enable.auto.commit", "false"), ("allow.auto.create.topics", "false")];
        let client = kafka
            .client("gridwarden-identities", &[], &fixed)
            .create_with_context(Logs::default())
            .map_err(|error| BusError::request(&kafka.bootstrap, &error))?;
        Ok(Self { client, kafka: kafka.clone() })
    }

    /// The identities of topics (without prefix), in the order asked for; an error when one does not exist. Blocks for a
    /// round trip, 3 s when nobody answers.
    pub fn ask(&self, topics: &[&str]) -> Result<Vec<Identity>, BusError> {
        let answer = ask(&self.kafka, &self.client, topics, TIMEOUT);
        listen(&self.client);
        answer
    }
}

pub(super) fn ask(
    kafka: &KafkaConfig,
    client: &BaseConsumer<Logs>,
    topics: &[&str],
    timeout: Duration,
) -> Result<Vec<Identity>, BusError> {
    let names: Vec<String> = topics.iter().map(|topic| kafka.full_name(topic)).collect();
    let answer = ffi::describe_topics(client.client().native_ptr(), &names, timeout)
        .map_err(|code| failed(kafka, &names.join(", "), code).because(client))?;
    let identity_of = |name: &String| match answer.iter().find(|described| described.name == *name) {
        None => Err(BusError::UnknownTopic { topic: name.clone() }),
        Some(described) => match described.error {
            Some(code) => Err(failed(kafka, name, code)),
            None => Ok(Identity { id: described.id, partitions: described.partitions }),
        },
    };
    names.iter().map(identity_of).collect()
}
