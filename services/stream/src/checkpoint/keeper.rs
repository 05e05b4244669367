//! Takes checkpoints: orders a cut every so often, writes the pieces as they come, the manifest last.
//!
//! It waits for the store as long as it takes: a checkpoint that cannot be written holds up the next one, never the stream.

use super::{
    desk::{AGAIN, Desk, Draft, Lain},
    lay,
    loans::Laid,
    manifest::{AlertPlace, FORMAT, Manifest, Place, Section, Slice},
    names,
    pieces::PiecesOut,
    protocol::{Mark, Prune},
    scribe::Ordered,
};
use crate::{metrics::Metrics, wake::Wakers};
use anyhow::{Context, Result, bail};
use gridwarden_runtime::{clock::now_ms, seeded::seeded};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How cuts are ordered: by a count that workers look at.
#[derive(Clone, Default)]
pub(crate) struct Order(Arc<AtomicU32>);

impl Order {
    /// The number of cuts ordered in the life of this process.
    pub(crate) fn cuts(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    fn one_more(&self) -> u32 {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// So many are ordered by the process that leads.
    pub(super) fn set(&self, cuts: u32) {
        self.0.store(cuts, Ordering::Release);
    }
}

/// Takes what a process has said of `alerts.v1`.
type Hears = dyn Fn(usize, &[AlertPlace], bool) + Send + Sync;

/// What is asked at the moment of a cut, and of what the names stand for after it.
pub(crate) struct Asked {
    /// From where `alerts.v1` may hold transitions that come after the cut.
    pub(crate) alerts: Box<dyn Fn() -> Vec<AlertPlace> + Send + Sync>,
    /// How far the control topics are read.
    pub(crate) control: Box<dyn Fn() -> Vec<Place> + Send + Sync>,
    /// Takes from another process how far it knows `alerts.v1` to be written, and whether it is settled there.
    pub(crate) heard: Box<Hears>,
    /// The names section.
    pub(crate) names: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
}

/// What the checkpoints that stay are made of. Manifests never change: each is read once, those of this process not at all.
type Named = BTreeMap<Mark, Vec<String>>;

/// Takes checkpoints.
pub(crate) struct Keeper {
    pub(crate) desk: Desk,
    /// The generation claimed, and the number of its base.
    pub(crate) last: Mark,
    pub(crate) every: Duration,
    pub(crate) order: Order,
    pub(crate) wakers: Wakers,
    pub(crate) asked: Asked,
    /// Where it is told what a finished checkpoint is made of.
    pub(crate) laid: Laid,
    /// Ids of the topics read, by name.
    pub(crate) topics: Vec<(String, String)>,
    pub(crate) metrics: Metrics,
    /// Tells other processes what they have to do.
    pub(crate) tell: Box<dyn Fn(Ordered) + Send + Sync>,
}

impl Keeper {
    /// Takes checkpoints until the shutdown; an error when another process has taken over.
    pub(crate) async fn run(mut self, mut said: PiecesOut) -> Result<()> {
        let mut last = Arc::new(Lain::new());
        let mut named = Named::new();
        while self.desk.shutdown.sleep(self.every).await {
            let (mut draft, alerts, control) = self.begin();
            if !self.collect(&mut draft, &last, &mut said).await? {
                return Ok(());
            }
            let Some(manifest) = self.finish(&mut draft, alerts, control).await? else { return Ok(()) };
            self.note(&draft, &manifest);
            named.insert(draft.mark, manifest.objects);
            (self.last, last) = (draft.mark, Arc::new(draft.lain));
            self.laid.set(self.order.cuts(), Arc::clone(&last));
            (self.tell)(Ordered::Laid { cuts: self.order.cuts() });
            if let Err(error) = self.prune(&mut named).await? {
                tracing::warn!(%error, "old checkpoints cannot be removed, will try again");
            }
        }
        Ok(())
    }

    /// Everything after the cut is behind what is asked for here.
    fn begin(&self) -> (Draft, Vec<AlertPlace>, Vec<Place>) {
        let mark = Mark { number: self.last.number + 1, ..self.last };
        let (alerts, control) = ((self.asked.alerts)(), (self.asked.control)());
        let cuts = self.order.one_more();
        self.wakers.wake();
        (self.tell)(Ordered::Cut { cuts, mark });
        (Draft::new(mark), alerts, control)
    }

    /// Until everybody is done and all is written; false at the shutdown.
    async fn collect(&self, draft: &mut Draft, last: &Lain, said: &mut PiecesOut) -> Result<bool> {
        if !self.desk.collect(draft, last, said).await? {
            return Ok(false);
        }
        for (process, part) in &draft.parts {
            (self.asked.heard)(*process, &part.reached, part.settled);
        }
        draft.add(Section::Names, &(self.asked.names)());
        Ok(self.desk.write_object(draft).await)
    }

    /// Writes the manifest (`CKP-4`); none at the shutdown.
    async fn finish(
        &self,
        draft: &mut Draft,
        alerts: Vec<AlertPlace>,
        control: Vec<Place>,
    ) -> Result<Option<Manifest>> {
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
            alerts,
            control,
            objects,
            sections,
        };
        let bytes = manifest.to_bytes().context("a manifest cannot be written")?;
        Ok(self.desk.create(&names::manifest(draft.mark), bytes).await.then_some(manifest))
    }

    /// Whether a later generation is claimed. A store that does not answer says nothing.
    async fn taken_over(&self) -> Result<bool> {
        loop {
            match lay::facts(&self.desk.objects).await {
                Ok(facts) => return Ok(facts.taken_over(self.last.generation).is_some()),
                Err(lay::LayError::Objects(error)) => {
                    tracing::warn!(%error, "checkpoints cannot be looked at, will try again");
                    if !self.desk.shutdown.sleep(AGAIN).await {
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
    async fn prune(&self, named: &mut Named) -> Result<Result<(), lay::LayError>> {
        let facts = match lay::facts(&self.desk.objects).await {
            Ok(facts) => facts,
            Err(error) => return Ok(Err(error)),
        };
        let prune = facts.prune(self.last.generation);
        if let Prune::TakenOver(generation) = prune
            && !seeded("zombie-goes-on")
        {
            bail!("generation {generation} has claimed the stream's state; this process ends");
        }
        Ok(self.remove(&prune, named).await)
    }

    async fn remove(&self, prune: &Prune, named: &mut Named) -> Result<(), lay::LayError> {
        let Prune::Older { kept, .. } = prune else { return Ok(()) };
        named.retain(|mark, _| kept.contains(mark));
        for mark in kept {
            if named.contains_key(mark) {
                continue;
            }
            let bytes = self.desk.objects.get(&names::manifest(*mark)).await?;
            match bytes.as_deref().map(Manifest::parse) {
                Some(Ok(manifest)) => drop(named.insert(*mark, manifest.objects)),
                // What a damaged one names cannot be told: nothing goes until it is among the last no more.
                Some(Err(_)) | None => return Ok(()),
            }
        }
        let pieces = named.values().flatten().map(String::as_str).collect();
        Ok(lay::remove(&self.desk.objects, prune, &pieces).await?)
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
