//! The processes of a cluster, as the binary runs them.

use crate::stream::{SOON, sum};
use crate::support::City;
use gridwarden_embedded::process::{Process, ProcessOptions};
use gridwarden_tests::{
    binary,
    parts::{Parts, folder},
    up, wait,
};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

/// How long a process may say nothing, as these tests set it.
pub(super) const SILENCE: Duration = Duration::from_secs(2);
/// The exit code of a process whose cluster is broken.
pub(super) const BROKEN: i32 = 102;

/// Where and for whom processes run.
pub(super) struct Ground<'a> {
    pub(super) test: &'static str,
    pub(super) parts: &'a Parts,
    pub(super) city: &'a City,
}

/// One process.
pub(super) struct Member {
    process: Process,
    port: u16,
}

pub(super) fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    free.expect("port").port()
}

/// A list of hosts for so many processes.
pub(super) fn hosts(processes: usize) -> String {
    let hosts: Vec<String> = (0..processes).map(|_| format!("127.0.0.1:{}", free_port())).collect();
    hosts.join(",")
}

impl Ground<'_> {
    /// Starts a process; `env` lies over the settings all have.
    pub(super) fn start(&self, args: &[&str], env: &[(&str, &str)]) -> Member {
        let port = free_port();
        let beside = |name: &str| self.city.folder.with_file_name(name).display().to_string();
        let settings = [
            ("HTTP__LISTEN", format!("127.0.0.1:{port}")),
            ("KAFKA__BOOTSTRAP", self.parts.kafka.bootstrap.clone()),
            ("KAFKA__TOPIC_PREFIX", self.parts.kafka.topic_prefix.clone()),
            ("CLICKHOUSE__URL", self.parts.clickhouse.url.clone()),
            ("CLICKHOUSE__DATABASE", self.parts.clickhouse.database.clone()),
            ("CITY__FOLDER", self.city.folder.display().to_string()),
            ("CHECKPOINTS__FOLDER", beside("checkpoints")),
            ("CHECKPOINTS__EVERY_MS", "200".to_owned()),
            ("CRASHES__FOLDER", beside("crashes")),
            ("CLUSTER__SILENCE_S", SILENCE.as_secs().to_string()),
            ("STREAM__WORKERS", "1".to_owned()),
            ("STREAM__WRITE_MS", "200".to_owned()),
        ];
        let own = settings.into_iter().map(|(key, value)| (format!("GRIDWARDEN_{key}").into(), value.into()));
        let more = env.iter().map(|(key, value)| (format!("GRIDWARDEN_{key}").into(), (*value).into()));
        let options = ProcessOptions {
            program: binary::path("gridwarden").into(),
            args: ["stream"].iter().chain(args).map(Into::into).collect(),
            env: own.chain(more).collect(),
            folder: None,
            log: folder(self.test).join(format!("stream-{port}.log")),
            pid_file: None,
        };
        Member { process: Process::start(&options).expect("it starts"), port }
    }

    /// Starts one process of a cluster.
    pub(super) fn member(&self, hosts: &str, process: usize) -> Member {
        let (count, process) = (hosts.split(',').count().to_string(), process.to_string());
        self.start(&["--processes", &count, "--process", &process, "--hosts", hosts], &[])
    }

    /// Starts a cluster of so many, and waits until all read.
    pub(super) async fn all<const N: usize>(&self) -> [Member; N] {
        let hosts = hosts(N);
        let mut all = std::array::from_fn(|process| self.member(&hosts, process));
        for member in &mut all {
            member.until_ready().await;
        }
        all
    }
}

impl Member {
    async fn get(&self, path: &str) -> String {
        match reqwest::get(format!("http://127.0.0.1:{}{path}", self.port)).await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    /// What it says of its readiness.
    pub(super) async fn readiness(&self) -> String {
        self.get("/readyz").await
    }

    /// The sum over all labels of a figure; none while it does not answer.
    pub(super) async fn figure(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").await;
        text.starts_with("# HELP").then(|| sum(&text, &format!("gridwarden_stream_{name}")))
    }

    fn still_runs(&mut self) {
        let ended = self.process.ended().expect("wait");
        assert!(ended.is_none(), "it ended ({ended:?}):\n{}", self.words());
    }

    pub(super) async fn until_ready(&mut self) {
        let begun = Instant::now();
        while !self.readiness().await.contains("\"ok\":true") {
            self.still_runs();
            assert!(begun.elapsed() < SOON, "{}\n{}", self.readiness().await, self.words());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a checkpoint was begun and finished after this moment.
    pub(super) async fn until_checkpoint(&mut self) {
        let written = self.figure("checkpoints_total").await.unwrap_or(0.0);
        self.until("checkpoints_total", written + 2.0).await;
    }

    /// Waits for a figure.
    pub(super) async fn until(&mut self, name: &str, at_least: f64) {
        let begun = Instant::now();
        while self.figure(name).await.is_none_or(|figure| figure < at_least) {
            self.still_runs();
            assert!(begun.elapsed() < SOON, "{name}: {:?}\n{}", self.figure(name).await, self.words());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What it has written to its log last.
    pub(super) fn words(&self) -> String {
        self.process.log_tail(16_384)
    }

    pub(super) fn kill(&mut self) {
        self.process.kill();
    }

    pub(super) fn signal(&self, signal: i32) {
        up::signal(i32::try_from(self.process.pid()).expect("pid"), signal);
    }

    /// Waits until it has ended by itself: its exit code.
    pub(super) async fn ended(&mut self, limit: Duration) -> Option<i32> {
        wait::until_async("its end", limit, || {
            let ended = self.process.ended().expect("wait");
            std::future::ready(ended.ok_or_else(|| self.words()))
        })
        .await
        .code()
    }
}
