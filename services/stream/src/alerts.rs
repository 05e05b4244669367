//! Alerts on their way to `alerts.v1`: in order, acknowledged, never lost, never twice.
//!
//! ```text
//!  workers ─▶ AlertQueue ─▶ Announcer ─▶ alerts.v1      known      what stood there at the start: not said again
//!                                                       reached    from where it may hold more than a checkpoint
//!                                                       reconcile  what stands open there and is of no state
//! ```

mod known;
mod reached;
mod reconcile;

pub(crate) use known::{Known, alert_partitions, fence, highest_generation};
pub(crate) use reached::Reached;
use reconcile::Reconcile;
#[cfg(test)]
pub(crate) use reconcile::tests::alert;

use crate::{
    checkpoint::{Pieces, Said, Speaker},
    metrics::Metrics,
};
use anyhow::{Context, Result};
use gridwarden_bus::{Delivery, Message, Producer, headers, topics};
use gridwarden_domain::alert::Alert;
use gridwarden_runtime::{clock::now_ms, seeded::seeded, shutdown::Shutdown};
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
    sender: UnboundedSender<Item>,
    waiting: Arc<AtomicUsize>,
}

/// Who decides about alerts: the reading of a worker about single entities, its owner of windows about several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Teller {
    /// Of single entities, as they are read.
    Reading(usize),
    /// Of several, in the order of event time.
    Together(usize),
}

/// What workers hand over.
pub(crate) enum Item {
    /// A transition.
    Alert(Box<Alert>),
    /// What this teller handed over so far came before its cut.
    Cut(Teller),
    /// This teller has come past the fence, and holds these open.
    Held(Teller, Vec<u128>),
}

impl AlertQueue {
    /// A queue and its other end.
    pub(crate) fn new() -> (Self, UnboundedReceiver<Item>) {
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
        self.sender.send(Item::Alert(Box::new(alert))).ok();
    }

    /// A teller has come past the fence, and holds these open.
    pub(crate) fn held(&self, teller: Teller, open: Vec<u128>) {
        self.sender.send(Item::Held(teller, open)).ok();
    }

    /// A teller has come to a cut.
    pub(crate) fn cut(&self, teller: Teller) {
        self.sender.send(Item::Cut(teller)).ok();
    }
}

/// Produces alerts.
pub(crate) struct Announcer {
    pub(crate) producer: Producer,
    pub(crate) known: Known,
    pub(crate) reached: Reached,
    pub(crate) generation: u32,
    pub(crate) pieces: Pieces,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: Shutdown,
}

/// An alert under way.
struct Sent {
    alert: Box<Alert>,
    delivery: Delivery,
}

/// What is under way, in order.
enum Way {
    Alert(Sent),
    /// All of this teller's alerts before its cut.
    Cut(Teller),
}

impl Way {
    fn alert(&mut self) -> Option<&mut Sent> {
        match self {
            Self::Alert(sent) => Some(sent),
            Self::Cut(_) => None,
        }
    }
}

impl Announcer {
    /// Produces until the shutdown; what waits then is raised again from the log.
    pub(crate) async fn run(mut self, queue: AlertQueue, alerts: UnboundedReceiver<Item>) -> Result<()> {
        let mut under_way: VecDeque<Way> = VecDeque::new();
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
        mut alerts: UnboundedReceiver<Item>,
        under_way: &mut VecDeque<Way>,
    ) -> Result<()> {
        loop {
            let full = under_way.len() >= MOST_UNDER_WAY;
            tokio::select! {
                biased;
                outcome = next_outcome(under_way), if !under_way.is_empty() => match outcome {
                    Ok(place) => self.acknowledged(place, under_way),
                    // Sent again it would be refused again: somebody has to change something first.
                    Err(error) if !error.is_transient() => return Err(error).context("alerts cannot be produced"),
                    Err(error) => {
                        tracing::warn!(%error, "an alert was not acknowledged, will try again");
                        self.again(under_way).await?;
                    }
                },
                item = alerts.recv(), if !full => match item {
                    None => return Ok(()),
                    Some(Item::Cut(teller)) if seeded("checkpoint-before-alerts") => {
                        self.pieces.say(Speaker::Alerts(teller), Said::Done);
                    }
                    Some(Item::Cut(teller)) => under_way.push_back(Way::Cut(teller)),
                    Some(Item::Held(teller, open)) => self.retract(teller, &open, under_way).await?,
                    Some(Item::Alert(alert)) => {
                        queue.waiting.fetch_sub(1, Ordering::Relaxed);
                        under_way.extend(self.send(alert).await?.map(Way::Alert));
                    }
                }
            }
        }
    }

    /// Retracts what nobody holds, once all have said what they hold (`ALR-3`).
    async fn retract(&mut self, teller: Teller, open: &[u128], under_way: &mut VecDeque<Way>) -> Result<()> {
        for alert in self.known.reconcile.report(teller, open, now_ms()) {
            tracing::warn!(alert = alert.id, rule = alert.rule, "an open alert is of no state any more, retracted");
            self.metrics.alerts.with_label_values(&[alert.kind.as_str(), alert.transition.as_str()]).inc();
            let alert = Alert { generation: self.generation, ..alert };
            under_way.extend(self.send(Box::new(alert)).await?.map(Way::Alert));
        }
        if self.known.reconcile.is_done() {
            self.reached.settle();
        }
        Ok(())
    }

    async fn send(&mut self, alert: Box<Alert>) -> Result<Option<Sent>> {
        let id = u128::from_str_radix(&alert.id, 16).unwrap_or(0);
        self.known.reconcile.note(id, &alert);
        if !self.known.is_new(id, alert.seq) {
            self.metrics.alerts_known.inc();
            return Ok(None);
        }
        let delivery = self.submit(&alert).await?;
        Ok(Some(Sent { alert, delivery }))
    }

    async fn submit(&self, alert: &Alert) -> Result<Delivery> {
        let payload = serde_json::to_vec(alert).context("an alert cannot be written")?;
        let simulated: &[(&str, &[u8])] = if alert.simulated { &[(headers::SIMULATED, b"1")] } else { &[] };
        loop {
            let message = Message {
                topic: topics::ALERTS,
                key: Some(alert.id.as_bytes()),
                payload: Some(&payload),
                headers: simulated,
                partition: None,
            };
            match self.producer.submit(&message).await {
                Ok(delivery) => return Ok(delivery),
                Err(error) if error.is_transient() => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error).context("alerts cannot be produced"),
            }
        }
    }

    fn acknowledged(&self, place: Option<(i32, i64)>, under_way: &mut VecDeque<Way>) {
        if let Some((partition, offset)) = place {
            self.reached.note(partition, offset);
        }
        match under_way.pop_front() {
            Some(Way::Alert(sent)) => {
                let took = now_ms().saturating_sub(sent.alert.appended_at);
                self.metrics.alert_seconds.observe(took.max(0) as f64 / 1000.0);
            }
            Some(Way::Cut(teller)) => self.pieces.say(Speaker::Alerts(teller), Said::Done),
            None => {}
        }
    }

    /// After a failure: waits for all that is under way, then sends the first that failed and all behind it again, so that
    /// an alert's transitions stay in order. Readers ignore those they know.
    async fn again(&self, under_way: &mut VecDeque<Way>) -> Result<()> {
        // The first one's outcome is the failure.
        for sent in under_way.iter_mut().skip(1).filter_map(Way::alert) {
            (&mut sent.delivery).await.ok();
        }
        tokio::time::sleep(PAUSE).await;
        for sent in under_way.iter_mut().filter_map(Way::alert) {
            self.metrics.alerts_retried.inc();
            sent.delivery = self.submit(&sent.alert).await?;
        }
        Ok(())
    }
}

/// Waits a moment for what is under way; what is not acknowledged then is raised again from the log.
async fn end(under_way: &mut VecDeque<Way>) {
    let rest = async {
        for way in under_way.drain(..) {
            if let Way::Alert(sent) = way {
                sent.delivery.await.ok();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(3), rest).await.ok();
}

/// The outcome of the first under way, which stays in place: where an alert was written.
async fn next_outcome(under_way: &mut VecDeque<Way>) -> Result<Option<(i32, i64)>, gridwarden_bus::BusError> {
    match under_way.front_mut() {
        Some(Way::Alert(sent)) => (&mut sent.delivery).await.map(Some),
        Some(Way::Cut(_)) => Ok(None),
        None => std::future::pending().await,
    }
}
