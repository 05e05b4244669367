//! Before the first record: city, topics, tables, what ClickHouse holds, where to begin. Waits for Kafka and ClickHouse.

use crate::city::City;
use crate::config::Config;
use crate::judge::Feeds;
use crate::pipeline::Partition;
use crate::plan::{self, Log};
use crate::sources::{self, Source, SourceError};
use anyhow::{Context, Result, anyhow};
use gridwarden_bus::control::ControlReader;
use gridwarden_bus::{Assignment, BusError, From as Begin, Offsets, Reader, ReaderOptions, topics};
use gridwarden_runtime::health::Health;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::{StoreError, migrate};
use std::time::Duration;

/// Pause between attempts to get ready.
const PAUSE: Duration = Duration::from_secs(1);

/// Everything the pipeline starts with.
pub(crate) struct Prepared {
    pub(crate) sources: Vec<Source>,
    pub(crate) feeds: Feeds,
    pub(crate) partitions: Vec<Partition>,
    /// First offset read, per partition.
    pub(crate) from: Vec<i64>,
    pub(crate) reader: Reader,
    pub(crate) control: ControlReader,
    /// Records that are gone and were accepted as lost.
    pub(crate) lost: u64,
}

/// What keeps it from getting ready.
struct Trouble {
    /// Whether waiting may help.
    passes: bool,
    part: &'static str,
    error: anyhow::Error,
}

impl From<BusError> for Trouble {
    fn from(error: BusError) -> Self {
        Self { passes: error.is_transient(), part: "kafka", error: error.into() }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self { passes: error.retry().can_help(), part: "clickhouse", error: error.into() }
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Bus(error) => error.into(),
            other => other_trouble(other.into()),
        }
    }
}

fn other_trouble(error: anyhow::Error) -> Trouble {
    Trouble { passes: false, part: "service", error }
}

/// Tries until everything is there; `None` when the end begins first.
pub(crate) async fn until_ready(config: &Config, health: &Health, shutdown: &Shutdown) -> Result<Option<Prepared>> {
    let folder = config.city.folder.clone();
    let city = blocking(move || City::load(&folder)).await?.context("the city folder")?;
    loop {
        let attempt = tokio::select! {
            attempt = prepare(config, &city) => attempt,
            () = shutdown.wait() => return Ok(None),
        };
        match attempt {
            Ok(prepared) => {
                for part in ["kafka", "clickhouse"] {
                    health.set_part(part, true, "");
                }
                return Ok(Some(prepared));
            }
            Err(trouble) if trouble.passes => {
                health.set_part(trouble.part, false, &format!("{:#}", trouble.error));
                if !shutdown.sleep(PAUSE).await {
                    return Ok(None);
                }
            }
            Err(trouble) => return Err(trouble.error),
        }
    }
}

async fn prepare(config: &Config, city: &City) -> Result<Prepared, Trouble> {
    let ensured = topics::ensure(&config.kafka, &sources::mapped_topics(&city.mappings)).await?;
    for finding in &ensured.findings {
        if finding.fatal {
            return Err(other_trouble(anyhow!("{}", finding.detail)));
        }
        tracing::warn!(topic = finding.topic, detail = finding.detail, "a topic is not as in the table");
    }
    migrate(&config.clickhouse).await?;
    let (kafka, mappings) = (config.kafka.clone(), city.mappings.clone());
    let sources = blocking(move || sources::find(&kafka, &mappings)).await.map_err(other_trouble)??;
    let (starts, lost) = starts(config, &sources).await?;
    let kafka = config.kafka.clone();
    let assignments: Vec<Assignment> = starts.iter().map(|start| start.assignment(&sources)).collect();
    let (reader, control) = blocking(move || {
        let options = ReaderOptions { queue_mib: 64, ..ReaderOptions::named("gridwarden-archive") };
        Ok::<_, BusError>((Reader::open(&kafka, &assignments, &options)?, ControlReader::start(&kafka)?))
    })
    .await
    .map_err(other_trouble)??;
    Ok(Prepared {
        feeds: Feeds::new(city.file.feeds.clone(), city.file.limits.max_age_days),
        sources,
        from: starts.iter().map(|start| start.from).collect(),
        partitions: starts.into_iter().map(|start| start.known).collect(),
        reader,
        control,
        lost,
    })
}

struct Starting {
    known: Partition,
    from: i64,
}

impl Starting {
    fn assignment(&self, sources: &[Source]) -> Assignment {
        let topic = sources.get(usize::from(self.known.topic)).map(|source| source.topic.clone()).unwrap_or_default();
        Assignment { topic, partition: self.known.partition, from: Begin::Offset(self.from) }
    }
}

/// Reads back what ClickHouse holds and decides per partition. Also counts what is lost.
async fn starts(config: &Config, sources: &[Source]) -> Result<(Vec<Starting>, u64), Trouble> {
    let reader = gridwarden_store::read::Reader::new(&config.clickhouse);
    let mut starts = Vec::new();
    let mut lost = 0;
    for (topic, source) in (0u16..).zip(sources) {
        let logs = logs(config, source).await?;
        for (partition, log) in (0i32..).zip(logs) {
            let mut held = reader.archived_ranges(source.meta.id, partition, log.start).await?;
            if plan::needs_all(&held, log) {
                held = reader.archived_ranges(source.meta.id, partition, 0).await?;
            }
            let start = plan::start(&held, log, config.archive.accept_loss)
                .with_context(|| format!("topic {}, partition {partition}", source.topic))
                .map_err(other_trouble)?;
            let topic_name = &source.topic;
            tracing::info!(topic = topic_name, partition, from = start.from, end = log.end, "reading begins");
            if start.lost > 0 || start.holes_gone > 0 {
                tracing::warn!(
                    topic = topic_name,
                    partition,
                    lost = start.lost,
                    holes = start.holes_gone,
                    "records were deleted by retention before they were archived"
                );
            }
            lost += start.lost;
            starts.push(Starting { known: Partition { topic, partition, present: start.present }, from: start.from });
        }
    }
    Ok((starts, lost))
}

async fn logs(config: &Config, source: &Source) -> Result<Vec<Log>, Trouble> {
    let (kafka, topic, count) = (config.kafka.clone(), source.topic.clone(), source.meta.partitions);
    let logs = blocking(move || {
        let offsets = Offsets::open(&kafka)?;
        let partitions: Vec<_> = (0..count).map(|partition| (topic.as_str(), partition)).collect();
        let (starts, ends) = (offsets.starts(&partitions)?, offsets.ends(&partitions)?);
        Ok::<_, BusError>(starts.into_iter().zip(ends).map(|(start, end)| Log { start, end }).collect())
    });
    Ok(logs.await.map_err(other_trouble)??)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("a blocking task ended early")
}
