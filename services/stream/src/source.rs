//! The source: each worker reads its own partitions inside the dataflow and sends on what follows from the records.
//!
//! A record is taken once the control topics are known up to its append time; until then the batch is held. Alerts leave at
//! once, they never wait for the dataflow's time.

mod ahead;
mod archive;
mod ends;
mod numbers;

pub(crate) use numbers::{NOT_OURS, number, numbers, numbers_of_world, place};

use crate::{
    alerts::{AlertQueue, Teller},
    cadence::Cadence,
    checkpoint::{Body, Loans, Order, Pace, Pieces, Place, Said, Speaker, Turn},
    cluster::Seat,
    config::StreamSection,
    ends::EndsBoard,
    intake::{Copy, Intake, Outbox, Record},
    rebuild::Pieces as ArchivePieces,
    restored::Restored,
    shard::{SHARDS, reader_of},
    shared::Shared,
    sink::{ENTITIES, EntitySink, Then},
    together::Sighting,
    windows::{Delta, FENCE, Mark, Partial},
};
use ahead::{Crowd, Verdict};
use anyhow::{Context, Result};
use archive::FromArchive;
use gridwarden_bus::{
    Assignment, Batch, From, KafkaConfig, Reader, ReaderOptions, Record as BusRecord,
    control::{CLOCK_MARGIN_MS, ControlReader},
    headers,
};
use gridwarden_runtime::{clock::now_ms, shutdown::Shutdown};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often sums, marks, counts and ends are dealt with.
const TURN: Duration = Duration::from_millis(250);
/// The same while the past is read: fewer, larger sums.
const PAST_TURN: Duration = Duration::from_millis(1_000);
/// How long the latest state of entities may wait while the past is read.
const PAST_ENTITIES: Duration = Duration::from_secs(10);
/// The same thing is said once in this time.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// What a worker's source needs from outside.
#[derive(Clone)]
pub(crate) struct SourceContext {
    pub(crate) shared: Arc<Shared>,
    pub(crate) kafka: KafkaConfig,
    pub(crate) config: StreamSection,
    pub(crate) control: Arc<ControlReader>,
    pub(crate) ends: EndsBoard,
    pub(crate) alerts: AlertQueue,
    pub(crate) entities: EntitySink,
    pub(crate) restored: Restored,
    /// By worker of this process, once: what is read from the archive before the logs.
    pub(crate) archived: Arc<Mutex<Vec<Option<ArchivePieces>>>>,
    pub(crate) order: Order,
    pub(crate) pieces: Pieces,
    pub(crate) loans: Loans,
    /// Where each partition ended when the fence stood.
    pub(crate) fence: Arc<[i64]>,
    /// Which process this is.
    pub(crate) seat: Seat,
    /// Retention of each topic read, in ms; −1: for ever.
    pub(crate) retentions_ms: Arc<[i64]>,
    pub(crate) shutdown: Shutdown,
}

/// What one turn of the source asks for.
pub(crate) enum Next {
    /// There is more to read at once.
    Again,
    /// Nothing until something comes or the next tick.
    Wait,
}

/// One worker's reading.
pub(crate) struct Source {
    context: SourceContext,
    /// Among the workers of this process.
    worker: usize,
    label: String,
    workers: u16,
    /// Opened on the worker's own thread, once all that is wanted from the archive is read; none when no partition is this
    /// worker's.
    reader: Option<Reader>,
    /// What comes from the archive first.
    archive: Option<FromArchive>,
    wake: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Numbers of the partitions read.
    parts: Vec<u16>,
    /// By topic (the reader's number of it, or the world's for what is archived) and partition: the partition's number.
    numbers: Vec<Vec<u16>>,
    intake: Intake,
    outbox: Outbox,
    /// A batch of which so many records are taken.
    held: Option<(Batch, usize)>,
    turned: Instant,
    wrote_entities: Instant,
    cadence: Cadence,
    warn_at: Instant,
    alarm_at: Instant,
    ends_seen: i64,
    behind: i64,
    /// Number of the chunk that entities go into next.
    chunk: u32,
    /// Cuts made.
    cuts: u32,
    /// Whether copies are still to be made for the last of them.
    copying: bool,
    pace: Pace,
    copies: Vec<Copy>,
    /// Whether it was said what is open here.
    told: bool,
    /// Partitions that are not read past the fence yet.
    before_fence: Vec<u16>,
    /// Partitions that wait for slower ones.
    held_back: BTreeSet<u16>,
}

impl Source {
    /// Opens the reader of the partitions of this worker, numbered among all of all processes.
    pub(crate) fn open(mut context: SourceContext, index: usize) -> Result<Self> {
        context.entities = context.entities.of_another();
        let (worker, workers) = (context.seat.local(index), context.seat.peers());
        let world = &context.shared.world;
        let mine = |part: &crate::shared::Part| reader_of(part.topic, part.partition, workers) == index;
        let parts: Vec<u16> =
            (0u16..).zip(&world.parts).filter(|(_, part)| mine(part)).map(|(number, _)| number).collect();
        let now = Instant::now();
        if context.shared.metrics.reading_since.get() == 0 {
            context.shared.metrics.reading_since.set(now_ms());
        }
        let cadence = Cadence::new(Duration::from_millis(context.config.write_ms), now);
        let mut intake = Intake::new(&context.shared, &parts, context.config.most_entities);
        context.restored.fill(&context.shared, &parts, &mut intake);
        let archive =
            context.archived.lock().unwrap_or_else(PoisonError::into_inner).get_mut(worker).and_then(Option::take);
        let mut source = Self {
            intake,
            outbox: Outbox::default(),
            label: worker.to_string(),
            workers: workers as u16,
            held: None,
            turned: now,
            wrote_entities: now,
            cadence,
            warn_at: now,
            alarm_at: now,
            ends_seen: 0,
            behind: 1,
            chunk: 1,
            cuts: 0,
            copying: false,
            pace: Pace::new(now),
            copies: Vec::new(),
            told: false,
            before_fence: parts.clone(),
            held_back: BTreeSet::new(),
            context,
            worker,
            reader: None,
            archive: archive.map(FromArchive::new),
            wake: None,
            parts,
            numbers: Vec::new(),
        };
        match &source.archive {
            Some(_) => source.numbers = numbers_of_world(&source.context.shared.world),
            None => source.open_logs()?,
        }
        Ok(source)
    }

    /// Reads the logs, each from where its partition stands.
    fn open_logs(&mut self) -> Result<()> {
        let world = &self.context.shared.world;
        let assignment = |number: &u16| {
            let (topic, partition) = world.name_of(*number);
            let from = self.intake.next_offset(*number).map_or(From::Beginning, From::Offset);
            Assignment { topic: topic.to_owned(), partition, from }
        };
        let assignments: Vec<Assignment> = self.parts.iter().map(assignment).collect();
        if assignments.is_empty() {
            return Ok(());
        }
        let options = ReaderOptions { partition_ends: true, ..ReaderOptions::named("gridwarden-stream") };
        let mut reader = Reader::open(&self.context.kafka, &assignments, &options).context("cannot read the topics")?;
        if let Some(wake) = self.wake.clone() {
            reader.on_ready(move || wake());
        }
        self.numbers = numbers(reader.topics(), &self.context.shared.world);
        self.reader = Some(reader);
        Ok(())
    }

    /// Calls `wake` whenever there is something to read.
    pub(crate) fn on_ready(&mut self, wake: impl Fn() + Send + Sync + 'static) {
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(wake);
        self.wake = Some(Arc::clone(&wake));
        if let Some(reader) = &mut self.reader {
            reader.on_ready(move || wake());
        }
    }

    /// Whether the end has begun.
    pub(crate) fn is_ending(&self) -> bool {
        self.context.shutdown.is_triggered()
    }

    /// Reads one batch, or goes on with the one held.
    pub(crate) fn read(&mut self) -> Result<Next> {
        if !self.context.alerts.has_room() || self.context.shared.is_pressed() {
            return Ok(Next::Wait);
        }
        if self.archive.is_some() {
            return self.read_archive();
        }
        let Some(reader) = &mut self.reader else { return Ok(Next::Wait) };
        let (batch, from) = match self.held.take() {
            Some(held) => held,
            None => (reader.poll(self.context.config.batch, Duration::ZERO).context("cannot read the topics")?, 0),
        };
        let done = from + self.take(&batch, from);
        self.say_alerts();
        if done < batch.len() {
            self.held = Some((batch, done));
            return Ok(Next::Wait);
        }
        Ok(if batch.is_empty() { Next::Wait } else { Next::Again })
    }

    fn say_alerts(&mut self) {
        for alert in self.outbox.alerts.drain(..) {
            self.context.alerts.push(alert);
        }
    }

    /// What is in force, and for records up to which append time that is known.
    fn learn(&mut self) -> i64 {
        // First how far it is known, then what is known.
        let known_until = self.context.control.covered_until_ms().saturating_add(CLOCK_MARGIN_MS);
        self.intake.set_timeline(self.context.control.timeline());
        known_until
    }

    fn take(&mut self, batch: &Batch, from: usize) -> usize {
        let known_until = self.learn();
        let part = |topic, partition| number(&self.numbers, topic, partition).unwrap_or(NOT_OURS);
        let records = batch.records().skip(from).map(|record| read(&record, part(record.topic, record.partition)));
        let ends = batch.ends().iter().map(|end| (part(end.topic, end.partition), end.offset));
        self.intake.take_known(&self.context.shared, records, known_until, ends, &mut self.outbox)
    }

    /// The number of cuts made; one is wanted when [`Source::is_cut_wanted`].
    pub(crate) fn cuts(&self) -> u32 {
        self.cuts
    }

    /// Whether a cut is ordered that was not made yet.
    pub(crate) fn is_cut_wanted(&self) -> bool {
        self.cuts < self.context.order.cuts() && !self.copying
    }

    /// Everything read so far is before the cut, everything after it behind. Sums and marks must be out already.
    pub(crate) fn cut(&mut self) {
        self.cuts += 1;
        self.copying = true;
        self.context.alerts.cut(Teller::Reading(self.worker));
        let speaker = Speaker::Source(self.worker);
        for place in self.places() {
            self.context.pieces.say(speaker, Said::Place(place));
        }
        self.intake.begin_copy(self.context.entities.taken(), &mut self.copies);
    }

    fn places(&self) -> Vec<Place> {
        let world = &self.context.shared.world;
        let place = |(number, next): (u16, i64)| {
            let part = world.parts.get(usize::from(number))?;
            let topic = world.topics.get(usize::from(part.topic))?.name.clone();
            Some(Place { topic, partition: part.partition, next })
        };
        self.intake.next_offsets().filter_map(place).collect()
    }

    /// Goes on copying for a moment, when it is time; in how long again, if there is more.
    pub(crate) fn copy_on(&mut self, now: Instant) -> Option<Duration> {
        if !self.copying {
            return None;
        }
        let Turn::Copy(until, again) = self.pace.turn(now, self.is_past()) else { return None };
        if self.context.pieces.are_enough() {
            return Some(again);
        }
        let done = self.intake.copy_on(|| Instant::now() < until, &mut self.copies);
        let speaker = Speaker::Source(self.worker);
        let copies = self.copies.drain(..).map(|(section, body)| (section, body.map(Body::written)));
        self.context.pieces.say_all(speaker, copies);
        if done {
            self.copying = false;
            self.context.pieces.say(speaker, Said::Done);
        }
        self.copying.then_some(again)
    }

    /// How many records are read and wait until what is in force for them is known.
    fn held(&self) -> usize {
        let archived = self.archive.as_ref().map_or(0, FromArchive::held);
        archived + self.held.as_ref().map_or(0, |(batch, done)| batch.len() - done)
    }

    /// Deltas to send on.
    pub(crate) fn deltas(&mut self) -> std::vec::Drain<'_, Delta> {
        self.outbox.deltas.drain(..)
    }

    /// What rules over several entities are to see, to each worker that decides about some of them.
    pub(crate) fn sightings(&mut self) -> impl Iterator<Item = Sighting> + '_ {
        let workers = self.workers.max(1);
        self.outbox.sightings.drain(..).flat_map(move |(shards, sighting)| {
            let owners = (0..SHARDS).filter(|shard| shards >> shard & 1 == 1).map(|shard| shard % workers);
            let owners: BTreeSet<u16> = owners.collect();
            owners.into_iter().map(move |to| Sighting { to, ..sighting.clone() })
        })
    }

    /// Whether it is time to hand out sums and marks.
    pub(crate) fn is_turn(&self, now: Instant) -> bool {
        let turn = if self.is_past() { PAST_TURN } else { TURN };
        now.duration_since(self.turned) >= turn
    }

    fn is_past(&self) -> bool {
        self.context.shared.progress.get(self.worker).is_some_and(|progress| progress.past.load(Ordering::Relaxed))
    }

    /// Hands out sums, then marks.
    pub(crate) fn turn(&mut self, now: Instant, partial: impl FnMut(Partial), mut mark: impl FnMut(Mark)) {
        self.turned = now;
        self.note_ends();
        self.intake.drain_partials(partial);
        self.intake.marks(self.workers, &mut mark);
        self.mark_fence(mark);
        if let Some(progress) = self.context.shared.progress.get(self.worker) {
            let old = now_ms() - self.intake.newest() > self.context.config.past_ms;
            progress.past.store(self.behind > 0 && old, Ordering::Relaxed);
        }
        self.keep_together();
        self.write_entities(now);
        self.tell_open();
        self.warn(now);
        self.context.shared.metrics.held.with_label_values(&[&self.label]).set(self.held() as i64);
    }

    /// Holds back partitions that are ahead while too much waits for slower ones (`AHD-1`).
    fn keep_together(&mut self) {
        let shared = &self.context.shared;
        let waiting: u64 = shared.progress.iter().map(|progress| progress.waiting.load(Ordering::Relaxed)).sum();
        let crowd = Crowd {
            waiting: usize::try_from(waiting).unwrap_or(usize::MAX),
            most: self.context.config.together_most,
            slowest: shared.progress.get(self.worker).map_or(i64::MIN, |own| own.watermark.load(Ordering::Relaxed)),
        };
        // Where a partition goes on is behind what was handed out: that must be taken first.
        let (Some(reader), true) = (&mut self.reader, self.held.is_none()) else { return };
        for part in &self.parts {
            let clock = self.intake.clock(*part);
            let Some((topic, partition)) = place(&self.numbers, *part) else { continue };
            let done = match ahead::decide(crowd, clock, self.held_back.contains(part)) {
                Verdict::Stay => continue,
                Verdict::HoldBack => {
                    shared.metrics.held_back.inc();
                    self.held_back.insert(*part);
                    reader.hold_back(topic, partition)
                }
                Verdict::GoOn => {
                    self.held_back.remove(part);
                    reader.go_on(topic, partition)
                }
            };
            if let Err(error) = done {
                tracing::error!(partition, %error, "a partition cannot be held back, or gone on with");
            }
        }
    }

    /// Tells all owners which partitions are read past the fence.
    fn mark_fence(&mut self, mut mark: impl FnMut(Mark)) {
        let (intake, fence, workers) = (&self.intake, &self.context.fence, self.workers);
        self.before_fence.retain(|part| {
            let end = fence.get(usize::from(*part)).copied().unwrap_or(0);
            let is_past = intake.is_past(*part, end);
            if is_past {
                (0..workers).for_each(|to| mark(Mark { watermark: 0, to, part: *part, domain: FENCE }));
            }
            !is_past
        });
    }

    /// Once all of what stood before the fence is read: what is open here (`ALR-3`).
    fn tell_open(&mut self) {
        let end = |part: &u16| self.context.fence.get(usize::from(*part)).copied().unwrap_or(0);
        if self.told || !self.parts.iter().all(|part| self.intake.is_past(*part, end(part))) {
            return;
        }
        self.told = true;
        self.context.alerts.held(Teller::Reading(self.worker), self.intake.open_alerts());
    }

    /// A broker's clock that steps back keeps records from the rules: somebody has to know.
    fn warn(&mut self, now: Instant) {
        if now < self.warn_at {
            return;
        }
        let records = self.intake.take_stepped_back();
        if records > 0 {
            tracing::error!(records, "a broker's clock stepped back by more than a second: too late for rules");
            self.warn_at = now + WARN_EVERY;
        }
    }

    /// Adds the counts to the process's.
    pub(crate) fn settle(&mut self) {
        self.intake.settle(&self.context.shared, &self.label);
    }

    fn write_entities(&mut self, now: Instant) {
        let waits = self.is_past() && now.duration_since(self.wrote_entities) < PAST_ENTITIES;
        if waits || !self.cadence.is_due(now, self.context.entities.taken()) {
            return;
        }
        while self.intake.has_dirty_entities() {
            // Without room they stay dirty and are written later as they are then.
            let Some(room) = self.context.entities.room() else { return };
            let mut rows = Vec::with_capacity(ENTITIES);
            self.intake.drain_entities(ENTITIES, self.chunk, &mut rows);
            room.send(self.chunk, rows, if self.intake.has_dirty_entities() { Then::More } else { Then::Pause });
            self.chunk += 1;
        }
        self.cadence.is_out(self.chunk.saturating_sub(1));
        self.wrote_entities = now;
    }
}

#[inline]
/// A record of the log as the intake takes it.
pub(crate) fn read<'a>(record: &BusRecord<'a>, part: u16) -> Record<'a> {
    let said = record.headers();
    Record {
        part,
        offset: record.offset,
        appended: record.appended_ms,
        payload: record.payload,
        feed: said.get(headers::FEED),
        end: if record.payload.is_none() { said.get(headers::END) } else { None },
        content_type: said.get(headers::CONTENT_TYPE),
        simulated: said.get(headers::SIMULATED).is_some(),
        origin: said.get(headers::ORIGIN),
        archived: false,
        #[cfg(debug_assertions)]
        fault: said.get(headers::FAULT),
    }
}
