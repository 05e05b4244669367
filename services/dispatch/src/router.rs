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
use anyhow::Result;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::health::Health;
use std::sync::Arc;
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
}

impl Router {
    /// Works until the reader ends.
    pub async fn run(self, mut inbox: mpsc::Receiver<Handed>) -> Result<()> {
        while let Some(handed) = inbox.recv().await {
            for read in &handed.reads {
                self.take(read, handed.live).await;
            }
            self.metrics.open.set(i64::try_from(self.board.open_count()).unwrap_or(i64::MAX));
            if handed.caught_up && !handed.live {
                tracing::info!(open = self.board.open_count(), "alerts read");
                self.health.set_ready(true, "");
            }
        }
        Ok(())
    }

    async fn take(&self, read: &Read, live: bool) {
        let Admission::New { highest_seq } = self.board.admit(&read.alert, live) else {
            self.metrics.alerts.with_label_values(&["known"]).inc();
            return;
        };
        self.metrics.alerts.with_label_values(&["new"]).inc();
        let arrived = Arrived { alert: &read.alert, appended_ms: read.appended_ms, highest_seq };
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
