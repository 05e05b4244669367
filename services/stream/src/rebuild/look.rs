//! Looks at logs and archive, and says what is decided.

use super::{
    decide::{Decision, Facts, From, Log, Why, decide, needs_archive},
    slices::Lane,
};
use crate::{
    config::Config,
    metrics::Metrics,
    shared::{Part, World},
};
use anyhow::{Context, Result};
use gridwarden_bus::Offsets;
use gridwarden_runtime::{clock::now_ms, health::Health, shutdown::Shutdown};
use gridwarden_store::{
    ClickHouseConfig, migrate,
    read::{Reader, Shelf, Wanted},
};
use std::time::{Duration, Instant};

/// How long to wait before asking again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long records that are in neither log nor archive may be on their way into the archive.
const PATIENCE: Duration = Duration::from_secs(10);
/// A broker's clock does not step back further: what was appended behind an offset is not older than that.
const STEP_BACK_MS: i64 = 86_400_000;
const DAY_MS: i64 = 86_400_000;

/// A partition, and where its state goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand {
    /// Its number.
    pub(crate) part: u16,
    /// The offset the state goes on with, and the highest append time it knows; none without a state.
    pub(crate) state: Option<(i64, i64)>,
}

/// What is looked at, and whom it is said to.
#[derive(Clone)]
pub(crate) struct Look {
    kafka: gridwarden_bus::KafkaConfig,
    clickhouse: ClickHouseConfig,
    rebuild_days: u32,
    metrics: Metrics,
    health: Health,
    shutdown: Shutdown,
}

impl Look {
    pub(crate) fn new(config: &Config, metrics: &Metrics, health: &Health, shutdown: &Shutdown) -> Self {
        Self {
            kafka: config.kafka.clone(),
            clickhouse: config.clickhouse.clone(),
            rebuild_days: config.stream.rebuild_days,
            metrics: metrics.clone(),
            health: health.clone(),
            shutdown: shutdown.clone(),
        }
    }

    /// Decides for partitions from where each is read on; none when the shutdown came first. Blocks; on a thread of the runtime.
    ///
    /// # Errors
    /// Kafka out of reach, a log that ends before the state does.
    pub(crate) fn decide(&self, world: &World, stands: &[Stand]) -> Result<Option<Vec<Outcome>>> {
        let begun = Instant::now();
        loop {
            let logs = self.logs(world, stands)?;
            let Some(shelves) = self.shelves(world, (stands, &logs)) else { return Ok(None) };
            let each = stands.iter().zip(&logs).zip(&shelves);
            let decided = each.map(|((stand, log), shelf)| {
                decide(&Facts { next: stand.state.map(|(next, _)| next), log: *log, shelf })
            });
            let decided: Vec<_> = decided.collect();
            // What is lost for good is lost in ten seconds, too; what is on its way must not be called so.
            let is_sure = decided.iter().all(|decided| decided.as_ref().is_ok_and(|decision| decision.lost == 0));
            if is_sure || begun.elapsed() >= PATIENCE {
                let each = stands.iter().zip(decided).zip(shelves);
                let outcome = |((stand, decided), shelf): ((&Stand, Result<Decision, _>), Shelf)| {
                    let (topic, partition) = world.name_of(stand.part);
                    let decision = decided.with_context(|| format!("topic {topic}, partition {partition}"))?;
                    Ok(self.outcome(world, *stand, (decision, shelf)))
                };
                return each.map(outcome).collect::<Result<Vec<_>>>().map(Some);
            }
            if !self.wait() {
                return Ok(None);
            }
        }
    }

    fn logs(&self, world: &World, stands: &[Stand]) -> Result<Vec<Log>> {
        let places: Vec<(&str, i32)> = stands.iter().map(|stand| world.name_of(stand.part)).collect();
        let offsets = Offsets::open(&self.kafka)?;
        // The end later than the begin, or the log could seem to end before it begins.
        let (begins, ends) = (offsets.starts(&places)?, offsets.ends(&places)?);
        Ok(begins.into_iter().zip(ends).map(|(begin, end)| Log { begin, end }).collect())
    }

    /// What the archive holds for each; asked as often as it takes. None when the shutdown came first.
    fn shelves(&self, world: &World, of: (&[Stand], &[Log])) -> Option<Vec<Shelf>> {
        loop {
            match self.ask(world, of) {
                Ok(shelves) => {
                    self.is_there();
                    return Some(shelves);
                }
                Err(error) => {
                    self.is_away(&format!("{error:#}"));
                    if !self.wait() {
                        return None;
                    }
                }
            }
        }
    }

    fn ask(&self, world: &World, (stands, logs): (&[Stand], &[Log])) -> Result<Vec<Shelf>> {
        let mut shelves = vec![Shelf::default(); stands.len()];
        let wanted: Vec<Option<Wanted>> =
            stands.iter().zip(logs).map(|(stand, log)| self.wanted(*stand, *log)).collect();
        if wanted.iter().all(Option::is_none) {
            return Ok(shelves);
        }
        let runtime = tokio::runtime::Handle::current();
        runtime.block_on(migrate(&self.clickhouse)).context("the tables cannot be made")?;
        let reader = Reader::new(&self.clickhouse);
        for (number, topic) in (0u16..).zip(&world.topics) {
            let count = world.parts.iter().filter(|part| part.topic == number).count();
            let mut of_topic = vec![Wanted { first: 0, end: 0, since_ms: i64::MAX }; count];
            let mut places = Vec::new();
            for (place, (stand, wanted)) in stands.iter().zip(&wanted).enumerate() {
                let part = world.parts.get(usize::from(stand.part)).filter(|part| part.topic == number);
                let (Some(Part { partition, .. }), Some(wanted)) = (part, wanted) else { continue };
                let partition = usize::try_from(*partition).unwrap_or(0);
                if let Some(of_part) = of_topic.get_mut(partition) {
                    *of_part = *wanted;
                    places.push((place, partition));
                }
            }
            if places.is_empty() {
                continue;
            }
            let found = runtime.block_on(reader.archived_shelves(topic.id, &of_topic))?;
            for (place, partition) in places {
                if let (Some(shelf), Some(found)) = (shelves.get_mut(place), found.get(partition)) {
                    *shelf = found.clone();
                }
            }
        }
        Ok(shelves)
    }

    /// What is asked of the archive, if anything.
    fn wanted(&self, stand: Stand, log: Log) -> Option<Wanted> {
        let next = stand.state.map(|(next, _)| next);
        if !needs_archive(next, log) || stand.state.is_none() && self.rebuild_days == 0 {
            return None;
        }
        let since_ms = match stand.state {
            Some((_, newest)) => newest.saturating_sub(STEP_BACK_MS),
            None => now_ms() - i64::from(self.rebuild_days) * DAY_MS,
        };
        Some(Wanted { first: next.unwrap_or(0), end: log.begin, since_ms: since_ms.max(0) })
    }

    /// Says what is decided.
    fn outcome(&self, world: &World, stand: Stand, (decision, shelf): (Decision, Shelf)) -> Outcome {
        let (topic, partition) = world.name_of(stand.part);
        let Decision { from, lost, why } = decision;
        if lost > 0 {
            self.metrics.lost.inc_by(lost);
            tracing::error!(
                topic,
                partition,
                lost,
                "records are neither in the log nor in the archive; going on without them"
            );
        }
        say((topic, partition), from, why);
        Outcome { part: stand.part, from, shelf }
    }

    /// The archive answers.
    pub(super) fn is_there(&self) {
        self.health.set_part("archive", true, "");
    }

    /// The archive is asked in vain: that is a reason not to be ready.
    pub(super) fn is_away(&self, error: &str) {
        let why = format!("the logs no longer hold what the state needs, and the archive cannot be read: {error}");
        self.health.set_part("archive", false, &why);
        tracing::warn!(error, "the archive is needed to rebuild the state, will ask again");
    }

    /// False when the shutdown came first.
    fn wait(&self) -> bool {
        tokio::runtime::Handle::current().block_on(self.shutdown.sleep(AGAIN))
    }
}

/// Says from where a partition is read, where that is not its log's next record.
fn say((topic, partition): (&str, i32), from: From, why: Why) {
    let words = match why {
        Why::InLog | Why::NotArchived => return,
        Why::NoState => "there is no state, reading what was archived before the log begins",
        Why::Outlived => "records left the log before they were read, reading them from the archive",
        Why::NothingBefore => "the log begins here, and nothing before it is in the archive",
    };
    match from {
        From::Archive(from, to) => tracing::info!(topic, partition, from, to, "{words}"),
        From::Log(from) => tracing::info!(topic, partition, from, "{words}"),
    }
}

/// What was decided for a partition.
pub(crate) struct Outcome {
    /// Its number.
    pub(crate) part: u16,
    from: From,
    shelf: Shelf,
}

impl Outcome {
    /// The offset reading goes on with, wherever it stands.
    pub(crate) fn next(&self) -> i64 {
        match self.from {
            From::Log(next) | From::Archive(next, _) => next,
        }
    }

    /// The way through the archive; none: the log alone.
    pub(crate) fn lane(self, world: &World) -> Option<Lane> {
        let From::Archive(_, to) = self.from else { return None };
        let part = world.parts.get(usize::from(self.part))?;
        let topic_id = world.topics.get(usize::from(part.topic))?.id;
        let newest_ms = self.shelf.stretches.iter().map(|stretch| stretch.newest_ms).max().unwrap_or(0);
        let stretches = self.shelf.stretches.into();
        Some(Lane { part: self.part, topic: part.topic, topic_id, partition: part.partition, to, newest_ms, stretches })
    }
}
