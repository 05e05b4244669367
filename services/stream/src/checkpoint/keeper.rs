//! Takes checkpoints: orders a cut every so often, writes the pieces as they come, the manifest last.
//!
//! It waits for the store as long as it takes: a checkpoint that cannot be written holds up the next one, never the stream.

use super::{
    lay,
    loans::Laid,
    manifest::{AlertPlace, FORMAT, Manifest, Place, Section, Slice, hash},
    names,
    protocol::{Mark, Prune},
};
use crate::{metrics::Metrics, wake::Wakers};
use anyhow::{Context, Result, bail};
use gridwarden_runtime::{
    clock::now_ms,
    health::Health,
    objects::{Created, Objects},
    seeded::seeded,
    shutdown::Shutdown,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Pieces are put together to objects of about this size.
const OBJECT: usize = 8 << 20;
/// How long to wait before writing again what could not be written.
const AGAIN: Duration = Duration::from_secs(1);

/// Who has said something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Speaker {
    /// The reading of a worker.
    Source(usize),
    /// The windows of a worker.
    Owner(usize),
    /// The producer of alerts, about those of a worker.
    Alerts(usize),
}

/// What somebody has to say about a cut.
pub(crate) enum Said {
    /// A piece; without a body it is as it was at the last cut.
    Piece(Section, Option<Vec<u8>>),
    /// Where a partition goes on.
    Place(Place),
    /// That was all.
    Done,
}

/// The way from those who copy to the one who writes.
#[derive(Clone)]
pub(crate) struct Pieces(UnboundedSender<(Speaker, Said)>);

impl Pieces {
    /// Says something. Nobody listens any more when the process ends.
    pub(crate) fn say(&self, speaker: Speaker, said: Said) {
        self.0.send((speaker, said)).ok();
    }

    /// Says all of it.
    pub(crate) fn say_all(&self, speaker: Speaker, copies: impl Iterator<Item = (Section, Option<Vec<u8>>)>) {
        copies.for_each(|(section, body)| self.say(speaker, Said::Piece(section, body)));
    }
}

/// How cuts are ordered: by a count that workers look at.
#[derive(Clone, Default)]
pub(crate) struct Order(Arc<AtomicU32>);

impl Order {
    /// The number of cuts ordered in the life of this process.
    pub(crate) fn cuts(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    fn one_more(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// What is asked at the moment of a cut, and of what the names stand for after it.
pub(crate) struct Asked {
    /// From where `alerts.v1` may hold transitions that come after the cut.
    pub(crate) alerts: Box<dyn Fn() -> Vec<AlertPlace> + Send + Sync>,
    /// How far the control topics are read.
    pub(crate) control: Box<dyn Fn() -> Vec<Place> + Send + Sync>,
    /// The names section.
    pub(crate) names: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
}

/// Takes checkpoints.
pub(crate) struct Keeper {
    pub(crate) objects: Objects,
    /// The generation claimed, and the number of its base.
    pub(crate) last: Mark,
    pub(crate) every: Duration,
    pub(crate) workers: usize,
    pub(crate) order: Order,
    pub(crate) wakers: Wakers,
    pub(crate) asked: Asked,
    /// Where it is told what a finished checkpoint is made of.
    pub(crate) laid: Laid,
    /// Ids of the topics read, by name.
    pub(crate) topics: Vec<(String, String)>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}

/// Where pieces lie: object, place in it.
pub(super) type Lain = BTreeMap<Section, (Arc<str>, Slice)>;

/// A checkpoint on its way.
struct Draft {
    mark: Mark,
    begun: Instant,
    alerts: Vec<AlertPlace>,
    control: Vec<Place>,
    places: Vec<Place>,
    lain: Lain,
    /// Pieces that are not written yet.
    open: Vec<(Section, u64, u64, u128)>,
    bytes: Vec<u8>,
    objects: usize,
    written: u64,
}

impl Keeper {
    /// A way for pieces and its other end.
    pub(crate) fn channel() -> (Pieces, UnboundedReceiver<(Speaker, Said)>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Pieces(sender), receiver)
    }

    /// Takes checkpoints until the shutdown; an error when another process has taken over.
    pub(crate) async fn run(mut self, mut said: UnboundedReceiver<(Speaker, Said)>) -> Result<()> {
        let mut last = Arc::new(Lain::new());
        while self.shutdown.sleep(self.every).await {
            let mut draft = self.begin();
            if !self.collect(&mut draft, &last, &mut said).await? {
                return Ok(());
            }
            let Some(manifest) = self.finish(&mut draft).await? else { return Ok(()) };
            self.note(&draft, &manifest);
            (self.last, last) = (draft.mark, Arc::new(draft.lain));
            self.laid.set(self.order.cuts(), Arc::clone(&last));
            if let Err(error) = self.prune().await? {
                tracing::warn!(%error, "old checkpoints cannot be removed, will try again");
            }
        }
        Ok(())
    }

    /// Everything after the cut is behind what is asked for here.
    fn begin(&self) -> Draft {
        let mark = Mark { number: self.last.number + 1, ..self.last };
        let (alerts, control) = ((self.asked.alerts)(), (self.asked.control)());
        self.order.one_more();
        self.wakers.wake();
        Draft {
            mark,
            begun: Instant::now(),
            alerts,
            control,
            places: Vec::new(),
            lain: Lain::new(),
            open: Vec::new(),
            bytes: Vec::new(),
            objects: 0,
            written: 0,
        }
    }

    /// Until everybody is done; false at the shutdown.
    async fn collect(
        &self,
        draft: &mut Draft,
        last: &Lain,
        said: &mut UnboundedReceiver<(Speaker, Said)>,
    ) -> Result<bool> {
        let all = |worker| [Speaker::Source(worker), Speaker::Owner(worker), Speaker::Alerts(worker)];
        let mut awaited: BTreeSet<Speaker> = (0..self.workers).flat_map(all).collect();
        while !awaited.is_empty() {
            let heard = tokio::select! {
                heard = said.recv() => heard,
                () = self.shutdown.wait() => None,
            };
            let Some((speaker, said)) = heard else { return Ok(false) };
            match said {
                Said::Piece(section, Some(body)) => draft.add(section, &body),
                Said::Piece(section, None) => {
                    // A defect: a piece that was never written cannot be as it was.
                    let known = last.get(&section).context("a piece is said to be as it was, and never was")?;
                    draft.lain.insert(section, known.clone());
                }
                Said::Place(place) => draft.places.push(place),
                Said::Done => {
                    awaited.remove(&speaker);
                }
            }
            if draft.bytes.len() >= OBJECT && !self.write_object(draft).await {
                return Ok(false);
            }
        }
        draft.add(Section::Names, &(self.asked.names)());
        Ok(self.write_object(draft).await)
    }

    /// Writes what has come together as an object; false at the shutdown.
    async fn write_object(&self, draft: &mut Draft) -> bool {
        if draft.bytes.is_empty() {
            return true;
        }
        let name: Arc<str> = names::piece(draft.mark, draft.objects).into();
        let bytes = std::mem::take(&mut draft.bytes);
        draft.written += bytes.len() as u64;
        draft.objects += 1;
        for (section, from, length, hash) in draft.open.drain(..) {
            draft.lain.insert(section, (Arc::clone(&name), Slice { object: 0, from, length, hash }));
        }
        self.create(&name, bytes).await
    }

    /// Writes an object, for as long as it takes; false at the shutdown. What is there under the name already was written by
    /// an attempt whose answer was lost.
    async fn create(&self, name: &str, bytes: Vec<u8>) -> bool {
        loop {
            // What is broken off is there whole or not at all.
            let created = tokio::select! {
                created = self.objects.create(name, bytes.clone()) => created,
                () = self.shutdown.wait() => return false,
            };
            match created {
                Ok(Created::New | Created::Taken) => {
                    self.health.set_part("checkpoints", true, "");
                    return true;
                }
                Err(error) => {
                    tracing::warn!(%error, "a checkpoint cannot be written, will try again");
                    self.health.set_part("checkpoints", false, &error.to_string());
                    if !self.shutdown.sleep(AGAIN).await {
                        return false;
                    }
                }
            }
        }
    }

    /// Writes the manifest (`CKP-4`); none at the shutdown.
    async fn finish(&self, draft: &mut Draft) -> Result<Option<Manifest>> {
        if self.taken_over().await? && !seeded("zombie-goes-on") {
            bail!("another process has claimed the stream's state; this one ends");
        }
        let (objects, sections) = table(&draft.lain);
        let manifest = Manifest {
            format: FORMAT,
            mark: draft.mark,
            written_at: now_ms(),
            topics: self.topics.clone(),
            places: std::mem::take(&mut draft.places),
            alerts: std::mem::take(&mut draft.alerts),
            control: std::mem::take(&mut draft.control),
            objects,
            sections,
        };
        let bytes = manifest.to_bytes().context("a manifest cannot be written")?;
        Ok(self.create(&names::manifest(draft.mark), bytes).await.then_some(manifest))
    }

    /// Whether a later generation is claimed. A store that does not answer says nothing.
    async fn taken_over(&self) -> Result<bool> {
        loop {
            match lay::facts(&self.objects).await {
                Ok(facts) => return Ok(facts.taken_over(self.last.generation).is_some()),
                Err(lay::LayError::Objects(error)) => {
                    tracing::warn!(%error, "checkpoints cannot be looked at, will try again");
                    if !self.shutdown.sleep(AGAIN).await {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn note(&self, draft: &Draft, manifest: &Manifest) {
        let took = draft.begun.elapsed();
        let bytes: u64 = manifest.sections.iter().map(|(_, slice)| slice.length).sum();
        self.metrics.checkpoints.inc();
        self.metrics.checkpoint_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.metrics.checkpoint_at.set(manifest.written_at);
        self.metrics.checkpoint_seconds.observe(took.as_secs_f64());
        tracing::debug!(checkpoint = %draft.mark, bytes, written = draft.written, ms = took.as_millis(), "checkpoint");
    }

    /// Outer error: this process is over. Inner error: the store does not answer.
    async fn prune(&self) -> Result<Result<(), lay::LayError>> {
        let facts = match lay::facts(&self.objects).await {
            Ok(facts) => facts,
            Err(error) => return Ok(Err(error)),
        };
        let prune = facts.prune(self.last.generation);
        if let Prune::TakenOver(generation) = prune
            && !seeded("zombie-goes-on")
        {
            bail!("generation {generation} has claimed the stream's state; this process ends");
        }
        Ok(self.remove(&prune).await)
    }

    async fn remove(&self, prune: &Prune) -> Result<(), lay::LayError> {
        let Prune::Older { kept, .. } = prune else { return Ok(()) };
        let mut pieces = BTreeSet::new();
        for mark in kept {
            let bytes = self.objects.get(&names::manifest(*mark)).await?;
            match bytes.as_deref().map(Manifest::parse) {
                Some(Ok(manifest)) => pieces.extend(manifest.objects),
                // What a damaged one names cannot be told: nothing goes until it is among the last no more.
                Some(Err(_)) | None => return Ok(()),
            }
        }
        Ok(lay::remove(&self.objects, prune, &pieces).await?)
    }
}

impl Draft {
    fn add(&mut self, section: Section, body: &[u8]) {
        self.open.push((section, self.bytes.len() as u64, body.len() as u64, hash(body)));
        self.bytes.extend_from_slice(body);
    }
}

/// Objects, and sections by their place in that list.
fn table(lain: &Lain) -> (Vec<String>, Vec<(Section, Slice)>) {
    let names: BTreeSet<&Arc<str>> = lain.values().map(|(name, _)| name).collect();
    let number: BTreeMap<&Arc<str>, u32> = names.iter().zip(0u32..).map(|(name, number)| (*name, number)).collect();
    let place = |name: &Arc<str>| number.get(name).copied().unwrap_or(u32::MAX);
    let sections = lain.iter().map(|(section, (name, slice))| (*section, Slice { object: place(name), ..*slice }));
    (names.iter().map(|name| name.to_string()).collect(), sections.collect())
}
