//! Looking at what is read from outside: how far the log is ahead, and whether a topic is still the same.

use crate::metrics::Metrics;
use crate::sources::{Source, change};
use anyhow::{Result, bail};
use gridwarden_bus::{BusError, KafkaConfig, Offsets, topic_meta};
use gridwarden_runtime::health::Health;
use gridwarden_runtime::shutdown::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const LAG_EVERY: Duration = Duration::from_secs(2);
const TOPICS_EVERY: Duration = Duration::from_secs(20);

/// What the watching thread works with.
pub(crate) struct Watch {
    pub(crate) kafka: KafkaConfig,
    pub(crate) sources: Arc<Vec<Source>>,
    /// Topic (index of the source) and partition, in the order of `positions`.
    pub(crate) partitions: Vec<(u16, i32)>,
    pub(crate) positions: Arc<Vec<AtomicI64>>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}

impl Watch {
    /// Looks until the end begins. A topic that is another one now ends the archive: it starts afresh and copes.
    pub(crate) fn run(self) -> Result<()> {
        let offsets = Offsets::open(&self.kafka)?;
        let mut topics_at = Instant::now() + TOPICS_EVERY;
        while !self.shutdown.is_triggered() {
            let mut outcome = self.lag(&offsets);
            if Instant::now() >= topics_at {
                topics_at = Instant::now() + TOPICS_EVERY;
                outcome = outcome.and(self.topics()?);
            }
            match outcome {
                Ok(()) => self.health.set_part("kafka", true, ""),
                Err(error) => self.health.set_part("kafka", false, &error.to_string()),
            }
            let until = Instant::now() + LAG_EVERY;
            while Instant::now() < until && !self.shutdown.is_triggered() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    fn lag(&self, offsets: &Offsets) -> Result<(), BusError> {
        let name = |topic: u16| self.sources.get(usize::from(topic)).map_or("", |source| source.topic.as_str());
        let wanted: Vec<_> = self.partitions.iter().map(|(topic, partition)| (name(*topic), *partition)).collect();
        let ends = offsets.ends(&wanted)?;
        for source in self.sources.iter() {
            let of_topic = wanted.iter().zip(&ends).zip(self.positions.iter());
            let behind = of_topic
                .filter(|(((topic, _), _), _)| *topic == source.topic)
                .map(|((_, end), position)| (end - position.load(Ordering::Relaxed).max(0)).max(0))
                .sum();
            self.metrics.lag.with_label_values(&[&source.topic]).set(behind);
        }
        Ok(())
    }

    /// Outer error: a topic changed. Inner error: it cannot be asked just now.
    fn topics(&self) -> Result<Result<(), BusError>> {
        for source in self.sources.iter() {
            match topic_meta(&self.kafka, &source.topic) {
                Ok(now) => {
                    if let Some(words) = change(&source.topic, source.meta, now) {
                        bail!("{words}; starting afresh");
                    }
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }
}
