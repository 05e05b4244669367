//! One endpoint's courier: keeps its queue, makes its attempts, writes its ledger. Couriers share nothing they could wait
//! for, so a slow or dead endpoint delays no other (`DSP-8`).

use crate::decide::Skip;
use crate::endpoint::Target;
use crate::event;
use crate::ledger::GONE;
use crate::ledger_log::LedgerLog;
use crate::metrics::Metrics;
use crate::queue::{Job, Queue};
use crate::retry::{Outcome, Schedule, Verdict};
use crate::sender::{Attempt, Sender};
use crate::status::Status;
use anyhow::Result;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use gridwarden_domain::delivery::{Delivery, State};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::shutdown::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Lines of the ledger under way at once, beside the attempts: a line takes a round trip to Kafka, and an endpoint need not wait
/// for it. Beyond it (Kafka is away) no attempt begins.
const LINES: usize = 256;
/// Longest sleep: a clock that was set may not leave a job lying.
const NAP: Duration = Duration::from_secs(30);
/// How long attempts under way may go on once the shutdown began.
const GRACE: Duration = Duration::from_secs(5);

/// What couriers have in common.
#[derive(Clone)]
pub struct Office {
    /// Makes the attempts.
    pub sender: Sender,
    /// When to try again.
    pub schedule: Arc<Schedule>,
    /// The ledger.
    pub log: LedgerLog,
    /// Figures.
    pub metrics: Metrics,
    /// Attempts at once per endpoint.
    pub concurrency: usize,
    /// Transitions waiting per endpoint.
    pub queue: usize,
    /// The end.
    pub shutdown: Shutdown,
}

/// The courier.
pub struct Courier {
    target: Arc<Target>,
    status: Arc<Status>,
    office: Office,
    queue: Queue,
}

/// An attempt that was made; its line is still to be written.
struct Made {
    /// The job, this attempt counted.
    job: Job,
    verdict: Verdict,
    line: Delivery,
}

struct Finished {
    job: Job,
    /// `None`: the shutdown came before the ledger was written.
    verdict: Option<Verdict>,
}

impl Courier {
    /// A courier of one endpoint.
    pub fn new(target: Arc<Target>, status: Arc<Status>, office: Office) -> Self {
        let queue = Queue::new(office.queue);
        Self { target, status, office, queue }
    }

    /// Works until the shutdown, or until nobody can send jobs any more and none is left.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Job>) -> Result<()> {
        let mut way = UnderWay::default();
        let (mut open, shutdown) = (true, self.office.shutdown.clone());
        while open || !self.queue.is_empty() || !way.is_empty() {
            self.hand_out(&mut way);
            let due = if way.has_room(self.office.concurrency) { self.queue.next_due() } else { None };
            tokio::select! {
                job = inbox.recv(), if open => match job {
                    Some(job) => self.take(job),
                    None => open = false,
                },
                Some(made) = way.attempts.next() => way.write(&self.office, made),
                Some(finished) = way.lines.next() => self.settle(finished?),
                () = until(due) => {}
                () = shutdown.wait() => break,
            }
        }
        // Attempts under way may still get their answer and their line in the ledger; what does not is repeated.
        tokio::time::timeout(GRACE, way.finish(&self.office)).await.ok();
        Ok(())
    }

    fn take(&mut self, job: Job) {
        if self.status.is_gone() {
            return self.skipped(Skip::Gone, 1);
        }
        if let Err(job) = self.queue.push(job) {
            tracing::error!(endpoint = self.target.id, alert = job.alert.id, "queue full, delivery skipped");
            self.office.log.write_soon(&skipped(&job, &self.target.id, Skip::QueueFull, now_ms()));
            self.skipped(Skip::QueueFull, 1);
        }
        self.show();
    }

    fn skipped(&self, why: Skip, count: usize) {
        self.office.metrics.skipped.with_label_values(&[self.target.id.as_str(), why.as_str()]).inc_by(count as u64);
    }

    fn show(&self) {
        self.status.set_pending(self.queue.len());
        let pending = i64::try_from(self.queue.len()).unwrap_or(i64::MAX);
        self.office.metrics.pending.with_label_values(&[&self.target.id]).set(pending);
    }

    fn hand_out(&mut self, way: &mut UnderWay) {
        while way.has_room(self.office.concurrency)
            && let Some(job) = self.queue.next(now_ms())
        {
            let (target, status) = (Arc::clone(&self.target), Arc::clone(&self.status));
            way.attempts.push(Box::pin(attempt(self.office.clone(), target, status, job)));
        }
        self.status.set_in_flight(way.attempts.len());
        self.show();
    }

    fn settle(&mut self, finished: Finished) {
        match finished.verdict {
            // Attempts that were under way when another one was answered 410.
            Some(Verdict::Again(_)) if self.status.is_gone() => self.skipped(Skip::Gone, 1),
            Some(Verdict::Again(at)) => self.queue.again(Job { due_ms: at, ..finished.job }),
            Some(Verdict::Gone) => {
                tracing::warn!(endpoint = self.target.id, "endpoint answered 410 and is disabled");
                self.status.set_gone();
                self.office.metrics.gone.with_label_values(&[&self.target.id]).set(1);
                let left = self.queue.clear();
                self.skipped(Skip::Gone, left);
            }
            Some(Verdict::Delivered | Verdict::GivenUp) => self.queue.settled(&finished.job),
            None => {}
        }
        self.show();
    }
}

/// What one courier has under way.
#[derive(Default)]
struct UnderWay {
    attempts: FuturesUnordered<BoxFuture<'static, Made>>,
    lines: FuturesUnordered<BoxFuture<'static, Result<Finished>>>,
}

impl UnderWay {
    fn is_empty(&self) -> bool {
        self.attempts.is_empty() && self.lines.is_empty()
    }

    /// Whether another attempt may begin.
    fn has_room(&self, concurrency: usize) -> bool {
        self.attempts.len() < concurrency && self.lines.len() < LINES
    }

    fn write(&mut self, office: &Office, made: Made) {
        self.lines.push(Box::pin(write(office.clone(), made)));
    }

    /// Both side by side: no line waits for an attempt that takes long.
    async fn finish(&mut self, office: &Office) {
        loop {
            tokio::select! {
                Some(made) = self.attempts.next() => self.write(office, made),
                Some(_) = self.lines.next() => {}
                else => return,
            }
        }
    }
}

async fn until(due_ms: Option<i64>) {
    match due_ms {
        Some(due) => {
            let wait = u64::try_from(due.saturating_sub(now_ms())).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait).min(NAP)).await;
        }
        None => std::future::pending().await,
    }
}

/// One attempt.
async fn attempt(office: Office, target: Arc<Target>, status: Arc<Status>, job: Job) -> Made {
    let begun = now_ms();
    let timer = office.metrics.exchange.start_timer();
    let made = office.sender.send(&target, &job.alert, begun).await;
    timer.observe_duration();
    let job = Job { attempts: job.attempts.saturating_add(1), ..job };
    let now = now_ms();
    let verdict = office.schedule.judge(&made.outcome, job.attempts, now, rand::random());
    status.note(verdict == Verdict::Delivered, now, &made.detail);
    count(&office.metrics, &target.id, &made.outcome);
    let id = event::id(&job.alert);
    match verdict {
        Verdict::Delivered => tracing::debug!(endpoint = target.id, webhook = id, "delivered"),
        _ => tracing::info!(
            endpoint = target.id,
            webhook = id,
            attempt = job.attempts,
            why = made.detail,
            "not delivered"
        ),
    }
    let line = line(&job, &target.id, &made, verdict, now);
    Made { job, verdict, line }
}

/// The attempt's line in the ledger: what is not written there did not happen (`DSP-5`).
async fn write(office: Office, made: Made) -> Result<Finished> {
    let Made { job, verdict, line } = made;
    let written = office.log.write(&line, &office.shutdown).await?;
    if written && matches!(line.state, State::Delivered | State::Failed) {
        office.metrics.deliveries.with_label_values(&[line.endpoint.as_str(), line.state.as_str()]).inc();
    }
    if verdict == Verdict::Delivered {
        let took = line.last_at.saturating_sub(job.appended_ms).max(0) as f64 / 1000.0;
        office.metrics.latency.with_label_values(&[&line.endpoint]).observe(took);
    }
    Ok(Finished { job, verdict: written.then_some(verdict) })
}

fn count(metrics: &Metrics, endpoint: &str, outcome: &Outcome) {
    // Bounded: classes of status, and the few that mean something to us.
    let result = match outcome {
        Outcome::Answered { status: 200..=299, .. } => "delivered",
        Outcome::Answered { status: 300..=399, .. } => "redirect",
        Outcome::Answered { status: GONE, .. } => "gone",
        Outcome::Answered { status: 429, .. } => "throttled",
        Outcome::Answered { status: 400..=499, .. } => "client_error",
        Outcome::Answered { .. } => "server_error",
        Outcome::Unanswered(fault) => fault.as_str(),
    };
    metrics.attempts.with_label_values(&[endpoint, result]).inc();
}

fn line(job: &Job, endpoint: &str, made: &Attempt, verdict: Verdict, now: i64) -> Delivery {
    let state = match verdict {
        Verdict::Delivered => State::Delivered,
        Verdict::Again(_) => State::Waiting,
        Verdict::GivenUp | Verdict::Gone => State::Failed,
    };
    let status = match made.outcome {
        Outcome::Answered { status, .. } => status,
        Outcome::Unanswered(_) => 0,
    };
    Delivery {
        alert: job.alert.id.clone(),
        seq: job.alert.seq,
        endpoint: endpoint.to_owned(),
        state,
        attempts: job.attempts,
        status,
        detail: made.detail.clone(),
        first_at: job.first_at,
        last_at: now,
        next_at: if let Verdict::Again(at) = verdict { Some(at) } else { None },
    }
}

/// The ledger's line for a transition that is not sent.
pub(crate) fn skipped(job: &Job, endpoint: &str, why: Skip, now: i64) -> Delivery {
    Delivery {
        alert: job.alert.id.clone(),
        seq: job.alert.seq,
        endpoint: endpoint.to_owned(),
        state: State::Skipped,
        attempts: job.attempts,
        status: 0,
        detail: why.as_str().to_owned(),
        first_at: job.first_at,
        last_at: now,
        next_at: None,
    }
}
