//! A role of the binary as a process of its own: for signals, exit codes and SIGKILL.
//!
//! All that runs on one ground is configured alike; what a test wants otherwise it says as the environment would.

use crate::parts::{Parts, folder, free_address};
use crate::{binary, metrics, up, wait};
use gridwarden_embedded::process::{Process, ProcessOptions};
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a process may take to do what it is waited for.
const SOON: Duration = Duration::from_secs(60);
/// How long its end may take.
const END: Duration = Duration::from_secs(10);
const PACE: Duration = Duration::from_millis(50);

/// Where and for whom roles run.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Names the folder of their logs.
    pub test: &'a str,
    /// Broker and engine.
    pub parts: &'a Parts,
    /// The city's folder. What must outlive a process lies beside it.
    pub city: &'a Path,
}

/// One process.
pub struct Role {
    process: Process,
    name: &'static str,
    port: u16,
}

impl Ground<'_> {
    /// Starts a role; `environment` lies over the settings all have.
    pub fn start(&self, name: &'static str, arguments: &[&str], environment: &[(&str, &str)]) -> Role {
        let port = free_address().port();
        let beside = |name: &str| self.city.with_file_name(name).display().to_string();
        let mut settings = vec![
            ("HTTP__LISTEN", format!("127.0.0.1:{port}")),
            ("KAFKA__BOOTSTRAP", self.parts.kafka.bootstrap.clone()),
            ("KAFKA__TOPIC_PREFIX", self.parts.kafka.topic_prefix.clone()),
            ("CLICKHOUSE__URL", self.parts.clickhouse.url.clone()),
            ("CLICKHOUSE__DATABASE", self.parts.clickhouse.database.clone()),
            ("CITY__FOLDER", self.city.display().to_string()),
            ("CRASHES__FOLDER", beside("crashes")),
        ];
        if name == "stream" {
            settings.push(("CHECKPOINTS__FOLDER", beside("checkpoints")));
        }
        let settings = settings.into_iter().map(|(key, value)| (format!("GRIDWARDEN_{key}").into(), value.into()));
        let own = environment.iter().map(|(key, value)| (OsString::from(key), OsString::from(value)));
        let options = ProcessOptions {
            program: binary::path("gridwarden").into(),
            args: [name].iter().chain(arguments).map(Into::into).collect(),
            env: settings.chain(own).collect(),
            folder: None,
            log: folder(self.test).join(format!("{name}-{port}.log")),
            pid_file: None,
        };
        Role { process: Process::start(&options).expect("it starts"), name, port }
    }
}

impl Role {
    async fn get(&self, path: &str) -> String {
        match reqwest::get(format!("http://127.0.0.1:{}{path}", self.port)).await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    /// What it says of its readiness.
    pub async fn readiness(&self) -> String {
        self.get("/readyz").await
    }

    /// The sum over all labels of one of its figures; none while it does not answer.
    pub async fn figure(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").await;
        text.starts_with("# HELP").then(|| metrics::sum(&text, &format!("gridwarden_{}_{name}", self.name)))
    }

    /// Waits until it is ready.
    pub async fn until_ready(&mut self) {
        let begun = Instant::now();
        while !self.readiness().await.contains("\"ok\":true") {
            self.still_runs();
            assert!(begun.elapsed() < SOON, "{}\n{}", self.readiness().await, self.words());
            tokio::time::sleep(PACE).await;
        }
    }

    /// Waits until a figure has come to a value.
    pub async fn until(&mut self, name: &str, at_least: f64) {
        let begun = Instant::now();
        while self.figure(name).await.is_none_or(|figure| figure < at_least) {
            self.still_runs();
            assert!(begun.elapsed() < SOON, "{name}: {:?}\n{}", self.figure(name).await, self.words());
            tokio::time::sleep(PACE).await;
        }
    }

    /// Waits until a checkpoint was begun and finished after this moment.
    pub async fn until_checkpoint(&mut self) {
        let written = self.figure("checkpoints_total").await.unwrap_or(0.0);
        self.until("checkpoints_total", written + 2.0).await;
    }

    fn still_runs(&mut self) {
        let ended = self.process.ended().expect("wait");
        assert!(ended.is_none(), "it ended ({ended:?}):\n{}", self.words());
    }

    /// What it has written to its log last.
    pub fn words(&self) -> String {
        self.process.log_tail(16_384)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        up::signal(i32::try_from(self.pid()).expect("pid"), signal);
    }

    /// Waits until it has ended by itself: its exit code.
    pub async fn ended(&mut self, limit: Duration) -> Option<i32> {
        wait::until_async("its end", limit, || {
            let ended = self.process.ended().expect("wait");
            std::future::ready(ended.ok_or_else(|| self.words()))
        })
        .await
        .code()
    }

    /// Tells it to end; it must end well and in time.
    pub async fn stop(mut self) {
        self.signal(libc::SIGTERM);
        assert_eq!(self.ended(END).await, Some(0), "{}", self.words());
    }
}
