//! Asks where the logs end, beside the workers: an idle partition counts as the moment of asking when the answer is where
//! its reader stands (DESIGN §4). Also notices topics that were made anew or got more partitions.

use crate::shared::{Part, World};
use anyhow::{Result, bail};
use gridwarden_bus::{BusError, KafkaConfig, Offsets, TopicMeta, topics::Identities};
use gridwarden_runtime::{clock::now_ms, health::Health, shutdown::Shutdown};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the ends are asked for, and how often the topics are looked at.
const ASK_EVERY: Duration = Duration::from_millis(300);
const LOOK_EVERY: Duration = Duration::from_secs(2);

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
    /// Topics by number, with their ids and partitions when the reading began.
    pub(crate) topics: Vec<(String, TopicMeta)>,
    pub(crate) parts: Vec<Part>,
    /// How much a broker's clock may differ from ours, and how long a record it has stamped may take to be seen, without harm, in ms.
    pub(crate) margin_ms: i64,
    pub(crate) board: EndsBoard,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}

impl Asker {
    /// For all partitions of the world.
    pub(crate) fn new(
        (kafka, margin_ms): (&KafkaConfig, i64),
        world: &World,
        metas: &[TopicMeta],
        (health, shutdown): (&Health, &Shutdown),
    ) -> Self {
        let topics = world.topics.iter().map(|topic| topic.name.clone()).zip(metas.iter().copied()).collect();
        Self {
            kafka: kafka.clone(),
            topics,
            parts: world.parts.clone(),
            margin_ms,
            board: EndsBoard::default(),
            health: health.clone(),
            shutdown: shutdown.clone(),
        }
    }

    /// Asks until the shutdown.
    pub(crate) fn run(self) -> Result<()> {
        let (offsets, identities) = (Offsets::open(&self.kafka)?, Identities::open(&self.kafka)?);
        let name = |part: &Part| self.topics.get(usize::from(part.topic)).map_or("", |(name, _)| name.as_str());
        let wanted: Vec<(&str, i32)> = self.parts.iter().map(|part| (name(part), part.partition)).collect();
        let mut look_at = Instant::now() + LOOK_EVERY;
        while !self.shutdown.is_triggered() {
            let mut outcome = self.ask(&offsets, &wanted);
            if outcome.is_ok() && Instant::now() >= look_at {
                look_at = Instant::now() + LOOK_EVERY;
                outcome = self.look_at_topics(&identities)?;
            }
            match outcome {
                Ok(()) => self.health.set_part("kafka", true, ""),
                Err(error) if error.is_transient() => self.health.set_part("kafka", false, &error.to_string()),
                Err(error) => return Err(error.into()),
            }
            std::thread::sleep(ASK_EVERY);
        }
        Ok(())
    }

    fn ask(&self, offsets: &Offsets, wanted: &[(&str, i32)]) -> Result<(), BusError> {
        let asked_ms = now_ms() - self.margin_ms;
        let ends = offsets.ends(wanted)?;
        self.board.set(Ends { asked_ms, ends: ends.into() });
        Ok(())
    }

    /// Outer error: a topic is another one now. Inner error: it cannot be asked just now.
    fn look_at_topics(&self, identities: &Identities) -> Result<Result<(), BusError>> {
        let names: Vec<&str> = self.topics.iter().map(|(name, _)| name.as_str()).collect();
        let found = match identities.ask(&names) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        for ((name, before), now) in self.topics.iter().zip(found) {
            if now.id != before.id {
                bail!("topic {name} was made anew; start the stream again");
            }
            if now.partitions != before.partitions {
                let (now, before) = (now.partitions, before.partitions);
                bail!("topic {name} has {now} partitions now, it had {before}; start the stream again");
            }
        }
        Ok(Ok(()))
    }
}
