//! Before the first record: city, topics, tables, where to begin ([`read_back`](crate::read_back)). Waits for Kafka and
//! ClickHouse.

use crate::config::Config;
use crate::judge::Feeds;
use crate::pipeline::Partition;
use crate::read_back::{starts, taken};
use crate::replays::Taken;
use anyhow::{Context, Result, anyhow};
use gridwarden_bus::control::ControlReader;
use gridwarden_bus::sources::{self, Source, SourceError};
use gridwarden_bus::{Assignment, BusError, From as Begin, KafkaConfig, Reader, ReaderOptions, topics};
use gridwarden_runtime::city::MappedCity;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::rasters::{RasterConfig, preparing};
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::{StoreError, StoreMetrics, migrate};
use std::time::Duration;

/// Pause between attempts to get ready.
const PAUSE: Duration = Duration::from_secs(1);

/// Everything the pipeline starts with.
pub(crate) struct Prepared {
    pub(crate) sources: Vec<Source>,
    pub(crate) feeds: Feeds,
    /// Messages sent again that were taken.
    pub(crate) taken: Taken,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) reader: Reader,
    pub(crate) control: ControlReader,
    /// Offsets that are gone and were accepted as lost.
    pub(crate) lost: u64,
}

/// What keeps it from getting ready.
pub(crate) struct Trouble {
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

/// What does not pass by itself.
pub(crate) fn other_trouble(error: anyhow::Error) -> Trouble {
    Trouble { passes: false, part: "service", error }
}

/// Tries until everything is there; `None` when the end begins first.
pub(crate) async fn until_ready(
    config: &Config,
    store: &StoreMetrics,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<Option<Prepared>> {
    let folder = config.city.folder.clone();
    let city = blocking(move || MappedCity::load(&folder)).await?.context("the city folder")?;
    let mut told = Vec::new();
    loop {
        let attempt = tokio::select! {
            attempt = prepare(config, &city, store, &mut told) => attempt,
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
                let words = format!("{:#}", trouble.error);
                tracing::debug!(part = trouble.part, why = words, "not ready yet");
                health.set_part(trouble.part, false, &words);
                if !shutdown.sleep(PAUSE).await {
                    return Ok(None);
                }
            }
            Err(trouble) => return Err(trouble.error),
        }
    }
}

/// One attempt. `told` are the differences of topics that were logged already.
async fn prepare(
    config: &Config,
    city: &MappedCity,
    store: &StoreMetrics,
    told: &mut Vec<String>,
) -> Result<Prepared, Trouble> {
    let ensured = topics::ensure(&config.kafka, &sources::mapped_topics(&city.mappings)).await?;
    for finding in ensured.findings {
        if finding.fatal {
            return Err(other_trouble(anyhow!("{}", finding.detail)));
        }
        if !told.contains(&finding.detail) {
            tracing::warn!(topic = finding.topic, detail = finding.detail, "a topic is not as in the table");
            told.push(finding.detail);
        }
    }
    migrate(&config.clickhouse).await?;
    let (kafka, mappings) = (config.kafka.clone(), city.mappings.clone());
    let sources = blocking(move || sources::find(&kafka, &mappings)).await.map_err(other_trouble)??;
    let (partitions, lost) = starts(config, &sources, store).await?;
    let taken = taken(config).await?;
    let (kafka, assignments) = (config.kafka.clone(), assignments(&sources, &partitions));
    let rasters = config.rasters.clone();
    let (reader, control) = blocking(move || open(&kafka, &assignments, &rasters)).await.map_err(other_trouble)??;
    let feeds = Feeds::new(city.file.feeds.clone(), city.file.limits.max_age_days);
    Ok(Prepared { sources, feeds, taken, partitions, reader, control, lost })
}

fn assignments(sources: &[Source], partitions: &[Partition]) -> Vec<Assignment> {
    let assignment = |known: &Partition| {
        let (topic, partition) = known.place();
        let topic = sources.get(usize::from(topic)).map(|source| source.topic.clone()).unwrap_or_default();
        Assignment { topic, partition, from: Begin::Offset(known.next()) }
    };
    partitions.iter().map(assignment).collect()
}

fn open(
    kafka: &KafkaConfig,
    assignments: &[Assignment],
    rasters: &RasterConfig,
) -> Result<(Reader, ControlReader), BusError> {
    // Answers are small: JSON grows tenfold and more when it is unpacked, and a backlog is to stay in Kafka.
    let options = ReaderOptions {
        queue_mib: 32,
        fetch_kib: 256,
        fetch_least_kib: 256,
        ..ReaderOptions::named("gridwarden-archive")
    };
    let control = ControlReader::start_to_place(kafka)?;
    control.build_rasters_ahead(preparing(rasters));
    Ok((Reader::open(kafka, assignments, &options)?, control))
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("a blocking task ended early")
}
