//! All children of `up`: added while starting, watched for ends that mean the start cannot succeed, stopped in order.

use super::child::{Child, Command};
use anyhow::{Result, bail};
use gridwarden_runtime::shutdown::Shutdown;
use std::time::Duration;

/// How often the children are looked at while something is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Stopping: what writes first, then what stores. Together well under ten seconds.
const SERVICE_LIMIT: Duration = Duration::from_millis(4_500);
const ENGINE_LIMIT: Duration = Duration::from_millis(3_000);

/// What a kill after the limit may take.
const MARGIN: Duration = Duration::from_millis(500);

/// A child to be.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) name: &'static str,
    pub(super) command: Command,
    /// Ends at which a start is given up.
    pub(super) patience: u32,
    /// Whether others rest on it, so that it is stopped after them.
    pub(super) engine: bool,
}

/// The children that run.
pub(super) struct Crew {
    children: Vec<(Child, Post)>,
    shutdown: Shutdown,
}

impl Crew {
    pub(super) fn new(shutdown: &Shutdown) -> Self {
        Self { children: Vec::new(), shutdown: shutdown.clone() }
    }

    /// Starts a child and keeps it running.
    pub(super) fn add(&mut self, post: Post, shutdown: &Shutdown) {
        let child = Child::keep(post.name, post.command.clone(), shutdown);
        self.children.push((child, post));
    }

    /// Does something that needs the children; an end of one that will not come up is the result instead.
    pub(super) async fn watch<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let lost = async {
            loop {
                if let Some(why) = self.lost() {
                    return why;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            done = work => done,
            why = lost => bail!(why),
        }
    }

    fn lost(&self) -> Option<String> {
        let lost = self.children.iter().find_map(|(child, post)| {
            let record = child.record();
            (record.ends >= post.patience).then_some(record.why)
        });
        lost.filter(|_| !self.shutdown.is_triggered())
    }

    /// Ends all: services at the same time, then the engines.
    pub(super) async fn stop(self) {
        let (engines, services): (Vec<_>, Vec<_>) = self.children.into_iter().partition(|(_, post)| post.engine);
        stop_all(services, SERVICE_LIMIT).await;
        stop_all(engines, ENGINE_LIMIT).await;
    }
}

/// What is in the middle of being prepared may not answer in time; it dies with us (`UP-1`).
async fn stop_all(children: Vec<(Child, Post)>, limit: Duration) {
    let stop = |child: Child| tokio::spawn(tokio::time::timeout(limit + MARGIN, child.stop(limit)));
    let stops: Vec<_> = children.into_iter().map(|(child, _)| stop(child)).collect();
    for stop in stops {
        stop.await.ok();
    }
}
