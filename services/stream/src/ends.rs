//! Asks where the logs end, beside the workers: an idle partition counts as the moment of asking when the answer is where
//! its reader stands (DESIGN §4). Also notices topics that were made anew or got more partitions.

use crate::shared::{Part, World};
use anyhow::{Result, bail};
use gridwarden_bus::{KafkaConfig, Offsets, topic_meta};
use gridwarden_runtime::{clock::now_ms, shutdown::Shutdown};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much a broker's clock may differ from ours without harm.
const MARGIN_MS: i64 = 1_000;
/// How often the ends are asked for, and how often the topics are looked at.
const ASK_EVERY: Duration = Duration::from_millis(300);
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The newest answer.
#[derive(Clone, Default)]
pub(crate) struct Ends {
    /// The moment of asking, margin taken off; 0 before the first answer.
    pub(crate) asked_ms: i64,
    /// End of each partition by number.
    pub(crate) ends: Arc<[i64]>,
}

/// Where the newest answer lies.
#[derive(Clone, Default)]
pub(crate) struct EndsBoard(Arc<Mutex<Ends>>);

impl EndsBoard {
    /// The newest answer.
    pub(crate) fn get(&self) -> Ends {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, ends: Ends) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }
}

/// The asking thread.
pub(crate) struct Asker {
    pub(crate) kafka: KafkaConfig,
    /// Topics with their ids and partitions, by number.
    pub(crate) topics: Vec<(String, gridwarden_bus::TopicMeta)>,
    pub(crate) parts: Vec<Part>,
    pub(crate) board: EndsBoard,
    pub(crate) shutdown: Shutdown,
}

impl Asker {
    /// For all partitions of the world.
    pub(crate) fn new(
        kafka: &KafkaConfig,
        world: &World,
        metas: &[gridwarden_bus::TopicMeta],
        shutdown: &Shutdown,
    ) -> Self {
        let topics = world.topics.iter().map(|topic| topic.name.clone()).zip(metas.iter().copied()).collect();
        let (board, shutdown) = (EndsBoard::default(), shutdown.clone());
        Self { kafka: kafka.clone(), topics, parts: world.parts.clone(), board, shutdown }
    }

    /// Asks until the shutdown.
    pub(crate) fn run(self) -> Result<()> {
        let offsets = Offsets::open(&self.kafka)?;
        let name = |part: &Part| self.topics.get(usize::from(part.topic)).map_or("", |(name, _)| name.as_str());
        let wanted: Vec<(&str, i32)> = self.parts.iter().map(|part| (name(part), part.partition)).collect();
        let mut look_at = Instant::now() + LOOK_EVERY;
        while !self.shutdown.is_triggered() {
            let asked_ms = now_ms() - MARGIN_MS;
            match offsets.ends(&wanted) {
                Ok(ends) => self.board.set(Ends { asked_ms, ends: ends.into() }),
                Err(error) if error.is_transient() => tracing::warn!(%error, "cannot ask where the logs end"),
                Err(error) => return Err(error.into()),
            }
            if Instant::now() >= look_at {
                self.look_at_topics()?;
                look_at = Instant::now() + LOOK_EVERY;
            }
            std::thread::sleep(ASK_EVERY);
        }
        Ok(())
    }

    fn look_at_topics(&self) -> Result<()> {
        for (name, before) in &self.topics {
            match topic_meta(&self.kafka, name) {
                Ok(now) if now.id != before.id => bail!("topic {name} was made anew; start the stream again"),
                Ok(now) if now.partitions != before.partitions => bail!(
                    "topic {name} has {} partitions now, it had {}; start the stream again",
                    now.partitions,
                    before.partitions
                ),
                Ok(_) => {}
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
