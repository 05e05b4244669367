//! Putting blocks into ClickHouse and rejects into their topic, one after the other, until each is acknowledged.
//!
//! `ARC-6` a reject's row is written after Kafka has acknowledged the reject, so that a row in ClickHouse means "in both".
//! A crash in between writes it to the topic again, under the same key.
//! `ARC-7` before a block goes out its topics are asked for their ids: what was read under a name belongs to the topic that
//! still has that name, or it goes nowhere.

use crate::blocks::Filled;
use crate::collect::ForTopic;
use crate::metrics::Metrics;
use crate::sources::{Source, changed, passes};
use crate::to_topic::ToTopic;
use anyhow::{Context, Result, bail};
use gridwarden_bus::topics::Identities;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::seeded::seeded;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::rows::{Gaps, Markers, Observations, Rejects, Replays, Reports, Table};
use gridwarden_store::{BlockWriter, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;

/// How long an insert may take before the archive says that ClickHouse does not take its blocks.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long what was read may still be put away once the end has begun.
const LAST: Duration = Duration::from_secs(4);
/// Pause between questions Kafka does not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// A block to put away.
pub(crate) enum Work {
    Observations(Filled<Observations>),
    Reports(Filled<Reports>),
    Rejects(Filled<Rejects>, Vec<ForTopic>),
    Markers(Filled<Markers>),
    Gaps(Filled<Gaps>),
    Replays(Filled<Replays>),
}

impl Work {
    /// Append time of its oldest record.
    fn oldest_ms(&self) -> i64 {
        match self {
            Self::Observations(filled) => filled.oldest_ms,
            Self::Reports(filled) => filled.oldest_ms,
            Self::Rejects(filled, _) => filled.oldest_ms,
            Self::Markers(filled) => filled.oldest_ms,
            Self::Gaps(filled) => filled.oldest_ms,
            Self::Replays(filled) => filled.oldest_ms,
        }
    }
}

/// Nothing waits.
pub(crate) const NOTHING_WAITS: i64 = i64::MAX;

/// Where blocks go.
pub(crate) struct Inserter {
    pub(crate) writer: BlockWriter,
    pub(crate) to_topic: ToTopic,
    pub(crate) identities: Arc<Identities>,
    pub(crate) sources: Arc<Vec<Source>>,
    /// Append time of the oldest record of the block that is being put away.
    pub(crate) waiting: Arc<AtomicI64>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}

impl Inserter {
    /// Puts blocks away until none comes any more, or until some time after the end began.
    pub(crate) async fn run(self, mut work: Receiver<Work>) -> Result<()> {
        let late = async {
            self.shutdown.wait().await;
            tokio::time::sleep(LAST).await;
        };
        let all = async {
            while let Some(next) = work.recv().await {
                self.waiting.store(next.oldest_ms(), Ordering::Relaxed);
                self.confirm().await?;
                self.put(next).await?;
                self.waiting.store(NOTHING_WAITS, Ordering::Relaxed);
            }
            Ok(())
        };
        tokio::select! {
            done = all => done,
            () = late => {
                tracing::warn!("blocks were not acknowledged in time; they will be read again");
                Ok(())
            }
        }
    }

    /// `ARC-7`. Waits while Kafka is away: nothing new is read then either.
    async fn confirm(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let (identities, sources) = (Arc::clone(&self.identities), Arc::clone(&self.sources));
            let asked = tokio::task::spawn_blocking(move || changed(&identities, &sources));
            match asked.await.context("a blocking task ended early")? {
                Ok(None) => return Ok(()),
                Ok(Some(words)) => bail!("{words}; what was read is not archived, start again"),
                Err(error) if passes(&error, begun) => {
                    self.health.set_part("kafka", false, &format!("blocks wait: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error).context("the topics that were read"),
            }
        }
    }

    async fn put(&self, work: Work) -> Result<()> {
        match work {
            Work::Observations(filled) => self.rows("observations", "observations_rows", &filled).await,
            Work::Reports(filled) => self.rows("reports", "reports_rows", &filled).await,
            Work::Gaps(filled) => self.insert("gaps_rows", &filled).await,
            Work::Replays(filled) => {
                self.insert("replays_rows", &filled).await?;
                // Those that count are settled with their own rows.
                self.metrics.duplicate.inc_by(filled.late);
                self.settled(filled.late as usize);
                Ok(())
            }
            Work::Markers(filled) => {
                self.insert("markers_rows", &filled).await?;
                self.metrics.marker.inc_by(filled.block.rows() as u64);
                self.settled(filled.block.rows());
                Ok(())
            }
            Work::Rejects(filled, rejects) => {
                self.to_topic.send(&rejects, &self.health).await?;
                self.insert("rejects_rows", &filled).await?;
                for sent in &rejects {
                    self.metrics.rejected.with_label_values(&[sent.reject.reason.code.as_str()]).inc();
                }
                self.settled(filled.block.rows());
                Ok(())
            }
        }
    }

    async fn rows<T: Table>(&self, label: &str, table: &str, filled: &Filled<T>) -> Result<()> {
        self.insert(table, filled).await?;
        let rows = filled.block.rows() as u64;
        self.metrics.late.with_label_values(&[label]).inc_by(filled.late);
        self.metrics.accepted.with_label_values(&[label]).inc_by(rows.saturating_sub(filled.late));
        self.settled(filled.block.rows());
        Ok(())
    }

    fn settled(&self, rows: usize) {
        self.metrics.in_flight.sub(i64::try_from(rows).unwrap_or(i64::MAX));
    }

    /// Inserts, and says so when that takes long. The writer retries by itself.
    async fn insert<T: Table>(&self, table: &str, filled: &Filled<T>) -> Result<()> {
        let token = filled.token(table);
        let insert = self.writer.insert(&filled.block, &token);
        tokio::pin!(insert);
        let done: Result<_, StoreError> = loop {
            tokio::select! {
                done = &mut insert => break done,
                () = tokio::time::sleep(PATIENCE) => {
                    if seeded("insert-given-up") {
                        return Ok(());
                    }
                    self.health.set_part("clickhouse", false, "it does not take blocks; reading waits");
                }
            }
        };
        done.with_context(|| format!("a block for {table} was refused"))?;
        self.health.set_part("clickhouse", true, "");
        Ok(())
    }
}
