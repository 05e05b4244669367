//! Records to Kafka. `GTW-3`: a record counts as taken only when Kafka has acknowledged it.

use crate::check::Ready;
use crate::metrics::Metrics;
use axum::http::StatusCode;
use gridwarden_bus::{BusError, KafkaConfig, Message, Producer, ProducerOptions, headers, topics};
use gridwarden_domain::city::Intake;
use gridwarden_domain::decode::Encoding;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::http::Problem;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// How readers are told that a value is Protobuf.
const PROTOBUF: &[u8] = b"application/x-protobuf";
/// When to come back while Kafka is away.
const RETRY_AFTER_S: u32 = 2;

/// Where a record stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// Partition of the topic.
    pub partition: i32,
    /// Offset in it.
    pub offset: i64,
}

/// Writes records of all parties; cheap to clone.
#[derive(Clone)]
pub struct Writer {
    producer: Producer,
    metrics: Metrics,
    health: Health,
}

impl Writer {
    /// A writer that waits `acknowledge` for Kafka at most. Connects by itself.
    pub fn new(kafka: &KafkaConfig, acknowledge: Duration, metrics: Metrics, health: Health) -> Result<Self, BusError> {
        let options = ProducerOptions { delivery_timeout: acknowledge, ..ProducerOptions::named("gridwarden-gateway") };
        Ok(Self { producer: Producer::new(kafka, &options)?, metrics, health })
    }

    /// Why nothing can be written any more by this process, if so.
    pub fn fatal(&self) -> Option<String> {
        self.producer.fatal_error()
    }

    /// Writes records and waits until every one is acknowledged; the places are in the order given.
    pub async fn write(&self, what: Intake, feed: &str, records: &[Ready<'_>]) -> Result<Vec<Place>, Problem> {
        let timer = self.metrics.acknowledge.start_timer();
        let outcome = self.submit_all(what, feed, records).await;
        timer.observe_duration();
        match outcome {
            Ok(places) => {
                self.health.set_part("kafka", true, "");
                let kind = name_of(what);
                let feed = if feed.is_empty() { "admin" } else { feed };
                self.metrics.accepted.with_label_values(&[feed, kind]).inc_by(places.len() as u64);
                Ok(places)
            }
            Err((error @ BusError::TooLarge { .. }, _)) => {
                tracing::warn!(%error, "the topic takes less than limits.single_bytes allows");
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE).detail(error.to_string()))
            }
            Err((error, lost)) => {
                self.metrics.unacknowledged.inc_by(lost as u64);
                self.health.set_part("kafka", false, &error.to_string());
                tracing::warn!(%error, records = records.len(), lost, "records were not acknowledged");
                let detail = "Kafka did not acknowledge; nothing counts as taken, send it again (records with an id, and \
                    reports sent with an idempotency key, are not counted twice)";
                Err(Problem::unavailable(detail).retry_after(RETRY_AFTER_S))
            }
        }
    }

    async fn submit_all(
        &self,
        what: Intake,
        feed: &str,
        records: &[Ready<'_>],
    ) -> Result<Vec<Place>, (BusError, usize)> {
        let topic = match what {
            Intake::Observations => topics::OBSERVATIONS,
            Intake::Reports => topics::REPORTS,
        };
        let (of_feed, of_type) = ((headers::FEED, feed.as_bytes()), (headers::CONTENT_TYPE, PROTOBUF));
        let mut queued = Vec::with_capacity(records.len());
        for record in records {
            let (key, payload) = (Some(record.key.as_bytes()), Some(&*record.payload));
            let headers: &[(&str, &[u8])] = match (feed.is_empty(), record.encoding) {
                (true, Encoding::Json) => &[],
                (false, Encoding::Json) => &[of_feed],
                (true, Encoding::Protobuf) => &[of_type],
                (false, Encoding::Protobuf) => &[of_feed, of_type],
            };
            let message = Message { topic, key, payload, headers, partition: None };
            let delivery = self.producer.submit(&message).await;
            queued.push(delivery.map_err(|error| (error, records.len()))?);
        }
        // All are waited for, so that the figure of what was lost is true.
        let (mut places, mut failed) = (Vec::with_capacity(queued.len()), None);
        for delivery in queued {
            match delivery.await {
                Ok((partition, offset)) => places.push(Place { partition, offset }),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) => Err((error, records.len() - places.len())),
            None => Ok(places),
        }
    }
}

/// The name of a kind of record in paths, metrics and texts.
pub fn name_of(what: Intake) -> &'static str {
    match what {
        Intake::Observations => "observations",
        Intake::Reports => "reports",
    }
}
