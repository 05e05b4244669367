//! The processes of a cluster.

use crate::support::City;
use gridwarden_tests::parts::{Parts, free_address};
use gridwarden_tests::role::{self, Role};
use gridwarden_tests::wait;
use std::time::Duration;

/// How long a process may say nothing, as these tests set it.
pub(in crate::stream) const SILENCE: Duration = Duration::from_secs(2);
/// The exit code of a process whose cluster is broken.
pub(in crate::stream) const BROKEN: i32 = 102;

/// Where and for whom processes run.
pub(in crate::stream) struct Ground<'a> {
    pub(in crate::stream) test: &'static str,
    pub(in crate::stream) parts: &'a Parts,
    pub(in crate::stream) city: &'a City,
}

/// A list of hosts for so many processes.
pub(in crate::stream) fn hosts(processes: usize) -> String {
    let hosts: Vec<String> = (0..processes).map(|_| free_address().to_string()).collect();
    hosts.join(",")
}

impl Ground<'_> {
    /// Starts a process; `environment` lies over the settings all have.
    pub(in crate::stream) fn start(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Role {
        let silence = SILENCE.as_secs().to_string();
        let settings = [
            ("GRIDWARDEN_CHECKPOINTS__EVERY_MS", "200"),
            ("GRIDWARDEN_CLUSTER__SILENCE_S", &silence),
            ("GRIDWARDEN_STREAM__WORKERS", "1"),
            ("GRIDWARDEN_STREAM__WRITE_MS", "200"),
            ("GRIDWARDEN_STREAM__REBUILD_SLICE", "500"),
        ];
        let ground = role::Ground { test: self.test, parts: self.parts, city: &self.city.folder };
        ground.start("stream", arguments, &[&settings, environment].concat())
    }

    /// Starts one process of a cluster.
    pub(in crate::stream) fn member(&self, hosts: &str, process: usize) -> Role {
        let (count, process) = (hosts.split(',').count().to_string(), process.to_string());
        self.start(&["--processes", &count, "--process", &process, "--hosts", hosts], &[])
    }

    /// Starts a cluster of so many, and waits until all read.
    pub(in crate::stream) async fn all<const N: usize>(&self) -> [Role; N] {
        let hosts = hosts(N);
        let all: [Role; N] = std::array::from_fn(|process| self.member(&hosts, process));
        wait::until_async("all of a cluster to be ready", crate::stream::SOON, || async {
            let mut said = Vec::new();
            for member in &all {
                said.push(member.readiness().await);
            }
            let ready = said.iter().all(|said| said.contains("\"ok\":true"));
            if ready {
                Ok(())
            } else {
                Err(said.into_iter().chain(all.iter().map(Role::words)).collect::<Vec<_>>().join("\n\n"))
            }
        })
        .await;
        all
    }
}
