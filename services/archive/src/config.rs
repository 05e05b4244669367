//! The archive's configuration; defaults and comments stand in `config.default.toml`.

use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{ConfigError, HttpConfig, Wrong, load_checked};
use gridwarden_runtime::crashes::CrashConfig;
use gridwarden_runtime::rasters::RasterConfig;
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
    /// Where it is noted at which record a process panicked.
    pub crashes: CrashConfig,
    /// Where rasters of layers are kept.
    pub rasters: RasterConfig,
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
    load_checked("archive", DEFAULTS, file, check)
}

/// A block stays one part, and a few of them stay in memory: a batch may still be added to one that is almost full.
fn check(config: &Config) -> Result<(), Wrong> {
    let own = &config.archive;
    let ranges = [
        ("archive.block_rows", own.block_rows as u64, 1, 900_000),
        ("archive.block_mib", own.block_mib as u64, 1, 256),
        ("archive.block_ms", own.block_ms.max(0).unsigned_abs(), 1, 60_000),
    ];
    for (key, value, least, most) in ranges {
        if !(least..=most).contains(&value) {
            return Err(Wrong::new(key, format!("{value} must lie between {least} and {most}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete() {
        let faults = gridwarden_runtime::config::faults_in_defaults::<Config>(DEFAULTS);
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn a_block_that_could_not_be_one_part_is_refused_by_name() {
        let good = config(None).unwrap();
        assert_eq!(check(&good), Ok(()));
        let mut bad = good.clone();
        bad.archive.block_rows = 1_000_000;
        assert_eq!(check(&bad), Err(Wrong::new("archive.block_rows", "1000000 must lie between 1 and 900000")));
        let mut bad = good;
        bad.archive.block_ms = -5;
        assert_eq!(check(&bad).unwrap_err().key, "archive.block_ms");
    }
}
