//! Reads `alerts.v1` from its beginning, for as long as the process lives. A thread, because Kafka's reader blocks.

use crate::ledger_log::{options, whole};
use crate::metrics::Metrics;
use anyhow::{Context, Result};
use gridwarden_bus::{KafkaConfig, Reader, Record, headers, topics};
use gridwarden_domain::{alert::Alert, generation::Fences};
use gridwarden_runtime::shutdown::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const BATCH: usize = 1_000;
const POLL: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_secs(1);

/// A transition as read.
#[derive(Clone, Debug)]
pub struct Read {
    /// What the rule said.
    pub alert: Arc<Alert>,
    /// When the broker appended it, epoch milliseconds.
    pub appended_ms: i64,
}

/// What the thread hands on.
#[derive(Clone, Debug)]
pub struct Handed {
    /// Transitions, each partition's in order.
    pub reads: Vec<Read>,
    /// Whether what the topic held at the start has been handed on before these.
    pub live: bool,
    /// Whether it has been handed on with these.
    pub caught_up: bool,
}

/// Polls, being patient with what may pass. `None` when the shutdown came first.
pub(crate) fn poll(reader: &mut Reader, max: usize, shutdown: &Shutdown) -> Result<Option<gridwarden_bus::Batch>> {
    while !shutdown.is_triggered() {
        match reader.poll(max, POLL) {
            Ok(batch) => return Ok(Some(batch)),
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "reading waits");
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error).context("reading stopped"),
        }
    }
    Ok(None)
}

/// The alert a record of `alerts.v1` holds, if it is to be heard.
pub(crate) fn alert(record: &Record<'_>, fences: &mut Fences) -> Option<Result<Alert, serde_json::Error>> {
    fences.read(record.partition, record.payload, record.headers().get(headers::FENCE))
}

/// Reads until the shutdown.
pub fn run(kafka: &KafkaConfig, metrics: &Metrics, out: &mpsc::Sender<Handed>, shutdown: &Shutdown) -> Result<()> {
    let assignments = whole(kafka, topics::ALERTS)?;
    let mut reader = Reader::open(kafka, &assignments, &options("gridwarden-dispatch"))?;
    let mut open: Vec<i32> = assignments.iter().map(|each| each.partition).collect();
    let mut fences = Fences::default();
    while let Some(batch) = poll(&mut reader, BATCH, shutdown)? {
        let live = open.is_empty();
        let mut reads = Vec::with_capacity(batch.len());
        for record in batch.records() {
            match alert(&record, &mut fences) {
                None => {}
                Some(Ok(alert)) => reads.push(Read { alert: Arc::new(alert), appended_ms: record.appended_ms }),
                Some(Err(error)) => {
                    metrics.alerts.with_label_values(&["unreadable"]).inc();
                    tracing::error!(partition = record.partition, offset = record.offset, %error, "alert cannot be read");
                }
            }
        }
        open.retain(|partition| batch.ends().iter().all(|end| end.partition != *partition));
        let handed = Handed { reads, live, caught_up: open.is_empty() };
        if (!handed.reads.is_empty() || handed.live != handed.caught_up) && out.blocking_send(handed).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
