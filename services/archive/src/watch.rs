//! Looking at what is read from outside: how far the log is ahead, whether a topic is still the same, and how long it takes
//! until retention deletes what waits.

use crate::insert::NOTHING_WAITS;
use crate::metrics::Metrics;
use crate::sources::{changed, passes};
use anyhow::{Context, Result, bail};
use gridwarden_bus::topics::Identities;
use gridwarden_bus::{BusError, KafkaConfig, Offsets, sources::Source};
use gridwarden_domain::retention::{ALARM_BEFORE_S, ALARM_EVERY, left_s};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::shutdown::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(2);

/// What the watching thread works with.
pub(crate) struct Watch {
    pub(crate) kafka: KafkaConfig,
    pub(crate) identities: Arc<Identities>,
    pub(crate) sources: Arc<Vec<Source>>,
    /// Topic (index of the source) and partition, in the order of `positions`.
    pub(crate) partitions: Vec<(u16, i32)>,
    pub(crate) positions: Arc<Vec<AtomicI64>>,
    /// Append time of the oldest record that is being put away.
    pub(crate) waiting: Arc<AtomicI64>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}

impl Watch {
    /// Looks until the end begins. A topic that is another one now ends the archive: it starts afresh and copes.
    pub(crate) fn run(self) -> Result<()> {
        let offsets = Offsets::open(&self.kafka)?;
        let (mut good_at, mut alarmed_at) = (Instant::now(), None::<Instant>);
        while !self.shutdown.is_triggered() {
            match self.look(&offsets) {
                Ok(None) => {
                    good_at = Instant::now();
                    self.health.set_part("kafka", true, "");
                }
                Ok(Some(words)) => bail!("{words}; start again"),
                Err(error) if passes(&error, good_at) => self.health.set_part("kafka", false, &error.to_string()),
                Err(error) => return Err(error).context("the topics that are read"),
            }
            let left_s = self.loss_in_s();
            self.metrics.loss_in.set(left_s);
            if left_s < ALARM_BEFORE_S && alarmed_at.is_none_or(|at| at.elapsed() >= ALARM_EVERY) {
                alarmed_at = Some(Instant::now());
                tracing::error!(left_s, "retention is about to delete records that are not archived yet");
            }
            let until = Instant::now() + EVERY;
            while Instant::now() < until && !self.shutdown.is_triggered() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    /// What changed, if anything.
    fn look(&self, offsets: &Offsets) -> Result<Option<String>, BusError> {
        // First: a topic that is gone has no ends.
        if let Some(words) = changed(&self.identities, &self.sources)? {
            return Ok(Some(words));
        }
        self.lag(offsets)?;
        Ok(None)
    }

    fn loss_in_s(&self) -> i64 {
        let retentions = self.sources.iter().map(|source| source.meta.retention_ms);
        let oldest_ms = self.waiting.load(Ordering::Relaxed);
        left_s(retentions, (oldest_ms != NOTHING_WAITS).then_some(oldest_ms), now_ms())
    }

    fn lag(&self, offsets: &Offsets) -> Result<(), BusError> {
        let name = |topic: u16| self.sources.get(usize::from(topic)).map_or("", |source| source.topic.as_str());
        let wanted: Vec<_> = self.partitions.iter().map(|(topic, partition)| (name(*topic), *partition)).collect();
        let ends = offsets.ends(&wanted)?;
        for source in self.sources.iter() {
            let of_topic = wanted.iter().zip(&ends).zip(self.positions.iter());
            let behind = of_topic
                .filter(|(((topic, _), _), _)| *topic == source.topic)
                .map(|((_, end), position)| (end - position.load(Ordering::Relaxed)).max(0))
                .sum();
            self.metrics.lag.with_label_values(&[&source.topic]).set(behind);
        }
        Ok(())
    }
}
