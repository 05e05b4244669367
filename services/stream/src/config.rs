//! The stream's configuration; defaults and comments stand in `config.default.toml`.

use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{ConfigError, HttpConfig, load};
use gridwarden_store::ClickHouseConfig;
use serde::Deserialize;
use std::path::{Path, PathBuf};

pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// Configuration of the stream.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens.
    pub http: HttpConfig,
    /// Kafka.
    pub kafka: KafkaConfig,
    /// ClickHouse.
    pub clickhouse: ClickHouseConfig,
    /// The city.
    pub city: CitySection,
    /// Its own section.
    pub stream: StreamSection,
}

/// `[city]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CitySection {
    /// Folder with `city.toml`.
    pub folder: PathBuf,
}

/// `[stream]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamSection {
    /// Worker threads; 0: one per core, at most two.
    pub workers: usize,
    /// Length of a tick in ms.
    pub tick_ms: u64,
    /// Records read at once.
    pub batch: usize,
    /// How often rows are written, in ms.
    pub write_ms: u64,
    /// Rows of changed windows per worker and second.
    pub live_rows_per_s: usize,
    /// How far behind a log is the past, in ms.
    pub past_ms: i64,
    /// Memory for windows, in MiB per worker.
    pub windows_mib: usize,
    /// Memory for fences, in MiB.
    pub fences_mib: usize,
    /// Entities per worker.
    pub most_entities: usize,
}

impl StreamSection {
    /// The number of workers meant.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2)),
            workers => workers,
        }
    }
}

/// Loads it: defaults, then the file, then the environment.
pub fn config(file: Option<&Path>) -> Result<Config, ConfigError> {
    load("stream", DEFAULTS, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete() {
        let faults = gridwarden_runtime::config::faults_in_defaults::<Config>(DEFAULTS);
        assert!(faults.is_empty(), "{faults:?}");
    }
}
