//! The control thread: polls, feeds the fold, asks for ends.

use super::{Prepare, Shared};
use crate::{Assignment, Batch, BusError, From, KafkaConfig, Offsets, Reader, ReaderOptions, clock, ffi, topics};
use gridwarden_domain::control::{Fold, Timeline};
use gridwarden_domain::locate::LayerSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The control topics; a record's topic index is its place here.
pub(super) const TOPICS: [&str; 3] = [topics::REGISTRY, topics::RULES, topics::LAYERS];
/// How often the ends are asked for.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How often memory librdkafka no longer needs is given back, whichever of the process's clients needed it.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(20);
/// How long reading may go on without publishing what was read.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
const BATCH: usize = 10_000;

/// How long the topics may be unknown before that is believed: a broker that starts knows none for a moment.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

fn is_young(error: &BusError, good_at: Instant) -> bool {
    matches!(error, BusError::UnknownTopic { .. }) && good_at.elapsed() < UNKNOWN_FOR
}

/// Ends of the control topics and when they were asked for.
struct Asked {
    at_ms: i64,
    ends: Vec<i64>,
}

/// The thread's state.
pub(super) struct Follower {
    reader: Reader,
    offsets: Offsets,
    fold: Fold,
    asked: Option<Asked>,
    /// Whether the fold holds something that is not published.
    unpublished: Option<Instant>,
    /// The layers whose rasters were last asked for.
    rasters_of: Option<Arc<LayerSet>>,
}

impl Follower {
    pub(super) fn open(kafka: &KafkaConfig, fold: Fold) -> Result<Self, BusError> {
        let assignments =
            TOPICS.map(|topic| Assignment { topic: topic.to_owned(), partition: 0, from: From::Beginning });
        let options = ReaderOptions {
            partition_ends: true,
            queue_mib: 32,
            queue_messages: 10_000,
            ..ReaderOptions::named("gridwarden-control")
        };
        let reader = Reader::open(kafka, &assignments, &options)?;
        Ok(Self { reader, offsets: Offsets::open(kafka)?, fold, asked: None, unpublished: None, rasters_of: None })
    }

    pub(super) fn empty_timeline(&self) -> Timeline {
        Fold::new().timeline()
    }

    pub(super) fn run(mut self, shared: &Shared) {
        let (mut ask_at, mut good_at) = (Instant::now(), Instant::now());
        let mut give_back_at = Instant::now() + GIVE_BACK_EVERY;
        while !shared.stopping() {
            if Instant::now() >= give_back_at {
                give_back_at = Instant::now() + GIVE_BACK_EVERY;
                ffi::give_back();
            }
            match self.step(&mut ask_at, shared) {
                Ok(()) => good_at = Instant::now(),
                Err(error) if error.is_transient() || is_young(&error, good_at) => {
                    tracing::warn!(%error, "control topics: reading waits");
                    std::thread::sleep(ASK_EVERY);
                }
                Err(error) => {
                    tracing::error!(%error, "control topics cannot be followed");
                    shared.fail(error);
                    return;
                }
            }
        }
    }

    fn step(&mut self, ask_at: &mut Instant, shared: &Shared) -> Result<(), BusError> {
        if self.asked.is_none() && Instant::now() >= *ask_at {
            *ask_at = Instant::now() + ASK_EVERY;
            self.ask()?;
        }
        let idle = self.asked.is_none();
        let wait = if idle { ask_at.saturating_duration_since(Instant::now()) } else { ASK_EVERY };
        let batch = self.reader.poll(BATCH, wait)?;
        self.take(&batch, shared);
        self.publish(shared);
        Ok(())
    }

    fn ask(&mut self) -> Result<(), BusError> {
        let at_ms = clock::now_ms();
        let ends = self.offsets.ends(&TOPICS.map(|topic| (topic, 0)))?;
        for ((position, end), topic) in self.reader.positions().iter().zip(&ends).zip(TOPICS) {
            // What was read before the question cannot lie behind the answer, unless the topic was made anew.
            if position.next.is_some_and(|next| next > *end) {
                return Err(BusError::Control(format!(
                    "{topic} became shorter (its end is now {end}): was it made anew?"
                )));
            }
        }
        self.asked = Some(Asked { at_ms, ends });
        Ok(())
    }

    fn take(&mut self, batch: &Batch, shared: &Shared) {
        for record in batch.records() {
            let key = record.key.unwrap_or_default();
            let appended = record.appended_ms;
            let outcome = match record.topic {
                0 => self.fold.registry(key, record.payload, appended),
                1 => self.fold.rule(key, record.payload, appended),
                _ => self.fold.layer(key, record.payload, appended),
            };
            if let Err(reason) = outcome {
                let topic = TOPICS.get(usize::from(record.topic)).copied().unwrap_or_default();
                let key = String::from_utf8_lossy(key);
                shared.skipped.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(topic, offset = record.offset, %key, %reason, "control record skipped");
            }
            self.unpublished.get_or_insert_with(Instant::now);
        }
    }

    /// Whether everything before the ends last asked for has been read.
    fn reached(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| {
            self.reader
                .positions()
                .iter()
                .zip(&asked.ends)
                .all(|(position, end)| *end == 0 || position.next.is_some_and(|next| next >= *end))
        })
    }

    /// Builds the rasters of new layers beside this thread: they come into force two seconds later, and nobody who places a
    /// record then should wait for them.
    fn build_rasters(&mut self, timeline: &Timeline, prepare: &Prepare) {
        let newest = timeline.layers_at(i64::MAX);
        if self.rasters_of.as_ref().is_some_and(|known| Arc::ptr_eq(known, newest)) {
            return;
        }
        self.rasters_of = Some(Arc::clone(newest));
        let (set, prepare) = (Arc::clone(newest), Arc::clone(prepare));
        if let Err(error) = std::thread::Builder::new().name("rasters".to_owned()).spawn(move || prepare(&set)) {
            // They are then built by whoever asks first.
            tracing::warn!(%error, "no thread to build rasters");
        }
    }

    fn publish(&mut self, shared: &Shared) {
        let reached = self.reached();
        let waiting = self.unpublished.is_some_and(|since| reached || since.elapsed() >= PUBLISH_EVERY);
        if waiting {
            self.unpublished = None;
            let timeline = Arc::new(self.fold.timeline());
            shared.timeline.store(Arc::clone(&timeline));
            if let Some(prepare) = shared.rasters_ahead.get() {
                self.build_rasters(&timeline, prepare);
            }
        }
        for (known, position) in shared.positions.iter().zip(self.reader.positions()) {
            known.store(position.next.unwrap_or(0), Ordering::Relaxed);
        }
        // Only now may the moment move (`BUS-6`).
        if reached && let Some(asked) = self.asked.take() {
            shared.cover(asked.at_ms);
        }
    }
}
