//! Where logs begin and end, and where they stood at a moment, asked over a connection of its own.

use crate::log::{Logs, listen};
use crate::{BusError, KafkaConfig};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;

/// Short, so that whoever asks can still stop in time when nobody answers.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A small client that asks for the bounds of logs: one request per broker for all partitions.
pub struct Offsets {
    client: BaseConsumer<Logs>,
    kafka: KafkaConfig,
}

impl Offsets {
    /// Makes the client; connects with the first question.
    pub fn open(kafka: &KafkaConfig) -> Result<Self, BusError> {
        let client = kafka
            .client(
                "gridwarden-offsets",
                &[],
                &[("enable.auto.commit", "false"), ("allow.auto.create.topics", "false")],
            )
            .create_with_context(Logs::default())
            .map_err(|error| BusError::request(&kafka.bootstrap, &error))?;
        Ok(Self { client, kafka: kafka.clone() })
    }

    /// The offset the next record will get, per (topic without prefix, partition).
    pub fn ends(&self, partitions: &[(&str, i32)]) -> Result<Vec<i64>, BusError> {
        self.ask(partitions, Offset::End)
    }

    /// The oldest offset kept, per (topic without prefix, partition).
    pub fn starts(&self, partitions: &[(&str, i32)]) -> Result<Vec<i64>, BusError> {
        self.ask(partitions, Offset::Beginning)
    }

    /// The offset of the first record appended at or after a moment (epoch ms), per (topic without prefix, partition); none: there is
    /// no such record.
    pub fn first_since(&self, partitions: &[(&str, i32)], moment_ms: i64) -> Result<Vec<Option<i64>>, BusError> {
        // Negative ones mean something else to Kafka.
        self.answers(partitions, Offset::Offset(moment_ms.max(0)))
    }

    fn ask(&self, partitions: &[(&str, i32)], which: Offset) -> Result<Vec<i64>, BusError> {
        let answers = self.answers(partitions, which)?;
        let unknown = |topic: &str| BusError::UnknownTopic { topic: self.kafka.full_name(topic) };
        answers.iter().zip(partitions).map(|(answer, (topic, _))| answer.ok_or_else(|| unknown(topic))).collect()
    }

    fn answers(&self, partitions: &[(&str, i32)], which: Offset) -> Result<Vec<Option<i64>>, BusError> {
        let answer = self.asked(partitions, which).map_err(|error| error.because(&self.client));
        listen(&self.client);
        answer
    }

    fn asked(&self, partitions: &[(&str, i32)], which: Offset) -> Result<Vec<Option<i64>>, BusError> {
        let refused = |error: KafkaError| BusError::request(&self.kafka.bootstrap, &error);
        let of_topic = |name: &str, error: KafkaError| match error.rdkafka_error_code() {
            Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
                BusError::UnknownTopic { topic: name.to_owned() }
            }
            _ => refused(error),
        };
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition_offset(&self.kafka.full_name(topic), *partition, which).map_err(refused)?;
        }
        // As "timestamp" the ListOffsets request takes −1 for the end and −2 for the beginning.
        let answer = self.client.offsets_for_times(list, TIMEOUT).map_err(|error| {
            let mut names: Vec<_> = partitions.iter().map(|(topic, _)| self.kafka.full_name(topic)).collect();
            names.dedup();
            of_topic(&names.join(" or "), error)
        })?;
        partitions
            .iter()
            .map(|(topic, partition)| {
                let name = self.kafka.full_name(topic);
                let Some(element) = answer.find_partition(&name, *partition) else {
                    return Err(BusError::UnknownTopic { topic: name });
                };
                element.error().map_err(|error| of_topic(&name, error))?;
                Ok(match element.offset() {
                    Offset::Offset(offset) => Some(offset),
                    _ => None,
                })
            })
            .collect()
    }
}
