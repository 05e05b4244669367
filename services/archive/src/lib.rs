//! The archive: every observation and report of the topics as a row in ClickHouse, exactly once; what cannot be taken in
//! `rejects.v1` and in ClickHouse.
//!
//! It has no state of its own: its cursor is what ClickHouse holds ([`plan`]); a note of crashes only says what not to touch. It refuses to know rules, windows and alerts;
//! ClickHouse may be away without anybody but the archive noticing.
//!
//! ```text
//!  Kafka ─▶ pipeline (thread): poll ─▶ judge ─▶ rows ─▶ blocks ──bounded──▶ insert (task) ─▶ ClickHouse, rejects.v1
//!             ▲ waits for the control topics (what is in force)      ▲ back-pressure: not reading
//!           prepare, read_back: what is held, per partition ─▶ plan ─▶ cursor
//! ```
//!
//! Invariants:
//! * `ARC-1` an offset is inserted exactly when ClickHouse does not hold it ([`plan`]).
//! * `ARC-2` rows ahead of the log, or records that are gone, stop it with words ([`plan`]).
//! * `ARC-3` a block holds one append day and is one part ([`blocks`]).
//! * `ARC-4` a block's token is a function of exactly its rows ([`blocks`]).
//! * `ARC-5` every record becomes one row: an observation, a report, a reject or a marker ([`judge`](mod@judge)).
//! * `ARC-6` a reject is acknowledged by Kafka before its row is written ([`insert`]).
//! * `ARC-7` nothing is archived under the id of a topic that was made anew meanwhile ([`insert`]).
//! * `ARC-8` offsets at which the log holds no record are noted, so that they are no holes ([`cursor`]).
//! * `ARC-9` of the records that name one origin, and can be taken, one is archived ([`replays`]).
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "tests"))]

pub mod blocks;
mod collect;
mod config;
pub mod cursor;
mod insert;
pub mod judge;
pub mod metrics;
mod pipeline;
pub mod plan;
mod prepare;
mod read_back;
pub mod replays;
pub mod rows;
pub mod sources;
mod to_topic;
mod watch;

pub use config::{ArchiveSection, CitySection, Config, config};

use anyhow::{Context, Result};
use blocks::Limits;
use collect::Collector;
use gridwarden_bus::topics::Identities;
use gridwarden_bus::{Producer, ProducerOptions};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::conservation::{Conservation, process_name};
use gridwarden_runtime::crashes::{Crashes, Quarantine};
use gridwarden_runtime::health::Health;
use gridwarden_runtime::prometheus::Registry;
use gridwarden_runtime::shutdown::{Shutdown, Tasks};
use gridwarden_runtime::{http, telemetry};
use gridwarden_store::rows::ArchiveCounts;
use gridwarden_store::{BlockWriter, CountsWriter, StoreMetrics, WriterOptions};
use insert::{Inserter, NOTHING_WAITS};
use metrics::Metrics;
use pipeline::{Partition, Pipeline};
use prepare::Prepared;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use to_topic::ToTopic;
use watch::Watch;

/// Blocks between reading and inserting, besides those that are being put away.
const HANDED_OVER: usize = 1;

/// Runs the archive until shutdown.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<()> {
    let health = Health::new("archive");
    let registry = telemetry::registry("archive");
    let metrics = Metrics::new(&registry).context("metrics")?;
    let store = StoreMetrics::new(&registry).context("metrics")?;
    let crashes = Crashes::open(&config.crashes)?;
    crashes.watch();
    let quarantine = crashes.quarantine()?;
    let listener = http::bind(config.http.listen).await?;
    let router = http::status_router(health.clone(), registry.clone());
    let mut tasks = Tasks::new(&shutdown);
    let ending = shutdown.clone();
    tasks.spawn("http", async move { Ok(http::serve(listener, router, ending).await?) });
    let started = match prepare::until_ready(&config, &store, &health, &shutdown).await {
        Ok(Some(prepared)) => {
            let outside = (&registry, store, metrics, health);
            start(&config, (prepared, quarantine), outside, (&mut tasks, &shutdown))
        }
        // The end began before everything was there.
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = started {
        shutdown.trigger("the archive cannot start");
        tasks.finish().await.ok();
        return Err(error);
    }
    tasks.finish().await
}

fn start(
    config: &Config,
    (prepared, quarantine): (Prepared, Quarantine),
    (registry, store, metrics, health): (&Registry, StoreMetrics, Metrics, Health),
    (tasks, shutdown): (&mut Tasks, &Shutdown),
) -> Result<()> {
    let told = CountsWriter::<ArchiveCounts>::new(&config.clickhouse, store.clone(), &process_name());
    let (counted, ending) = (metrics.clone(), shutdown.clone());
    let conservation = Conservation::new("archive", registry, &health).context("metrics")?;
    tasks.spawn("conservation", async move {
        let counts = || counted.counts();
        while let Some(seen) = conservation.next(&counts, &ending).await {
            told.write(now_ms(), seen.row()).await;
        }
        Ok(())
    });
    let (sender, receiver) = tokio::sync::mpsc::channel(HANDED_OVER);
    let sources = Arc::new(prepared.sources);
    let identities = Arc::new(Identities::open(&config.kafka)?);
    let producer = Producer::new(&config.kafka, &ProducerOptions::named("gridwarden-archive"))?;
    let waiting = Arc::new(AtomicI64::new(NOTHING_WAITS));
    let inserter = Inserter {
        waiting: Arc::clone(&waiting),
        writer: BlockWriter::new(&config.clickhouse, WriterOptions::default(), store),
        to_topic: ToTopic { producer },
        identities: Arc::clone(&identities),
        sources: Arc::clone(&sources),
        metrics: metrics.clone(),
        health: health.clone(),
        shutdown: shutdown.clone(),
    };
    let own = &config.archive;
    let limits = Limits { rows: own.block_rows, bytes: own.block_mib << 20, age_ms: own.block_ms };
    let positions = prepared.partitions.iter().map(|known| AtomicI64::new(known.next()));
    let positions: Arc<Vec<AtomicI64>> = Arc::new(positions.collect());
    metrics.lost.inc_by(prepared.lost);
    let watch = Watch {
        kafka: config.kafka.clone(),
        identities: Arc::clone(&identities),
        sources: Arc::clone(&sources),
        partitions: prepared.partitions.iter().map(Partition::place).collect(),
        positions: Arc::clone(&positions),
        waiting,
        metrics: metrics.clone(),
        health: health.clone(),
        shutdown: shutdown.clone(),
    };
    let pipeline = Pipeline {
        sources,
        identities,
        partitions: prepared.partitions,
        reader: prepared.reader,
        control: prepared.control,
        collector: Collector::new(limits, prepared.feeds, (prepared.taken, quarantine), metrics.clone()),
        metrics,
        health: health.clone(),
        shutdown: shutdown.clone(),
        sender,
        positions,
    };
    tasks.spawn("insert", inserter.run(receiver));
    tasks.thread("archive", move || pipeline.run())?;
    tasks.thread("watch", move || watch.run())?;
    health.set_ready(true, "");
    Ok(())
}
