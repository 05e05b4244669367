//! The stream's configuration; defaults and comments stand in `config.default.toml`.

use crate::shared::Remembered;
use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{AuthConfig, ConfigError, HttpConfig, Wrong, load_checked};
use gridwarden_runtime::crashes::CrashConfig;
use gridwarden_runtime::rasters::RasterConfig;
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
    /// The administrator.
    pub auth: AuthConfig,
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
    /// Where rasters of layers are kept.
    pub rasters: RasterConfig,
    /// Several processes as one stream.
    pub cluster: ClusterSection,
    /// Its own section.
    pub stream: StreamSection,
}

/// `[cluster]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSection {
    /// Where all processes listen for each other, `host:port` each, separated by commas; empty: there is one process.
    pub hosts: String,
    /// Which of them this is.
    pub process: usize,
    /// Where this one listens, when that is not its place in `hosts`.
    pub listen: String,
    /// A process that says nothing for so long, in seconds, is gone.
    pub silence_s: u64,
}

impl ClusterSection {
    /// All hosts, in order.
    pub fn hosts(&self) -> Vec<String> {
        self.hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect()
    }
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
    /// How often windows of levels with few areas are written, in ms.
    pub first_ms: u64,
    /// How often other rows are written, in ms, at most.
    pub write_ms: u64,
    /// How often open minutes are written, in ms.
    pub minutes_ms: u64,
    /// How often hours and days are summed, in seconds.
    pub rollup_s: u64,
    /// How long the dataflow may stand still before the process ends, in seconds.
    pub watchdog_s: u64,
    /// Without a checkpoint: how many days of the archive the state is made from.
    pub rebuild_days: u32,
    /// Records of the archive read at once.
    pub rebuild_slice: u64,
    /// Rows of changed windows per worker and second.
    pub live_rows_per_s: usize,
    /// What is taken off the moment at which a partition was read to its end, in ms.
    pub idle_margin_ms: u32,
    /// How far behind a log is the past, in ms.
    pub past_ms: i64,
    /// Memory for windows, in MiB, over all workers.
    pub windows_mib: usize,
    /// Sightings that may wait for rules over several entities.
    pub together_most: usize,
    /// Memory for fences, in MiB.
    pub fences_mib: usize,
    /// Entities per worker.
    pub most_entities: usize,
    /// Ids remembered of each source and kind.
    pub ids_per_source: usize,
    /// Ids of reports remembered in each partition.
    pub report_ids_per_partition: usize,
    /// Records that may wait for their turn in each partition.
    pub reordered_per_partition: usize,
}

impl StreamSection {
    /// How much is remembered of each source and partition.
    pub(crate) fn remembered(&self) -> Remembered {
        Remembered {
            of_source: self.ids_per_source,
            reports: self.report_ids_per_partition,
            reordered: self.reordered_per_partition,
        }
    }

    /// The number of workers meant.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2)),
            workers => workers,
        }
    }
}

impl Config {
    /// The same at a place in a cluster; what is not given stays. `processes` is only checked.
    pub fn in_cluster(
        mut self,
        hosts: Option<String>,
        process: Option<usize>,
        processes: Option<usize>,
    ) -> anyhow::Result<Self> {
        self.cluster.hosts = hosts.unwrap_or(self.cluster.hosts);
        self.cluster.process = process.unwrap_or(self.cluster.process);
        if let Err(wrong) = check_cluster(&self.cluster) {
            anyhow::bail!("{}: {}", wrong.key, wrong.why);
        }
        let named = self.cluster.hosts().len().max(1);
        if let Some(processes) = processes.filter(|processes| *processes != named) {
            anyhow::bail!("--processes says {processes}, cluster.hosts names {named}");
        }
        Ok(self)
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
        ("stream.first_ms", own.first_ms, 10, 600_000),
        ("stream.write_ms", own.write_ms, 10, 600_000),
        ("stream.minutes_ms", own.minutes_ms, 10, 600_000),
        ("stream.idle_margin_ms", u64::from(own.idle_margin_ms), 0, 60_000),
        ("stream.rollup_s", own.rollup_s, 1, 86_400),
        ("cluster.silence_s", config.cluster.silence_s, 1, 3_600),
        ("stream.watchdog_s", own.watchdog_s, 5, 3_600),
        ("stream.rebuild_days", u64::from(own.rebuild_days), 0, 3_650),
        ("stream.rebuild_slice", own.rebuild_slice, 100, 10_000_000),
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
    check_cluster(&config.cluster)?;
    if own.past_ms < 100 {
        return Err(Wrong::new("stream.past_ms", format!("{} must be 100 or more", own.past_ms)));
    }
    Ok(())
}

/// Most processes of a cluster.
const MOST_PROCESSES: usize = 256;

fn check_cluster(cluster: &ClusterSection) -> Result<(), Wrong> {
    let hosts = cluster.hosts();
    let count = hosts.len().max(1);
    if count > MOST_PROCESSES {
        return Err(Wrong::new("cluster.hosts", format!("{count} hosts, at most {MOST_PROCESSES}")));
    }
    if cluster.process >= count {
        let why = format!("{} is none of {count} processes, they are numbered from 0", cluster.process);
        return Err(Wrong::new("cluster.process", why));
    }
    let port = |host: &str| host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if let Some(host) = hosts.iter().find(|host| port(host).is_none_or(|port| port == 0)) {
        return Err(Wrong::new("cluster.hosts", format!("{host:?} is not host:port")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_a_list_of_hosts_and_a_place_in_it() {
        let cluster = |hosts: &str, process| ClusterSection {
            hosts: hosts.to_owned(),
            process,
            listen: String::new(),
            silence_s: 10,
        };
        assert_eq!(check_cluster(&cluster("", 0)), Ok(()));
        let two = cluster("a:7000, [::1]:7001", 1);
        assert_eq!(check_cluster(&two), Ok(()));
        assert_eq!(two.hosts(), ["a:7000", "[::1]:7001"]);
        let place =
            |processes| config(None).expect("defaults").in_cluster(Some("a:1,b:1".to_owned()), Some(1), processes);
        assert_eq!(place(Some(2)).expect("a place").cluster.process, 1);
        assert_eq!(place(Some(3)).expect_err("refused").to_string(), "--processes says 3, cluster.hosts names 2");
        for (wrong, key) in [
            (cluster("", 1), "cluster.process"),
            (cluster("a:1,b:1", 2), "cluster.process"),
            (cluster("a:1,b", 0), "cluster.hosts"),
            (cluster("a:1,b:0", 0), "cluster.hosts"),
        ] {
            assert_eq!(check_cluster(&wrong).expect_err("refused").key, key);
        }
    }

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
