//! A broker and an engine of the benchmark's own, in a folder that is gone afterwards.

use anyhow::{Context, Result};
use gridwarden_bus::KafkaConfig;
use gridwarden_embedded::clickhouse::{ClickHouseOptions, ClickHouseProcess, EngineOptions, library};
use gridwarden_embedded::kafka::{KafkaOptions, KafkaPorts, KafkaProcess};
use gridwarden_embedded::port;
use gridwarden_store::ClickHouseConfig;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tempfile::TempDir;

/// Where a benchmark runs.
pub(super) struct Place {
    folder: TempDir,
    kafka: KafkaProcess,
    options: ClickHouseOptions,
    /// None while it is away.
    clickhouse: Option<ClickHouseProcess>,
    url: String,
}

impl Place {
    /// Runs something in a place of its own, which is ended however that ends.
    pub(super) async fn with<T>(run: impl AsyncFnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let mut place = tokio::task::spawn_blocking(Self::open).await??;
        let outcome = run(&mut place).await;
        tokio::task::spawn_blocking(move || place.close()).await??;
        outcome
    }

    /// Starts both. Blocks.
    fn open() -> Result<Self> {
        let folder = TempDir::with_prefix("gridwarden-bench-").context("no temporary folder")?;
        let cache = crate::up::plan::cache()?;
        let kafka = KafkaProcess::start(KafkaOptions::under(folder.path(), &cache, KafkaPorts::free()?))?;
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()?));
        let engine = EngineOptions::new(folder.path().join("clickhouse"), library::locate(&cache)?, listen);
        let program = std::env::current_exe().context("where this program is")?;
        let options = ClickHouseOptions {
            engine,
            program: vec![program.into(), "clickhouse-engine".into()],
            log: folder.path().join("clickhouse.log"),
            pid_file: None,
        };
        let clickhouse = ClickHouseProcess::start(&options)?;
        let url = clickhouse.url();
        Ok(Self { folder, kafka, options, clickhouse: Some(clickhouse), url })
    }

    /// A folder or file in the place.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How Kafka is reached.
    pub(super) fn kafka(&self) -> KafkaConfig {
        KafkaConfig::plain(&self.kafka.bootstrap())
    }

    /// The same with topics of another prefix.
    pub(super) fn kafka_with(&self, topic_prefix: &str) -> KafkaConfig {
        KafkaConfig { topic_prefix: topic_prefix.to_owned(), ..self.kafka() }
    }

    /// How ClickHouse is reached, with a database of this name.
    pub(super) fn clickhouse(&self, database: &str) -> ClickHouseConfig {
        ClickHouseConfig {
            url: self.url.clone(),
            database: database.to_owned(),
            user: String::new(),
            password: String::new(),
        }
    }

    /// ClickHouse is killed.
    pub(super) fn clickhouse_goes(&mut self) {
        if let Some(mut process) = self.clickhouse.take() {
            process.kill();
        }
    }

    /// It starts anew where it was, with the data it had. Blocks.
    pub(super) fn clickhouse_comes_back(&mut self) -> Result<()> {
        self.clickhouse = Some(ClickHouseProcess::start(&self.options)?);
        Ok(())
    }

    /// Ends both. Blocks.
    fn close(self) -> Result<()> {
        self.kafka.stop()?;
        self.clickhouse.map(ClickHouseProcess::stop).transpose()?;
        Ok(())
    }
}
