//! The end of a process: one signal that everyone sees, and tasks with names whose failure ends the process (`RUN-2`).

use anyhow::{Context, Result, anyhow};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How long tasks may take to end once the shutdown began; what still runs then is named and left behind.
pub const GRACE: Duration = Duration::from_secs(8);

struct Inner {
    sender: watch::Sender<bool>,
    reason: OnceLock<&'static str>,
}

/// A switch that goes from running to ending once, seen by all clones.
#[derive(Clone)]
pub struct Shutdown(Arc<Inner>);

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// A switch that stands at running.
    pub fn new() -> Self {
        Self(Arc::new(Inner { sender: watch::Sender::new(false), reason: OnceLock::new() }))
    }

    /// Begins the end. The first reason stays.
    pub fn trigger(&self, reason: &'static str) {
        if self.0.reason.set(reason).is_ok() {
            tracing::info!(reason, "shutting down");
        }
        self.0.sender.send_replace(true);
    }

    /// Whether the end has begun. Cheap; for threads that poll.
    pub fn is_triggered(&self) -> bool {
        *self.0.sender.borrow()
    }

    /// Why, once it has begun.
    pub fn reason(&self) -> Option<&'static str> {
        self.0.reason.get().copied()
    }

    /// Waits for the end to begin; at once if it has.
    pub async fn wait(&self) {
        let mut receiver = self.0.sender.subscribe();
        // The sender lives in self, so this cannot fail.
        receiver.wait_for(|ended| *ended).await.ok();
    }

    /// The same as a future of its own, for streams and servers that outlive the caller.
    pub fn waiting(&self) -> impl Future<Output = ()> + Send + 'static {
        let own = self.clone();
        async move { own.wait().await }
    }

    /// Sleeps, but no longer than until the end begins; false when it has begun.
    pub async fn sleep(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => !self.is_triggered(),
            () = self.wait() => false,
        }
    }
}

/// SIGINT or SIGTERM begins the shutdown; a second one ends the process at once.
pub fn on_signals(shutdown: &Shutdown) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        loop {
            let reason = tokio::select! {
                _ = interrupt.recv() => "interrupted",
                _ = terminate.recv() => "terminated",
            };
            if shutdown.is_triggered() {
                std::process::exit(130);
            }
            shutdown.trigger(reason);
        }
    });
    Ok(())
}

/// Tasks and threads with names. The first that fails begins the shutdown and becomes the process's error.
pub struct Tasks {
    shutdown: Shutdown,
    running: BTreeMap<usize, &'static str>,
    next: usize,
    sender: mpsc::UnboundedSender<(usize, Result<()>)>,
    receiver: mpsc::UnboundedReceiver<(usize, Result<()>)>,
}

/// Sends the outcome even when the task panics.
struct Outcome {
    number: usize,
    sender: mpsc::UnboundedSender<(usize, Result<()>)>,
    result: Option<Result<()>>,
    shutdown: Shutdown,
}

impl Outcome {
    fn end(mut self, result: Result<()>) {
        self.result = Some(result);
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or_else(|| Err(anyhow!("it panicked or was cut off")));
        if result.is_err() {
            self.shutdown.trigger("a task failed");
        }
        self.sender.send((self.number, result)).ok();
    }
}

impl Tasks {
    /// No task yet.
    pub fn new(shutdown: &Shutdown) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { shutdown: shutdown.clone(), running: BTreeMap::new(), next: 0, sender, receiver }
    }

    fn outcome(&mut self, name: &'static str) -> Outcome {
        let number = self.next;
        self.next += 1;
        self.running.insert(number, name);
        Outcome { number, sender: self.sender.clone(), result: None, shutdown: self.shutdown.clone() }
    }

    /// Starts a task on the runtime.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = Result<()>> + Send + 'static) {
        let outcome = self.outcome(name);
        tokio::spawn(async move { outcome.end(task.await) });
    }

    /// Starts a thread with this name, for what blocks.
    pub fn thread(&mut self, name: &'static str, work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
        let outcome = self.outcome(name);
        let builder = std::thread::Builder::new().name(name.to_owned());
        builder.spawn(move || outcome.end(work())).with_context(|| format!("thread {name} did not start"))?;
        Ok(())
    }

    /// Waits until all have ended, or until [`GRACE`] after the shutdown began. The first failure is the result.
    pub async fn finish(mut self) -> Result<()> {
        let mut failure = None;
        let mut deadline = None;
        while !self.running.is_empty() {
            let wait = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => self.shutdown.wait().await,
                }
            };
            tokio::select! {
                ended = self.receiver.recv() => {
                    let Some((number, result)) = ended else { break };
                    let name = self.running.remove(&number).unwrap_or("unknown");
                    if let Err(error) = result {
                        tracing::error!(task = name, error = format!("{error:#}"), "task failed");
                        failure = failure.or(Some(error.context(format!("{name} failed"))));
                    }
                }
                () = wait => {
                    if deadline.is_some() {
                        let left: Vec<_> = self.running.values().copied().collect();
                        failure = failure.or(Some(anyhow!("{} did not end within {GRACE:?}", left.join(", "))));
                        break;
                    }
                    deadline = Some(tokio::time::Instant::now() + GRACE);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_end_after_the_switch() {
        let shutdown = Shutdown::new();
        let mut tasks = Tasks::new(&shutdown);
        let seen = shutdown.clone();
        tasks.spawn("waits", async move {
            seen.wait().await;
            Ok(())
        });
        let seen = shutdown.clone();
        tasks
            .thread("polls", move || {
                while !seen.is_triggered() {
                    std::thread::yield_now();
                }
                Ok(())
            })
            .expect("thread");
        shutdown.trigger("test");
        assert!(tasks.finish().await.is_ok());
        assert_eq!(shutdown.reason(), Some("test"));
    }

    #[tokio::test]
    async fn a_failing_task_ends_the_others_and_is_named() {
        let shutdown = Shutdown::new();
        let mut tasks = Tasks::new(&shutdown);
        tasks.spawn("good", shutdown.waiting_ok());
        tasks.spawn("bad", async { Err(anyhow!("no luck")) });
        let error = tasks.finish().await.expect_err("fails");
        assert_eq!(format!("{error:#}"), "bad failed: no luck");
    }

    #[tokio::test]
    async fn a_panic_is_a_failure() {
        let shutdown = Shutdown::new();
        let mut tasks = Tasks::new(&shutdown);
        tasks.thread("boom", || panic!("boom")).expect("thread");
        assert!(tasks.finish().await.is_err());
        assert!(shutdown.is_triggered());
    }

    impl Shutdown {
        fn waiting_ok(&self) -> impl Future<Output = Result<()>> + Send + 'static {
            let wait = self.waiting();
            async move {
                wait.await;
                Ok(())
            }
        }
    }
}
