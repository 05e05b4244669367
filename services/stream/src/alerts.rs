//! Alerts on their way to `alerts.v1`: in order, acknowledged, never lost, never twice.
//!
//! A restarted stream reads its logs again and raises again what it raised before, under the same ids and numbers; what the
//! topic holds already is not produced again ([`Known`]).

use crate::{
    checkpoint::{AlertPlace, Pieces, Said, Speaker},
    metrics::Metrics,
    reconcile::Reconcile,
};
use anyhow::{Context, Result};
use gridwarden_bus::{
    Assignment, Delivery, From, KafkaConfig, Message, Producer, ProducerOptions, Reader, ReaderOptions, Record,
    headers, topic_meta, topics,
};
use gridwarden_domain::{alert::Alert, generation::Fences};
use gridwarden_runtime::{clock::now_ms, shutdown::Shutdown};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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

/// What workers hand over.
pub(crate) enum Item {
    /// A transition.
    Alert(Box<Alert>),
    /// What this worker handed over so far came before its cut.
    Cut(usize),
    /// This worker has read past the fence, and holds these open.
    Held(usize, Vec<u128>),
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

    /// A worker has read past the fence, and holds these open.
    pub(crate) fn held(&self, worker: usize, open: Vec<u128>) {
        self.sender.send(Item::Held(worker, open)).ok();
    }

    /// A worker has come to a cut.
    pub(crate) fn cut(&self, worker: usize) {
        self.sender.send(Item::Cut(worker)).ok();
    }
}

/// From where each partition of `alerts.v1` may hold what a checkpoint does not: behind what is known to be written, once all
/// that stood there at the start was decided again. Until then from where it was read: who begins with a checkpoint that has
/// not come so far must learn it as well.
#[derive(Clone, Default)]
pub(crate) struct Reached(Arc<Mutex<Bounds>>);

#[derive(Default)]
struct Bounds {
    /// Behind what is known to be written in each partition, and behind this process's fence.
    known: Vec<AlertPlace>,
    /// From where each was read, until all of that is decided again.
    from: Option<Vec<AlertPlace>>,
}

impl Reached {
    /// Read from some places to where each partition ended behind the fence of `generation`.
    fn new(from: &[AlertPlace], ends: &[i64], generation: u32) -> Self {
        let known: Vec<AlertPlace> = (0i32..)
            .zip(ends)
            .map(|(partition, end)| AlertPlace { partition, next: *end, fence: generation })
            .collect();
        let start = |place: &AlertPlace| {
            let beginning = AlertPlace { next: 0, fence: 0, ..*place };
            from.iter().find(|start| start.partition == place.partition).copied().unwrap_or(beginning)
        };
        let from = known.iter().map(start).collect();
        Self(Arc::new(Mutex::new(Bounds { known, from: Some(from) })))
    }

    fn bounds(&self) -> std::sync::MutexGuard<'_, Bounds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, partition: i32, offset: i64) {
        let mut bounds = self.bounds();
        if let Some(place) = bounds.known.iter_mut().find(|place| place.partition == partition) {
            place.next = place.next.max(offset + 1);
        }
    }

    /// All that stood there at the start is decided again.
    fn settle(&self) {
        self.bounds().from = None;
    }

    /// From where each partition may hold what a checkpoint of now does not.
    pub(crate) fn places(&self) -> Vec<AlertPlace> {
        let bounds = self.bounds();
        bounds.from.as_ref().unwrap_or(&bounds.known).clone()
    }
}

/// Appends a fence to every partition of `alerts.v1` (`GEN-1`): what a process of a lower generation writes behind it is not
/// heard. Blocks.
pub(crate) fn fence(kafka: &KafkaConfig, generation: u32) -> Result<()> {
    let partitions = topic_meta(kafka, topics::ALERTS)?.partitions;
    let producer = Producer::new(kafka, &ProducerOptions::named("gridwarden-stream-fence"))?;
    let digits = generation.to_string();
    let append = async {
        for partition in 0..partitions {
            let message = Message {
                topic: topics::ALERTS,
                key: None,
                payload: None,
                headers: &[(headers::FENCE, digits.as_bytes())],
                partition: Some(partition),
            };
            producer.submit(&message).await?.await?;
        }
        Ok(())
    };
    tokio::runtime::Handle::current().block_on(append)
}

/// Highest `seq` by alert id.
#[derive(Default)]
pub(crate) struct Known {
    highest: HashMap<u128, u32>,
    fences: Fences,
    /// What stood open when the topic was read.
    reconcile: Reconcile,
}

/// Reads `alerts.v1` from some places, or its beginning, to its end; the ends, none when the shutdown came first. Blocks.
fn read(
    kafka: &KafkaConfig,
    from: &[AlertPlace],
    shutdown: &Shutdown,
    mut take: impl FnMut(&Record<'_>),
) -> Result<Option<Vec<i64>>> {
    let meta = topic_meta(kafka, topics::ALERTS)?;
    let start = |partition| from.iter().find(|place| place.partition == partition).map(|place| place.next);
    let assignment = |partition| Assignment {
        topic: topics::ALERTS.to_owned(),
        partition,
        from: start(partition).filter(|next| *next > 0).map_or(From::Beginning, From::Offset),
    };
    let assignments: Vec<Assignment> = (0..meta.partitions).map(assignment).collect();
    let options = ReaderOptions { partition_ends: true, queue_mib: 32, ..ReaderOptions::named("gridwarden-alerts") };
    let mut reader = Reader::open(kafka, &assignments, &options)?;
    let ends = reader.end_offsets()?;
    while !shutdown.is_triggered() {
        let read = |(position, end): (&gridwarden_bus::Position, &i64)| {
            start(position.partition).unwrap_or(0) >= *end || position.next.is_some_and(|next| next >= *end)
        };
        if reader.positions().iter().zip(&ends).all(read) {
            return Ok(Some(ends));
        }
        reader.poll(10_000, Duration::from_millis(200))?.records().for_each(|record| take(&record));
    }
    Ok(None)
}

/// The highest generation that ever wrote to `alerts.v1`: whoever begins without checkpoints must be heard all the same.
pub(crate) fn highest_generation(kafka: &KafkaConfig, shutdown: &Shutdown) -> Result<u32> {
    let mut fences = Fences::default();
    read(kafka, &[], shutdown, |record| {
        if let Some(generation) = record.headers().get(headers::FENCE) {
            fences.note(record.partition, generation);
        }
    })?;
    Ok(fences.highest())
}

impl Known {
    /// Reads `alerts.v1` from where a checkpoint says to its end, behind the fence of `generation`; none when the shutdown came
    /// first. Blocks.
    pub(crate) fn read(
        kafka: &KafkaConfig,
        from: &[AlertPlace],
        (generation, workers): (u32, usize),
        shutdown: &Shutdown,
    ) -> Result<Option<(Self, Reached)>> {
        let mut known = Self { reconcile: Reconcile::new(workers), ..Self::default() };
        // A fence before those places is not read again.
        from.iter().for_each(|place| known.fences.raise(place.partition, place.fence));
        let ends =
            read(kafka, from, shutdown, |record| match (record.payload, record.headers().get(headers::FENCE)) {
                (Some(payload), _) => known.learn(record.partition, payload),
                (None, Some(generation)) => known.fences.note(record.partition, generation),
                (None, None) => {}
            })?;
        Ok(ends.map(|ends| (known, Reached::new(from, &ends, generation))))
    }

    /// What cannot be read is not ours, and not known; no more is what nobody hears.
    fn learn(&mut self, partition: i32, payload: &[u8]) {
        if let Ok(alert) = serde_json::from_slice::<Alert>(payload)
            && self.fences.hear(partition, alert.generation)
            && let Ok(id) = u128::from_str_radix(&alert.id, 16)
        {
            self.is_new(id, alert.seq);
            self.reconcile.read(id, alert);
        }
    }

    /// An alert of the state is at this transition.
    pub(crate) fn note(&mut self, id: u128, seq: u32) {
        self.is_new(id, seq);
    }

    /// Whether a transition is new; it is known from then on.
    fn is_new(&mut self, id: u128, seq: u32) -> bool {
        let highest = self.highest.entry(id).or_insert(0);
        let is_new = seq > *highest;
        *highest = (*highest).max(seq);
        is_new
    }

    /// How many alerts are known.
    pub(crate) fn len(&self) -> usize {
        self.highest.len()
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
    /// All of this worker's alerts before its cut.
    Cut(usize),
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
                    Some(Item::Cut(worker)) => under_way.push_back(Way::Cut(worker)),
                    Some(Item::Held(worker, open)) => self.retract(worker, &open, under_way).await?,
                    Some(Item::Alert(alert)) => {
                        queue.waiting.fetch_sub(1, Ordering::Relaxed);
                        under_way.extend(self.send(alert).await?.map(Way::Alert));
                    }
                }
            }
        }
    }

    /// Retracts what no worker holds, once all have said what they hold (`ALR-3`).
    async fn retract(&mut self, worker: usize, open: &[u128], under_way: &mut VecDeque<Way>) -> Result<()> {
        for alert in self.known.reconcile.report(worker, open, now_ms()) {
            tracing::warn!(alert = alert.id, rule = alert.rule, "an open alert is of no state any more, retracted");
            self.metrics.alerts.with_label_values(&[alert.kind.as_str(), "retracted"]).inc();
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
        self.submit(alert).await.map(Some)
    }

    async fn submit(&self, alert: Box<Alert>) -> Result<Sent> {
        let payload = serde_json::to_vec(&alert).context("an alert cannot be written")?;
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
                Ok(delivery) => return Ok(Sent { alert, delivery }),
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
            Some(Way::Cut(worker)) => self.pieces.say(Speaker::Alerts(worker), Said::Done),
            None => {}
        }
    }

    /// After a failure: waits for all that is under way, then sends the first that failed and all behind it again, so that
    /// an alert's transitions stay in order. Readers ignore those they know.
    async fn again(&self, under_way: &mut VecDeque<Way>) -> Result<()> {
        let mut items = Vec::with_capacity(under_way.len());
        for (place, way) in under_way.drain(..).enumerate() {
            items.push(match way {
                Way::Cut(worker) => Err(worker),
                Way::Alert(Sent { alert, delivery }) => {
                    // The first one's outcome is the failure.
                    if place > 0 {
                        delivery.await.ok();
                    }
                    Ok(alert)
                }
            });
        }
        tokio::time::sleep(PAUSE).await;
        for item in items {
            let way = match item {
                Err(worker) => Way::Cut(worker),
                Ok(alert) => {
                    self.metrics.alerts_retried.inc();
                    Way::Alert(self.submit(alert).await?)
                }
            };
            under_way.push_back(way);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_new_once_and_never_after_a_later_one() {
        let mut known = Known::default();
        assert!(known.is_new(1, 1) && !known.is_new(1, 1));
        assert!(known.is_new(1, 2) && !known.is_new(1, 1));
        assert!(known.is_new(2, 1));
        known.learn(0, b"not an alert");
        assert_eq!(known.len(), 2);
    }

    #[test]
    fn a_checkpoint_says_where_its_process_began_until_all_of_that_is_decided_again() {
        let from = [AlertPlace { partition: 0, next: 3, fence: 4 }];
        let reached = Reached::new(&from, &[9, 4], 6);
        let places = |reached: &Reached| {
            reached.places().iter().map(|place| (place.partition, place.next, place.fence)).collect::<Vec<_>>()
        };
        reached.note(1, 6);
        reached.note(7, 1);
        assert_eq!(places(&reached), [(0, 3, 4), (1, 0, 0)]);
        reached.settle();
        assert_eq!(places(&reached), [(0, 9, 6), (1, 7, 6)]);
    }
}
