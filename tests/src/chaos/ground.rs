//! What services stand on: a broker and an engine of this run's own, on ports they keep, and the door before the engine.

use super::door::Door;
use crate::parts;
use anyhow::{Context, Result, ensure};
use gridwarden_bus::KafkaConfig;
use gridwarden_embedded::clickhouse::{ClickHouseOptions, ClickHouseProcess};
use gridwarden_embedded::kafka::{KafkaOptions, KafkaProcess};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Broker, engine and door.
pub struct Ground {
    kafka: KafkaOptions,
    clickhouse: ClickHouseOptions,
    broker: Option<KafkaProcess>,
    engine: Option<ClickHouseProcess>,
    pub(super) door: Door,
}

impl Ground {
    /// Starts them, in folders of this name.
    pub fn start(name: &str) -> Result<Self> {
        let (kafka, clickhouse) = (parts::kafka_options(name), parts::clickhouse_options(name));
        let door = Door::open(clickhouse.engine.listen)?;
        let mut ground = Self { kafka, clickhouse, broker: None, engine: None, door };
        ground.start_clickhouse()?;
        ground.start_kafka()?;
        Ok(ground)
    }

    /// Kafka with a prefix.
    pub(super) fn kafka(&self, prefix: &str) -> KafkaConfig {
        KafkaConfig { topic_prefix: prefix.to_owned(), ..KafkaConfig::plain(&self.kafka.bootstrap()) }
    }

    /// `host:port` of the engine itself.
    pub(super) fn engine(&self) -> String {
        self.clickhouse.engine.listen.to_string()
    }

    /// Tells the engine something.
    pub(super) fn tell(&self, database: &str, sql: &str) -> Result<()> {
        let mut stream = TcpStream::connect(self.clickhouse.engine.listen)?;
        let length = sql.len();
        write!(
            stream,
            "POST /?database={database} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{sql}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{sql}: {answer}");
        Ok(())
    }

    pub(super) fn kill_clickhouse(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            engine.kill();
        }
    }

    pub(super) fn start_clickhouse(&mut self) -> Result<()> {
        self.engine = Some(ClickHouseProcess::start(&self.clickhouse).context("ClickHouse")?);
        Ok(())
    }

    pub(super) fn kill_kafka(&mut self) {
        if let Some(mut broker) = self.broker.take() {
            broker.process().kill();
        }
    }

    pub(super) fn start_kafka(&mut self) -> Result<()> {
        self.broker = Some(KafkaProcess::start(self.kafka.clone()).context("Kafka")?);
        Ok(())
    }
}
