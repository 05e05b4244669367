//! Takes transitions as they are read: to the board, and to the couriers of the endpoints that are to have them.

use crate::alerts::Admission;
use crate::board::Board;
use crate::courier;
use crate::decide::{Arrived, Decision, Times};
use crate::endpoint::Target;
use crate::intake::{Handed, Read};
use crate::ledger_log::LedgerLog;
use crate::metrics::Metrics;
use crate::queue::Job;
use crate::storm::Storms;
use crate::storm_table::Pending;
use anyhow::Result;
use gridwarden_domain::alert::Transition;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::health::Health;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// An endpoint and the way to its courier.
pub struct Way {
    /// The endpoint.
    pub target: Arc<Target>,
    /// Its courier's inbox; couriers empty it at once, whatever their endpoint does.
    pub jobs: mpsc::Sender<Job>,
}

/// The router.
pub struct Router {
    /// Shared state.
    pub board: Arc<Board>,
    /// Endpoints.
    pub ways: Vec<Way>,
    /// The ledger.
    pub log: LedgerLog,
    /// Figures.
    pub metrics: Metrics,
    /// Age beyond which history is left alone.
    pub max_age_ms: i64,
    /// Ready once the history is read.
    pub health: Health,
    /// Rules that raise more than people can look at.
    pub storms: Storms,
    /// Storms on their way to ClickHouse.
    pub pending: Arc<Pending>,
    /// Whether what the topic held at the start is read.
    pub caught_up: bool,
}

/// How often it is looked whether storms are over.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Router {
    /// Works until the reader ends.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Handed>) -> Result<()> {
        let mut often = tokio::time::interval(LOOK_EVERY);
        loop {
            let handed = tokio::select! {
                handed = inbox.recv() => match handed {
                    Some(handed) => handed,
                    None => return Ok(()),
                },
                // History is not over before it is read.
                _ = often.tick(), if self.caught_up => {
                    self.look_at_storms().await;
                    continue;
                }
            };
            for read in &handed.reads {
                self.take(read, handed.live).await;
            }
            if handed.caught_up {
                self.look_at_storms().await;
            }
            self.caught_up |= handed.caught_up;
            self.metrics.open.set(i64::try_from(self.board.open_count()).unwrap_or(i64::MAX));
            if handed.caught_up && !handed.live {
                tracing::info!(open = self.board.open_count(), "alerts read");
                self.health.set_ready(true, "");
            }
        }
    }

    async fn take(&mut self, read: &Read, live: bool) {
        let Admission::New { highest_seq } = self.board.admit(&read.alert, live) else {
            self.metrics.alerts.with_label_values(&["known"]).inc();
            return;
        };
        self.metrics.alerts.with_label_values(&["new"]).inc();
        let held_back = self.storms.count(&read.alert, read.appended_ms);
        self.hand_out(read, (highest_seq, held_back)).await;
    }

    /// Tells of storms, as of alerts; they stand in no topic.
    async fn look_at_storms(&mut self) {
        let now = now_ms();
        let look = self.storms.look(now);
        for notice in look.notices {
            let (rule, count) = (&notice.rule, notice.value.unwrap_or_default());
            match notice.transition {
                Transition::Raised => tracing::warn!(rule, limit = notice.level, "a storm: alerts are held back"),
                _ => tracing::warn!(rule, held_back = count, "the storm is over"),
            }
            // What history tells is as old as it is.
            let appended_ms = if self.caught_up { now } else { notice.time };
            let read = Read { alert: Arc::new(notice), appended_ms };
            let Admission::New { highest_seq } = self.board.admit(&read.alert, self.caught_up) else { continue };
            self.hand_out(&read, (highest_seq, false)).await;
        }
        self.pending.note(look.stands);
        self.metrics.storms.set(i64::try_from(self.storms.going_on()).unwrap_or(i64::MAX));
    }

    async fn hand_out(&self, read: &Read, (highest_seq, held_back): (u32, bool)) {
        let arrived = Arrived { alert: &read.alert, appended_ms: read.appended_ms, highest_seq, held_back };
        for way in &self.ways {
            let times = Times { now_ms: now_ms(), max_age_ms: self.max_age_ms };
            let decision = self.board.decide(&arrived, &way.target, times);
            self.act(way, read, decision, times.now_ms).await;
        }
    }

    async fn act(&self, way: &Way, read: &Read, decision: Decision, now: i64) {
        let (alert, appended_ms) = (Arc::clone(&read.alert), read.appended_ms);
        match decision {
            Decision::Done => {}
            Decision::Send { attempts, first_at, not_before } => {
                let first_at = first_at.unwrap_or(now);
                let job = Job { alert, appended_ms, attempts, first_at, due_ms: not_before };
                // Closed only when the shutdown has ended the courier; the job is found again at the next start.
                way.jobs.send(job).await.ok();
            }
            Decision::Skip(why) => {
                self.metrics.skipped.with_label_values(&[way.target.id.as_str(), why.as_str()]).inc();
                if why.is_written() {
                    let job = Job { alert, appended_ms, attempts: 0, first_at: now, due_ms: now };
                    self.log.write_soon(&courier::skipped(&job, &way.target.id, why, now));
                }
            }
        }
    }
}
