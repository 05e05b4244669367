//! The stream as a child process, watched through its own metrics.

use crate::bench::place::Place;
use anyhow::{Context, Result};
use gridwarden_embedded::port;
use gridwarden_embedded::process::{Process, ProcessOptions};
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// What to run.
#[derive(Clone, Copy)]
pub(super) struct Run<'p> {
    pub(super) place: &'p Place,
    /// Put before every topic name.
    pub(super) topics: &'p str,
    pub(super) database: &'p str,
    pub(super) workers: usize,
    pub(super) events: u64,
}

/// A running service.
pub(super) struct Child {
    process: Process,
    metrics: String,
    client: reqwest::Client,
}

/// What a process says of itself.
pub(super) struct Figures(HashMap<String, f64>);

impl Figures {
    /// The sum over all labels of a name.
    pub(super) fn sum(&self, name: &str) -> f64 {
        let of = |key: &str| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
        self.0.iter().filter(|(key, _)| of(key)).map(|(_, value)| value).sum()
    }

    /// One series.
    pub(super) fn one(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or(0.0)
    }
}

impl Run<'_> {
    /// Starts the stream, with checkpoints beside its database.
    pub(super) fn stream(&self, more: &[(&str, String)]) -> Result<Child> {
        let checkpoints = self.place.path(&format!("{}-checkpoints", self.database)).display().to_string();
        let mut settings = vec![
            ("GRIDWARDEN_STREAM__WORKERS", self.workers.to_string()),
            ("GRIDWARDEN_CHECKPOINTS__FOLDER", checkpoints),
        ];
        settings.extend(more.iter().cloned());
        self.start("stream", &settings)
    }

    /// Starts a service.
    pub(super) fn start(&self, role: &str, settings: &[(&str, String)]) -> Result<Child> {
        let port = port::free()?;
        let clickhouse = self.place.clickhouse(self.database);
        let mut env = vec![
            ("GRIDWARDEN_HTTP__LISTEN", format!("127.0.0.1:{port}")),
            ("GRIDWARDEN_KAFKA__BOOTSTRAP", self.place.kafka().bootstrap),
            ("GRIDWARDEN_KAFKA__TOPIC_PREFIX", self.topics.to_owned()),
            ("GRIDWARDEN_CLICKHOUSE__URL", clickhouse.url),
            ("GRIDWARDEN_CLICKHOUSE__DATABASE", clickhouse.database),
            ("GRIDWARDEN_CITY__FOLDER", self.place.path("city").display().to_string()),
        ];
        if role != "dispatch" {
            env.push(("GRIDWARDEN_CRASHES__FOLDER", self.place.path("crashes").display().to_string()));
        }
        env.extend(settings.iter().cloned());
        let process = Process::start(&ProcessOptions {
            program: std::env::current_exe().context("where this program is")?.into(),
            args: vec![role.into()],
            env: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            folder: None,
            log: self.place.path(&format!("{}-{role}.log", self.database)),
            pid_file: None,
        })?;
        let metrics = format!("http://127.0.0.1:{port}/metrics");
        Ok(Child { process, metrics, client: reqwest::Client::new() })
    }
}

/// Of a line of `/proc/…/stat`.
fn cpu_s(stat: &str) -> f64 {
    const TICKS_PER_S: f64 = 100.0;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_S
}

impl Child {
    /// Its figures now; none while it does not answer.
    pub(super) async fn figures(&mut self) -> Result<Option<Figures>> {
        if let Some(status) = self.process.ended()? {
            anyhow::bail!("it ended ({status}): {}", self.process.log_tail(2_000));
        }
        let Ok(answer) = self.client.get(&self.metrics).timeout(Duration::from_secs(2)).send().await else {
            return Ok(None);
        };
        let text = answer.text().await?;
        let series = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Ok(Some(Figures(series.collect())))
    }

    /// CPU time used so far, in seconds.
    pub(super) fn cpu_s(&self) -> f64 {
        cpu_s(&fs::read_to_string(self.proc("stat")).unwrap_or_default())
    }

    /// The same of timely's worker threads.
    pub(super) fn workers_cpu_s(&self) -> f64 {
        let Ok(threads) = fs::read_dir(self.proc("task")) else { return 0.0 };
        let stats = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
        stats.filter(|stat| stat.contains("(timely:work")).map(|stat| cpu_s(&stat)).sum()
    }

    /// The most memory it ever held, in MiB.
    pub(super) fn most_rss_mib(&self) -> f64 {
        let status = fs::read_to_string(self.proc("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kib: f64 = line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
        kib / 1024.0
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.process.pid()))
    }

    /// Kills it, as kill -9 does.
    pub(super) async fn kill(mut self) -> Result<()> {
        tokio::task::spawn_blocking(move || self.process.kill()).await?;
        Ok(())
    }

    /// Ends it.
    pub(super) async fn stop(self) -> Result<()> {
        tokio::task::spawn_blocking(move || self.process.stop(Duration::from_secs(10))).await??;
        Ok(())
    }
}
