//! `backtest`: what rules would have said of the past, and what that is against others.
//!
//! ```text
//!  control topics ─▶ layers, registry as they were ─┐
//!  rules asked for, rules in force ─▶ one set (sets)─┤
//!  archive, or topics: partition by partition ───────┴▶ intake: the very operators ─▶ alerts ─▶ episodes, told apart (tally)
//! ```
//! Each worker has partitions of its own, and a thread that decides (desk). What it decides on comes from the archive, which one task
//! reads for all, or from Kafka, which each reads for itself. Nothing is written, and no stream is disturbed.
//!
//! * `BKT-1` what it says is a function of the records, the control topics and the rules: the same order, clocks, repeats and places as
//!   when the records were read live, so the same alerts ([`crate::rebuild`] rests on the same).
//! * `BKT-2` both sets see the same records in one pass. A rule that is the same in both runs once.

mod archive;
mod desk;
mod gathered;
mod incidents;
mod sets;
mod tally;
mod topic;

pub use incidents::{Incident, Sign, Told};
pub use sets::{Against, Candidates};
pub use tally::{Change, Count, Episode, OfArea, OfRule, Outcome, Totals, Unseen, What};

use crate::{
    beside::{Beside, look},
    config::Config,
    metrics::Metrics,
    prepare::{load_city, parts_of, world},
    shard::reader_of,
    shared::{Lore, Progress, Shared},
};
use anyhow::{Context, Result, bail};
use desk::Desk;
use gathered::Gathered;
use gridwarden_bus::KafkaConfig;
use gridwarden_domain::{alert::Alert, control::Timeline};
use gridwarden_runtime::clock::now_ms;
use gridwarden_store::ClickHouseConfig;
use sets::Sets;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use std::time::{Duration, Instant};
use tally::Tally;
use tokio::{sync::mpsc, task::JoinSet};

/// How often it is told how many records were read.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What to look at.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Rules to try.
    pub candidates: Candidates,
    /// What they are compared with.
    pub against: Against,
    /// Where the records come from.
    pub source: Source,
    /// Append time of the first record whose alerts count, epoch ms.
    pub from_ms: i64,
    /// One past the append time of the last.
    pub to_ms: i64,
    /// What truly happened in that time, as far as it is known.
    pub incidents: Vec<Incident>,
    /// So much before is read as well, for what entities did before: milliseconds.
    pub warm_up_ms: i64,
}

/// Where the records of the past come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The archive in ClickHouse.
    #[default]
    Archive,
    /// What Kafka's topics still hold.
    Topic,
}

/// Tries rules on what is archived, or still in Kafka. `tell` is told now and then how many records were read.
///
/// # Errors
/// Kafka or ClickHouse out of reach, control topics that cannot be read, a city that cannot.
pub async fn backtest(config: Config, asked: Asked, tell: impl Fn(u64)) -> Result<Outcome> {
    if asked.from_ms >= asked.to_ms {
        bail!("the span ends before it begins");
    }
    let ground = Ground::open(&config, asked).await?;
    // Threads cannot be aborted as tasks are: whoever gives this up tells them.
    let _given_up = GiveUp(Arc::clone(&ground));
    let mut workers = JoinSet::new();
    let begun = match ground.asked.source {
        Source::Archive => from_archive(&ground, config.stream.most_entities, &mut workers).await?,
        Source::Topic => from_topics(&ground, config.stream.most_entities, &mut workers).await?,
    };
    let mut often = tokio::time::interval(TELL_EVERY);
    often.tick().await;
    loop {
        tokio::select! {
            ended = workers.join_next() => match ended {
                Some(ended) => ended??,
                None => break,
            },
            _ = often.tick() => tell(ground.tally().records()),
        }
    }
    ground.end();
    let tally = std::mem::take(&mut *ground.tally());
    Ok(tally.outcome(&ground.asked, begun.elapsed().as_secs_f64()))
}

type Workers = JoinSet<Result<()>>;

/// Sets workers to the archive; when they began.
async fn from_archive(ground: &Arc<Ground>, most_entities: usize, workers: &mut Workers) -> Result<Instant> {
    let lanes = archive::lanes(ground).await?;
    let begun = Instant::now();
    let mut ends = Vec::new();
    for desk in ground.desks(most_entities) {
        let (end, pieces) = mpsc::channel(1);
        ends.push(end);
        workers.spawn_blocking(move || {
            desk.run_archive(pieces);
            Ok(())
        });
    }
    workers.spawn(archive::feed(Arc::clone(ground), lanes, ends));
    Ok(begun)
}

/// Sets workers to the topics; when they began.
async fn from_topics(ground: &Arc<Ground>, most_entities: usize, workers: &mut Workers) -> Result<Instant> {
    let of = Arc::clone(ground);
    let stretches: Arc<[topic::Stretch]> =
        tokio::task::spawn_blocking(move || topic::stretches(&of)).await?.context("the topics cannot be read")?.into();
    let begun = Instant::now();
    for desk in ground.desks(most_entities) {
        let stretches = Arc::clone(&stretches);
        workers.spawn_blocking(move || desk.run_topic(&stretches));
    }
    Ok(begun)
}

/// What all workers share.
struct Ground {
    shared: Shared,
    timeline: Arc<Timeline>,
    kafka: KafkaConfig,
    clickhouse: ClickHouseConfig,
    workers: usize,
    asked: Asked,
    tally: Mutex<Tally>,
    /// Rules over several entities; until all is read.
    gathered: Mutex<Option<Gathered>>,
    /// Whether nobody waits for the outcome any more.
    given_up: AtomicBool,
}

/// Tells threads at its end that nobody waits for them.
struct GiveUp(Arc<Ground>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.given_up.store(true, Ordering::Relaxed);
    }
}

impl Ground {
    async fn open(config: &Config, asked: Asked) -> Result<Arc<Self>> {
        let city = load_city(&config.city.folder).await?;
        let Beside { topics, metas, control, .. } = look(&config.kafka, &city).await?;
        let timeline = control.timeline();
        let sets = Sets::new(&asked.candidates, (asked.against, timeline.rules_at(i64::MAX)))?;
        let world = world(&city.file, (topics, parts_of(&metas)?), config.stream.remembered());
        let shared = Shared {
            lore: Lore::restored(&Default::default(), config.stream.fences_mib, world.zone(), None),
            world,
            metrics: Metrics::new(&gridwarden_runtime::telemetry::registry("backtest")).context("metrics")?,
            progress: vec![Progress::in_the_past()],
            others: crate::cluster::Others::none(),
        };
        let timeline = Arc::new(timeline.under(sets.union()));
        let gathered = Gathered::new(Arc::clone(&timeline));
        Ok(Arc::new(Self {
            shared,
            timeline,
            kafka: config.kafka.clone(),
            clickhouse: config.clickhouse.clone(),
            workers: config.stream.worker_count(),
            tally: Mutex::new(Tally::new(sets, asked.from_ms)),
            gathered: Mutex::new(Some(gathered)),
            given_up: AtomicBool::new(false),
            asked,
        }))
    }

    /// Append time of the first record read.
    fn since_ms(&self) -> i64 {
        self.asked.from_ms.saturating_sub(self.asked.warm_up_ms).max(0)
    }

    fn gathered(&self, with: impl FnOnce(&mut Gathered) -> Vec<Alert>) -> Vec<Alert> {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.as_mut().map(with).unwrap_or_default()
    }

    /// What rules over several entities say until the end of the span, or now.
    fn end(&self) {
        let gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner).take();
        let moment = self.asked.to_ms.min(now_ms()).saturating_sub(self.shared.world.lateness_ms);
        let said = gathered.map(|gathered| gathered.end(moment, &self.shared)).unwrap_or_default();
        self.tally().take(0, &said);
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// A desk for each worker, with the partitions that are its own.
    fn desks(self: &Arc<Self>, most_entities: usize) -> impl Iterator<Item = Desk> {
        let mut parts = vec![Vec::new(); self.workers];
        for (number, part) in (0u16..).zip(&self.shared.world.parts) {
            if let Some(of_worker) = parts.get_mut(reader_of(part.topic, part.partition, self.workers)) {
                of_worker.push(number);
            }
        }
        parts.into_iter().map(move |parts| Desk::new(self, parts, most_entities))
    }
}
