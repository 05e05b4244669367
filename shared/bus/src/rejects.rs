//! Writing `rejects.v1`: original bytes, origin and reason. Used by `archive` alone.

use crate::{BusError, Producer, topics};
use gridwarden_domain::reject::Reject;

/// Key of a reject: its origin as `topic id/partition/offset`, so that a repeat lands beside the first.
pub fn key(reject: &Reject) -> String {
    let origin = &reject.origin;
    format!("{}/{}/{}", origin.topic_id, origin.partition, origin.offset)
}

/// Writes a reject and waits until Kafka has it.
pub async fn send(producer: &Producer, reject: &Reject) -> Result<(i32, i64), BusError> {
    let payload = serde_json::to_vec(reject)
        .map_err(|error| BusError::Settings(format!("a reject cannot be written as JSON: {error}")))?;
    producer.send(topics::REJECTS, Some(key(reject).as_bytes()), Some(&payload), &[]).await
}
