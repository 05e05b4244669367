//! The stream's configuration; defaults and comments stand in `config.default.toml`.

use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{ConfigError, HttpConfig, Wrong, load_checked};
use gridwarden_runtime::crashes::CrashConfig;
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
    /// Checkpoints.
    pub checkpoints: CheckpointSection,
    /// Where it is noted at which record a process panicked.
    pub crashes: CrashConfig,
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

/// `[checkpoints]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointSection {
    /// Folder they lie in, or `s3://bucket/prefix`.
    pub folder: String,
    /// How often one is taken, in ms.
    pub every_ms: u64,
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
    /// How often hours and days are summed, in seconds.
    pub rollup_s: u64,
    /// How long the dataflow may stand still before the process ends, in seconds.
    pub watchdog_s: u64,
    /// Rows of changed windows per worker and second.
    pub live_rows_per_s: usize,
    /// How far behind a log is the past, in ms.
    pub past_ms: i64,
    /// Memory for windows, in MiB, over all workers.
    pub windows_mib: usize,
    /// Memory for fences, in MiB.
    pub fences_mib: usize,
    /// Entities per worker.
    pub most_entities: usize,
    /// Ids remembered of each source and kind.
    pub ids_per_source: usize,
    /// Ids of reports remembered in each partition.
    pub report_ids_per_partition: usize,
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
    load_checked("stream", DEFAULTS, file, check)
}

/// Ranges: key, value, least, most.
fn check(config: &Config) -> Result<(), Wrong> {
    let own = &config.stream;
    let ranges = [
        ("stream.workers", own.workers as u64, 0, 256),
        ("stream.tick_ms", own.tick_ms, 1, 1_000),
        ("checkpoints.every_ms", config.checkpoints.every_ms, 100, 3_600_000),
        ("stream.batch", own.batch as u64, 1, 100_000),
        ("stream.write_ms", own.write_ms, 10, 600_000),
        ("stream.rollup_s", own.rollup_s, 1, 86_400),
        ("stream.watchdog_s", own.watchdog_s, 5, 3_600),
        ("stream.live_rows_per_s", own.live_rows_per_s as u64, 100, 10_000_000),
        ("stream.windows_mib", own.windows_mib as u64, 1, 1 << 20),
        ("stream.fences_mib", own.fences_mib as u64, 1, 1 << 20),
        ("stream.most_entities", own.most_entities as u64, 1, 1 << 31),
        ("stream.ids_per_source", own.ids_per_source as u64, 1, 100_000),
        ("stream.report_ids_per_partition", own.report_ids_per_partition as u64, 1, 100_000_000),
    ];
    for (key, value, least, most) in ranges {
        if !(least..=most).contains(&value) {
            return Err(Wrong::new(key, format!("{value} must lie between {least} and {most}")));
        }
    }
    if own.past_ms < 100 {
        return Err(Wrong::new("stream.past_ms", format!("{} must be 100 or more", own.past_ms)));
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
    fn a_value_out_of_its_range_is_named() {
        let good = config(None).expect("defaults");
        assert_eq!(check(&good), Ok(()));
        let mut bad = good.clone();
        bad.stream.tick_ms = 0;
        assert_eq!(check(&bad), Err(Wrong::new("stream.tick_ms", "0 must lie between 1 and 1000")));
        let mut bad = good;
        bad.stream.past_ms = -5;
        assert_eq!(check(&bad).expect_err("refused").key, "stream.past_ms");
    }
}
