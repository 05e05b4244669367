//! Reading and collecting: one thread from Kafka to blocks. Back-pressure: while no block can be handed over, nothing is
//! read.

use crate::collect::{Collector, Moment};
use crate::insert::Work;
use crate::metrics::Metrics;
use crate::plan::Present;
use crate::sources::Source;
use anyhow::{Context, Result, bail};
use gridwarden_bus::control::ControlReader;
use gridwarden_bus::{Batch, Reader, Record};
use gridwarden_runtime::clock::now_ms;
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
    pub(crate) topic: u16,
    pub(crate) partition: i32,
    pub(crate) present: Present,
}

/// What the thread works with.
pub(crate) struct Pipeline {
    pub(crate) sources: Arc<Vec<Source>>,
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
                Err(error) => return Err(error).context("observations and reports cannot be read"),
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
        let mut leaps = Vec::new();
        for record in batch.records() {
            let Some(source) = self.sources.get(usize::from(record.topic)) else { continue };
            self.metrics.read.with_label_values(&[&source.topic]).inc();
            match held_until(&mut self.partitions, &record) {
                Some(until) => {
                    self.metrics.duplicate.inc();
                    leaps.push((record.topic, record.partition, until));
                }
                None => self.collector.add(source, &record, moment),
            }
        }
        leaps.dedup();
        for (topic, partition, until) in leaps {
            self.leap(topic, partition, until)?;
        }
        for (known, position) in self.positions.iter().zip(self.reader.positions()) {
            known.store(position.next.unwrap_or(-1), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Goes on at the end of a held range when much of it is still to come.
    fn leap(&mut self, topic: u16, partition: i32, until: i64) -> Result<()> {
        let position =
            self.reader.positions().iter().find(|known| (known.topic, known.partition) == (topic, partition));
        if let Some(next) = position.and_then(|position| position.next)
            && until - next > LEAP
        {
            tracing::info!(topic, partition, from = next, until, "leaping over what is archived");
            self.reader.seek(topic, partition, until).context("leaping over what is archived")?;
        }
        Ok(())
    }
}

fn held_until(partitions: &mut [Partition], record: &Record<'_>) -> Option<i64> {
    let known =
        partitions.iter_mut().find(|known| known.partition == record.partition && known.topic == record.topic)?;
    known.present.held_until(record.offset)
}
