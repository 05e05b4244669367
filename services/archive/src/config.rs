//! The archive's configuration; defaults and comments stand in `config.default.toml`.

use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{ConfigError, HttpConfig, load};
use gridwarden_store::ClickHouseConfig;
use serde::Deserialize;
use std::path::{Path, PathBuf};

pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// Configuration of the archive.
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
    pub archive: ArchiveSection,
}

/// `[city]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CitySection {
    /// Folder with `city.toml`.
    pub folder: PathBuf,
}

/// `[archive]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveSection {
    /// Rows of a full block.
    pub block_rows: usize,
    /// MiB of a full block.
    pub block_mib: usize,
    /// Age of a full block in ms.
    pub block_ms: i64,
    /// Whether to go on past records that are gone.
    pub accept_loss: bool,
}

/// Loads it: defaults, then the file, then the environment.
pub fn config(file: Option<&Path>) -> Result<Config, ConfigError> {
    load("archive", DEFAULTS, file)
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
