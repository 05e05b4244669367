//! Looking at what is read from outside: how far the log is ahead, and whether a topic is still the same.

use crate::metrics::Metrics;
use crate::sources::{Source, changed, passes};
use anyhow::{Context, Result, bail};
use gridwarden_bus::topics::Identities;
use gridwarden_bus::{BusError, KafkaConfig, Offsets};
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
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}

impl Watch {
    /// Looks until the end begins. A topic that is another one now ends the archive: it starts afresh and copes.
    pub(crate) fn run(self) -> Result<()> {
        let offsets = Offsets::open(&self.kafka)?;
        let mut good_at = Instant::now();
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
