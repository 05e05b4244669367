//! Writing `rejects.v1`: original bytes, origin and reason. Used by `archive` alone.

use crate::{BusError, Delivery, Message, Producer, topics};
use gridwarden_domain::reject::Reject;

/// Key of a reject: its origin as `topic id/partition/offset`, so that a repeat lands beside the first.
pub fn key(reject: &Reject) -> String {
    let origin = &reject.origin;
    format!("{}/{}/{}", origin.topic_id, origin.partition, origin.offset)
}

/// Queues a reject, waiting while the queue is full; the acknowledgement is awaited on its own.
pub async fn submit(producer: &Producer, reject: &Reject) -> Result<Delivery, BusError> {
    let payload = serde_json::to_vec(reject)
        .map_err(|error| BusError::Settings(format!("a reject cannot be written as JSON: {error}")))?;
    let key = key(reject);
    let message =
        Message { topic: topics::REJECTS, key: Some(key.as_bytes()), payload: Some(&payload), ..Message::default() };
    producer.submit(&message).await
}

/// Writes a reject and waits until Kafka has it.
pub async fn send(producer: &Producer, reject: &Reject) -> Result<(i32, i64), BusError> {
    submit(producer, reject).await?.await
}
