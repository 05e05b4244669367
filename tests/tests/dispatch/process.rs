//! dispatch as a process of its own, for what only a kill -9 shows.

use super::post_office::city;
use gridwarden_tests::parts::{Parts, folder, free_address};
use gridwarden_tests::{binary, up, wait};
use std::process::Child;
use std::time::Duration;

/// A running `gridwarden dispatch`.
pub struct Process {
    child: Child,
    base: String,
    test: String,
}

impl Process {
    /// Starts it and waits until it is ready.
    pub async fn start(test: &str, parts: &Parts, endpoints: &[(&str, String)]) -> Self {
        let (city, listen) = (city(test, endpoints), free_address());
        let log = folder(&format!("dispatch_{test}")).join("dispatch.log");
        let log = std::fs::File::options().create(true).append(true).open(log).expect("log");
        let child = binary::gridwarden()
            .arg("dispatch")
            .env("GRIDWARDEN_HTTP__LISTEN", listen.to_string())
            .env("GRIDWARDEN_KAFKA__BOOTSTRAP", &parts.kafka.bootstrap)
            .env("GRIDWARDEN_KAFKA__TOPIC_PREFIX", &parts.kafka.topic_prefix)
            .env("GRIDWARDEN_CLICKHOUSE__URL", &parts.clickhouse.url)
            .env("GRIDWARDEN_CLICKHOUSE__DATABASE", &parts.clickhouse.database)
            .env("GRIDWARDEN_CITY__FOLDER", city)
            .env("GRIDWARDEN_WEBHOOKS__SCHEDULE_S", "[0, 2, 2, 600]")
            .stderr(log)
            .spawn()
            .expect("gridwarden starts");
        let own = Self { child, base: format!("http://{listen}"), test: test.to_owned() };
        let ready = format!("{}/readyz", own.base);
        wait::until_async("dispatch is ready", Duration::from_secs(60), || async {
            let answer = reqwest::get(&ready).await.map_err(|error| error.to_string())?;
            if answer.status() == 200 { Ok(()) } else { Err(answer.text().await.unwrap_or_default()) }
        })
        .await;
        own
    }

    /// Waits until its figures hold a line.
    pub async fn until_metrics(&self, line: impl Fn() -> String) {
        wait::until_async("a figure", Duration::from_secs(30), || async {
            let answer = reqwest::get(format!("{}/metrics", self.base)).await.map_err(|error| error.to_string())?;
            let (text, wanted) = (answer.text().await.map_err(|error| error.to_string())?, line());
            if text.lines().any(|each| each == wanted) { Ok(()) } else { Err(format!("no {wanted} in\n{text}")) }
        })
        .await;
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// SIGTERM; it must end well and in time.
    pub fn stop(mut self) {
        up::signal(i32::try_from(self.child.id()).expect("pid"), libc::SIGTERM);
        let child = &mut self.child;
        let status = wait::until("its end", Duration::from_secs(10), || child.try_wait().expect("wait"));
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            let log = folder(&format!("dispatch_{}", self.test)).join("dispatch.log");
            eprintln!("--- dispatch.log\n{}", up::tail(&log));
        }
    }
}
