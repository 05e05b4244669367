//! Reading the shelf from `rules.v1`, and appending to it.

use super::Shelf;
use gridwarden_bus::{
    Assignment, BusError, From, KafkaConfig, Message, Producer, ProducerOptions, Reader, ReaderOptions, topics,
};
use gridwarden_domain::rule::Rule;
use std::time::{Duration, Instant};

/// How long the log may take to be read: it holds the city's whole history of rules.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// Why the shelf cannot be read, or written to.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// Kafka.
    #[error("rules.v1: {0}")]
    Bus(#[from] BusError),
    /// It takes too long.
    #[error("rules.v1 could not be read to its end within {} s", READ_LIMIT.as_secs())]
    Slow,
    /// No JSON could be made of the rule.
    #[error("the rule cannot be written down: {0}")]
    Json(#[from] serde_json::Error),
}

/// What became of a version that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is the newest.
    Newest {
        /// Its place in `rules.v1`.
        offset: i64,
    },
    /// Somebody else's stands between it and the state it was decided on (`SHF-3`).
    Crossed {
        /// Its place in `rules.v1`.
        offset: i64,
        /// The other's.
        other: i64,
    },
}

/// Reads the whole shelf, and where the log ends. Blocks.
///
/// # Errors
/// Kafka out of reach, or too slow.
pub fn read(kafka: &KafkaConfig) -> Result<(Shelf, i64), ShelfError> {
    let assignment = Assignment { topic: topics::RULES.to_owned(), partition: 0, from: From::Beginning };
    let options = ReaderOptions { partition_ends: true, queue_mib: 16, ..ReaderOptions::named("gridwarden-shelf") };
    let mut reader = Reader::open(kafka, &[assignment], &options)?;
    let end = reader.end_offsets()?.first().copied().unwrap_or(0);
    let (mut shelf, deadline) = (Shelf::default(), Instant::now() + READ_LIMIT);
    while end > 0 && !reader.positions().iter().all(|position| position.next.is_some_and(|next| next >= end)) {
        if Instant::now() >= deadline {
            return Err(ShelfError::Slow);
        }
        for record in reader.poll(10_000, Duration::from_millis(200))?.records() {
            shelf.take(record.key.unwrap_or_default(), record.payload, record.appended_ms, record.offset);
        }
    }
    Ok((shelf, end))
}

/// Appends a version that was decided on a shelf that ended at `end`; returns once Kafka has it and it is known whether anybody crossed it.
///
/// # Errors
/// Kafka out of reach, or the record too long.
pub async fn write(kafka: &KafkaConfig, rule: &Rule, end: i64) -> Result<Written, ShelfError> {
    let payload = serde_json::to_vec(rule)?;
    let producer = Producer::new(kafka, &ProducerOptions::named("gridwarden-shelf"))?;
    let message =
        Message { topic: topics::RULES, key: Some(rule.id.as_bytes()), payload: Some(&payload), ..Message::default() };
    let (_, offset) = producer.submit(&message).await?.await?;
    if offset == end {
        return Ok(Written::Newest { offset });
    }
    let of = kafka.clone();
    let (shelf, _) = tokio::task::spawn_blocking(move || read(&of)).await.map_err(|_| ShelfError::Slow)??;
    let mut others = shelf.versions(&rule.id).iter().map(|version| version.offset);
    let other = others.find(|other| (end..offset).contains(other));
    Ok(other.map_or(Written::Newest { offset }, |other| Written::Crossed { offset, other }))
}
