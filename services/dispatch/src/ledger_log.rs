//! The ledger's topic `deliveries.v1`: read whole at start, written before anything counts as delivered (`DSP-5`).

use crate::board::Board;
use crate::ledger::Ledger;
use anyhow::{Context, Result};
use gridwarden_bus::{Assignment, BusError, From, KafkaConfig, Message, Producer, Reader, ReaderOptions, topics};
use gridwarden_domain::delivery::Delivery;
use gridwarden_runtime::shutdown::Shutdown;
use std::sync::Arc;
use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(200);
const BATCH: usize = 5_000;

/// Every partition of a topic, from its beginning.
pub(crate) fn whole(kafka: &KafkaConfig, topic: &str) -> Result<Vec<Assignment>, BusError> {
    let partitions = gridwarden_bus::topic_meta(kafka, topic)?.partitions;
    Ok((0..partitions)
        .map(|partition| Assignment { topic: topic.to_owned(), partition, from: From::Beginning })
        .collect())
}

/// How the logs are read here: little is in flight, so queues are small.
pub(crate) fn options(client_id: &str) -> ReaderOptions {
    ReaderOptions { partition_ends: true, queue_messages: 5_000, ..ReaderOptions::named(client_id) }
}

/// Reads the ledger to the ends its partitions have now. `None` when the shutdown came first. Blocks.
pub fn read(kafka: &KafkaConfig, shutdown: &Shutdown) -> Result<Option<Ledger>, BusError> {
    let assignments = whole(kafka, topics::DELIVERIES)?;
    let mut reader = Reader::open(kafka, &assignments, &options("gridwarden-dispatch-ledger"))?;
    let mut open: Vec<i32> = assignments.iter().map(|each| each.partition).collect();
    let mut ledger = Ledger::default();
    while !open.is_empty() {
        if shutdown.is_triggered() {
            return Ok(None);
        }
        let batch = reader.poll(BATCH, POLL)?;
        batch.records().for_each(|record| ledger.record(record.payload));
        open.retain(|partition| batch.ends().iter().all(|end| end.partition != *partition));
    }
    if ledger.unreadable() > 0 {
        tracing::warn!(records = ledger.unreadable(), "the ledger holds records that cannot be read");
    }
    Ok(Some(ledger))
}

/// Writes the ledger; cheap to clone.
#[derive(Clone)]
pub struct LedgerLog {
    producer: Producer,
    board: Arc<Board>,
}

impl LedgerLog {
    /// A writer that tells the board what it has written.
    pub fn new(producer: Producer, board: Arc<Board>) -> Self {
        Self { producer, board }
    }

    /// Writes until Kafka has acknowledged; false when the shutdown came first. An error that waiting cannot mend ends the
    /// process, which begins anew with the ledger as it stands.
    pub async fn write(&self, delivery: &Delivery, shutdown: &Shutdown) -> Result<bool> {
        let (key, payload) = encoded(delivery)?;
        loop {
            let sent = self.producer.send(topics::DELIVERIES, Some(key.as_bytes()), Some(&payload), &[]).await;
            let Err(error) = sent else { break };
            if !error.is_transient() {
                return Err(error).with_context(|| format!("the ledger does not take {key}"));
            }
            tracing::warn!(delivery = key, %error, "the ledger was not written, will try again");
            if !shutdown.sleep(PAUSE).await {
                return Ok(false);
            }
        }
        self.board.note(delivery);
        Ok(true)
    }

    /// Writes what would be decided again in the same way if it were lost, so nobody waits for it.
    pub fn write_soon(&self, delivery: &Delivery) {
        let Ok((key, payload)) = encoded(delivery) else { return };
        let message = Message {
            topic: topics::DELIVERIES,
            key: Some(key.as_bytes()),
            payload: Some(&payload),
            ..Message::default()
        };
        if let Err(error) = self.producer.enqueue(&message) {
            tracing::debug!(delivery = key, %error, "a skip was not written");
        }
        self.board.note(delivery);
    }
}

fn encoded(delivery: &Delivery) -> Result<(String, Vec<u8>)> {
    let payload = serde_json::to_vec(delivery).context("a delivery cannot be written as JSON")?;
    Ok((delivery.key(), payload))
}
