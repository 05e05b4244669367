//! Reading and collecting: one thread from Kafka to blocks. Back-pressure: while no block can be handed over, nothing is
//! read.

use crate::collect::{Collector, Moment};
use crate::cursor::{Cursor, Step};
use crate::insert::Work;
use crate::metrics::Metrics;
use crate::sources::changed;
use anyhow::{Context, Result, anyhow, bail};
use gridwarden_bus::control::ControlReader;
use gridwarden_bus::topics::Identities;
use gridwarden_bus::{Batch, BusError, Reader, Record, sources::Source};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::crashes;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::shutdown::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

const BATCH: usize = 10_000;
const POLL: Duration = Duration::from_millis(50);
/// A held range with more than this still to come is leapt over instead of read.
const LEAP: i64 = 50_000;
/// How long the control topics may be behind before the archive says so.
const CONTROL_PATIENCE: Duration = Duration::from_secs(5);

/// A partition that is read.
pub(crate) struct Partition {
    topic: u16,
    partition: i32,
    cursor: Cursor,
    /// Records read and not counted yet.
    read: u64,
}

impl Partition {
    pub(crate) fn new(topic: u16, partition: i32, cursor: Cursor) -> Self {
        Self { topic, partition, cursor, read: 0 }
    }

    /// Topic (index of the source) and partition.
    pub(crate) fn place(&self) -> (u16, i32) {
        (self.topic, self.partition)
    }

    /// The next offset to be read.
    pub(crate) fn next(&self) -> i64 {
        self.cursor.next()
    }

    fn is_of(&self, record: &Record<'_>) -> bool {
        (self.partition, self.topic) == (record.partition, record.topic)
    }
}

/// What the thread works with.
pub(crate) struct Pipeline {
    pub(crate) sources: Arc<Vec<Source>>,
    pub(crate) identities: Arc<Identities>,
    /// In the order of the reader's assignments.
    pub(crate) partitions: Vec<Partition>,
    pub(crate) reader: Reader,
    pub(crate) control: ControlReader,
    pub(crate) collector: Collector,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
    pub(crate) sender: Sender<Work>,
    /// Next offset per partition, for whoever measures the lag.
    pub(crate) positions: Arc<Vec<AtomicI64>>,
}

impl Pipeline {
    /// Reads until the end begins; what was collected by then is handed over.
    pub(crate) fn run(mut self) -> Result<()> {
        while !self.shutdown.is_triggered() {
            match self.reader.poll(BATCH, POLL) {
                Ok(batch) if batch.is_empty() => {}
                Ok(batch) => {
                    if !self.wait_for_control(&batch)? {
                        break;
                    }
                    self.take(&batch)?;
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "reading waits");
                    std::thread::sleep(Duration::from_millis(200));
                }
                Err(error) => return Err(self.reason(error)),
            }
            while let Some(work) = self.collector.take_due(now_ms()) {
                self.hand_over(work)?;
            }
        }
        while let Some(work) = self.collector.take_any() {
            self.hand_over(work)?;
        }
        Ok(())
    }

    /// Why reading cannot go on. A topic made anew shows as offsets that are not there: then that is the reason.
    fn reason(&self, error: BusError) -> anyhow::Error {
        match changed(&self.identities, &self.sources) {
            Ok(Some(words)) => anyhow!("{words}; start again"),
            _ => anyhow::Error::new(error).context("observations and reports cannot be read"),
        }
    }

    fn hand_over(&self, work: Work) -> Result<()> {
        match self.sender.blocking_send(work) {
            Ok(()) => Ok(()),
            // Nobody takes blocks any more: right at the end, wrong before.
            Err(_) if self.shutdown.is_triggered() => Ok(()),
            Err(_) => bail!("blocks are not taken any more"),
        }
    }

    /// Waits until what is in force for every record of the batch is known; false when the end begins first.
    fn wait_for_control(&self, batch: &Batch) -> Result<bool> {
        let newest = batch.records().map(|record| record.appended_ms).max().unwrap_or(i64::MIN);
        let begun = Instant::now();
        loop {
            if self.control.wait_covered(newest, Duration::from_millis(200))? {
                self.health.set_part("control", true, "");
                return Ok(true);
            }
            if self.shutdown.is_triggered() {
                return Ok(false);
            }
            if begun.elapsed() > CONTROL_PATIENCE {
                self.health.set_part("control", false, "the control topics are behind; reading waits");
            }
        }
    }

    fn take(&mut self, batch: &Batch) -> Result<()> {
        let timeline = self.control.timeline();
        let moment = Moment { timeline: &timeline, now_ms: now_ms() };
        self.metrics.control_skipped.set(i64::try_from(self.control.skipped()).unwrap_or(i64::MAX));
        let (mut at, mut gaps, mut leaps) = (0, Vec::new(), Vec::new());
        for record in batch.records() {
            // Records come in runs of one partition.
            if !self.partitions.get(at).is_some_and(|known| known.is_of(&record)) {
                at = self.partitions.iter().position(|known| known.is_of(&record)).context("an unknown partition")?;
            }
            let (Some(known), Some(source)) =
                (self.partitions.get_mut(at), self.sources.get(usize::from(record.topic)))
            else {
                bail!("a record of a topic that is not read");
            };
            known.read += 1;
            let step = known.cursor.step(record.offset, &mut gaps);
            for gap in gaps.drain(..) {
                self.collector.gap(source, &record, gap, moment.now_ms);
            }
            match step {
                Step::Missing => self.collector.add(source, &record, moment),
                Step::Old => self.metrics.duplicate.inc(),
                Step::Held { until } => {
                    self.metrics.duplicate.inc();
                    if until - record.offset > LEAP {
                        leaps.push((at, until));
                    }
                }
            }
        }
        crashes::put_down();
        leaps.dedup();
        for (at, until) in leaps {
            self.leap(at, until);
        }
        self.tell();
        Ok(())
    }

    /// What was read, and up to where.
    fn tell(&mut self) {
        for (known, position) in self.partitions.iter_mut().zip(self.positions.iter()) {
            let read = std::mem::take(&mut known.read);
            if let (1.., Some(source)) = (read, self.sources.get(usize::from(known.topic))) {
                self.metrics.read.with_label_values(&[&source.topic]).inc_by(read);
            }
            position.store(known.cursor.next(), Ordering::Relaxed);
        }
    }

    /// Goes on at the end of a held range when much of it is still to come. It only saves time: when it fails, the records
    /// come and are known.
    fn leap(&mut self, at: usize, until: i64) {
        let Some(known) = self.partitions.get_mut(at) else { return };
        let from = known.cursor.next();
        if until - from <= LEAP {
            return;
        }
        known.cursor.leap(until);
        let (topic, partition) = (known.topic, known.partition);
        match self.reader.seek(topic, partition, until) {
            Ok(()) => tracing::info!(topic, partition, from, until, "leaping over what is archived"),
            Err(error) => tracing::warn!(topic, partition, from, until, %error, "reading on over what is archived"),
        }
    }
}
