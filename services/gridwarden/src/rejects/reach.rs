//! Where Kafka and ClickHouse are: as the archive is configured, on the ports of an `up`, or as told.

use crate::up::ports::Ports;
use anyhow::Result;
use gridwarden_bus::KafkaConfig;
use gridwarden_store::read::Reader;
use std::path::PathBuf;

/// Where everything is. Without any of them the archive's own configuration and environment say it.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Reach {
    /// Configuration file of the archive
    #[arg(long)]
    config: Option<PathBuf>,
    /// Data folder of the `up` that runs
    #[arg(long)]
    data: Option<PathBuf>,
    /// Kafka, host:port
    #[arg(long)]
    kafka: Option<String>,
    /// Put before every topic name
    #[arg(long)]
    topic_prefix: Option<String>,
    /// ClickHouse, http://host:port
    #[arg(long)]
    clickhouse: Option<String>,
    /// Database in it
    #[arg(long)]
    database: Option<String>,
}

/// Both, found.
pub(super) struct Reached {
    pub(super) kafka: KafkaConfig,
    pub(super) reader: Reader,
}

impl Reach {
    pub(super) fn open(&self) -> Result<Reached> {
        let config = gridwarden_archive::config(self.config.as_deref())?;
        let (mut kafka, mut clickhouse) = (config.kafka, config.clickhouse);
        if let Some(data) = &self.data {
            let ports = Ports::kept(data)?;
            kafka.bootstrap = ports.address("kafka").to_string();
            clickhouse.url = ports.url("clickhouse");
        }
        kafka.bootstrap = self.kafka.clone().unwrap_or(kafka.bootstrap);
        kafka.topic_prefix = self.topic_prefix.clone().unwrap_or(kafka.topic_prefix);
        clickhouse.url = self.clickhouse.clone().unwrap_or(clickhouse.url);
        clickhouse.database = self.database.clone().unwrap_or(clickhouse.database);
        Ok(Reached { kafka, reader: Reader::new(&clickhouse) })
    }
}
