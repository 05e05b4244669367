//! Alerts on their way to `alerts.v1`: in order, acknowledged, never lost, never twice.
//!
//! A restarted stream reads its logs again and raises again what it raised before, under the same ids and numbers; what the
//! topic holds already is not produced again ([`Known`]).

use crate::metrics::Metrics;
use anyhow::{Context, Result};
use gridwarden_bus::{
    Assignment, Delivery, From, KafkaConfig, Message, Producer, Reader, ReaderOptions, topic_meta, topics,
};
use gridwarden_domain::alert::Alert;
use gridwarden_runtime::{clock::now_ms, shutdown::Shutdown};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Alerts waiting beyond which workers stop reading.
const MOST_WAITING: usize = 20_000;
/// Alerts under way at once.
const MOST_UNDER_WAY: usize = 5_000;
const PAUSE: Duration = Duration::from_millis(500);

/// The workers' end.
#[derive(Clone)]
pub(crate) struct AlertQueue {
    sender: UnboundedSender<Alert>,
    waiting: Arc<AtomicUsize>,
}

impl AlertQueue {
    /// A queue and its other end.
    pub(crate) fn new() -> (Self, UnboundedReceiver<Alert>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender, waiting: Arc::default() }, receiver)
    }

    /// Whether another batch may be read. What one batch raises always fits.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < MOST_WAITING
    }

    /// Puts an alert in. Nobody takes it any more when the process ends; then the log still has its cause.
    pub(crate) fn push(&self, alert: Alert) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender.send(alert).ok();
    }
}

/// Highest `seq` by alert id.
#[derive(Default)]
pub(crate) struct Known(HashMap<u128, u32>);

impl Known {
    /// Reads `alerts.v1` to its end; none when the shutdown came first. Blocks.
    pub(crate) fn read(kafka: &KafkaConfig, shutdown: &Shutdown) -> Result<Option<Self>> {
        let meta = topic_meta(kafka, topics::ALERTS)?;
        let assignments: Vec<Assignment> = (0..meta.partitions)
            .map(|partition| Assignment { topic: topics::ALERTS.to_owned(), partition, from: From::Beginning })
            .collect();
        let options =
            ReaderOptions { partition_ends: true, queue_mib: 32, ..ReaderOptions::named("gridwarden-alerts") };
        let mut reader = Reader::open(kafka, &assignments, &options)?;
        let ends = reader.end_offsets()?;
        let mut known = Self::default();
        while !shutdown.is_triggered() {
            let read = |(position, end): (&gridwarden_bus::Position, &i64)| {
                *end == 0 || position.next.is_some_and(|next| next >= *end)
            };
            if reader.positions().iter().zip(&ends).all(read) {
                return Ok(Some(known));
            }
            for record in reader.poll(10_000, Duration::from_millis(200))?.records() {
                if let Some(payload) = record.payload {
                    known.learn(payload);
                }
            }
        }
        Ok(None)
    }

    /// What cannot be read is not ours, and not known.
    fn learn(&mut self, payload: &[u8]) {
        if let Ok(alert) = serde_json::from_slice::<Alert>(payload)
            && let Ok(id) = u128::from_str_radix(&alert.id, 16)
        {
            self.is_new(id, alert.seq);
        }
    }

    /// Whether a transition is new; it is known from then on.
    fn is_new(&mut self, id: u128, seq: u32) -> bool {
        let highest = self.0.entry(id).or_insert(0);
        let is_new = seq > *highest;
        *highest = (*highest).max(seq);
        is_new
    }

    /// How many alerts are known.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Produces alerts.
pub(crate) struct Announcer {
    pub(crate) producer: Producer,
    pub(crate) known: Known,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: Shutdown,
}

/// An alert under way.
struct Sent {
    alert: Alert,
    delivery: Delivery,
}

impl Announcer {
    /// Produces until the shutdown; what waits then is raised again from the log.
    pub(crate) async fn run(mut self, queue: AlertQueue, alerts: UnboundedReceiver<Alert>) -> Result<()> {
        let mut under_way: VecDeque<Sent> = VecDeque::new();
        let shutdown = self.shutdown.clone();
        tokio::select! {
            biased;
            // Wherever it waits for Kafka: an answer that never comes must not hold up the end.
            () = shutdown.wait() => {}
            outcome = self.produce(&queue, alerts, &mut under_way) => return outcome,
        }
        end(&mut under_way).await;
        Ok(())
    }

    async fn produce(
        &mut self,
        queue: &AlertQueue,
        mut alerts: UnboundedReceiver<Alert>,
        under_way: &mut VecDeque<Sent>,
    ) -> Result<()> {
        loop {
            let full = under_way.len() >= MOST_UNDER_WAY;
            tokio::select! {
                biased;
                outcome = next_outcome(under_way), if !under_way.is_empty() => match outcome {
                    Ok(()) => self.acknowledged(under_way),
                    // Sent again it would be refused again: somebody has to change something first.
                    Err(error) if !error.is_transient() => return Err(error).context("alerts cannot be produced"),
                    Err(error) => {
                        tracing::warn!(%error, "an alert was not acknowledged, will try again");
                        self.again(under_way).await?;
                    }
                },
                alert = alerts.recv(), if !full => {
                    let Some(alert) = alert else { return Ok(()) };
                    queue.waiting.fetch_sub(1, Ordering::Relaxed);
                    if let Some(sent) = self.send(alert).await? {
                        under_way.push_back(sent);
                    }
                }
            }
        }
    }

    async fn send(&mut self, alert: Alert) -> Result<Option<Sent>> {
        let id = u128::from_str_radix(&alert.id, 16).unwrap_or(0);
        if !self.known.is_new(id, alert.seq) {
            self.metrics.alerts_known.inc();
            return Ok(None);
        }
        self.submit(alert).await.map(Some)
    }

    async fn submit(&self, alert: Alert) -> Result<Sent> {
        let payload = serde_json::to_vec(&alert).context("an alert cannot be written")?;
        let simulated: &[(&str, &[u8])] =
            if alert.simulated { &[(gridwarden_bus::headers::SIMULATED, b"1")] } else { &[] };
        loop {
            let message = Message {
                topic: topics::ALERTS,
                key: Some(alert.id.as_bytes()),
                payload: Some(&payload),
                headers: simulated,
                partition: None,
            };
            match self.producer.submit(&message).await {
                Ok(delivery) => return Ok(Sent { alert, delivery }),
                Err(error) if error.is_transient() => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error).context("alerts cannot be produced"),
            }
        }
    }

    fn acknowledged(&self, under_way: &mut VecDeque<Sent>) {
        if let Some(sent) = under_way.pop_front() {
            let took = now_ms().saturating_sub(sent.alert.appended_at);
            self.metrics.alert_seconds.observe(took.max(0) as f64 / 1000.0);
        }
    }

    /// After a failure: waits for all that is under way, then sends the first that failed and all behind it again, so that
    /// an alert's transitions stay in order. Readers ignore those they know.
    async fn again(&self, under_way: &mut VecDeque<Sent>) -> Result<()> {
        let sent: Vec<Sent> = under_way.drain(..).collect();
        let mut alerts = Vec::with_capacity(sent.len());
        for (place, sent) in sent.into_iter().enumerate() {
            // The first one's outcome is the failure.
            if place > 0 {
                sent.delivery.await.ok();
            }
            alerts.push(sent.alert);
        }
        tokio::time::sleep(PAUSE).await;
        for alert in alerts {
            self.metrics.alerts_retried.inc();
            let sent = self.submit(alert).await?;
            under_way.push_back(sent);
        }
        Ok(())
    }
}

/// Waits a moment for what is under way; what is not acknowledged then is raised again from the log.
async fn end(under_way: &mut VecDeque<Sent>) {
    let rest = async {
        for sent in under_way.drain(..) {
            sent.delivery.await.ok();
        }
    };
    tokio::time::timeout(Duration::from_secs(3), rest).await.ok();
}

/// The outcome of the first under way; it stays in place.
async fn next_outcome(under_way: &mut VecDeque<Sent>) -> Result<(), gridwarden_bus::BusError> {
    match under_way.front_mut() {
        Some(sent) => (&mut sent.delivery).await.map(|_| ()),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_new_once_and_never_after_a_later_one() {
        let mut known = Known::default();
        assert!(known.is_new(1, 1) && !known.is_new(1, 1));
        assert!(known.is_new(1, 2) && !known.is_new(1, 1));
        assert!(known.is_new(2, 1));
        known.learn(b"not an alert");
        assert_eq!(known.len(), 2);
    }
}
