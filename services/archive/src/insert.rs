//! Putting blocks into ClickHouse and rejects into their topic, until each is acknowledged.
//!
//! Two blocks of observations may be under way at once: ClickHouse takes each on one thread, and while it sorts one it reads the other.
//! Which comes first is nobody's matter, for what is held is asked for offset by offset (`ARC-1`). All else goes alone: what was sent
//! again is noted before it is archived (`ARC-9`).
//!
//! `ARC-6` a reject's row is written after Kafka has acknowledged the reject, so that a row in ClickHouse means "in both".
//! A crash in between writes it to the topic again, under the same key.
//! `ARC-7` before a block goes out its topics are asked for their ids: what was read under a name belongs to the topic that
//! still has that name, or it goes nowhere.

use crate::blocks::Filled;
use crate::collect::ForTopic;
use crate::metrics::Metrics;
use crate::sources::{changed, passes};
use crate::to_topic::ToTopic;
use anyhow::{Context, Result, bail};
use futures::stream::{FuturesUnordered, StreamExt};
use gridwarden_bus::{sources::Source, topics::Identities};
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
/// Blocks of observations under way at once.
const SIDE_BY_SIDE: usize = 2;
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

    fn errand(&self) -> Errand {
        let at_once = if matches!(self, Self::Observations(_)) { SIDE_BY_SIDE } else { 1 };
        Errand { oldest_ms: self.oldest_ms(), at_once }
    }
}

/// What a block is to others that are under way.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Errand {
    /// Append time of its oldest record.
    oldest_ms: i64,
    /// How many blocks may be under way while it is.
    at_once: usize,
}

/// The blocks under way.
#[derive(Default)]
struct UnderWay(Vec<Errand>);

impl UnderWay {
    fn has_room_for(&self, next: Errand) -> bool {
        self.0.iter().chain([&next]).all(|errand| self.0.len() < errand.at_once)
    }

    fn begin(&mut self, errand: Errand) {
        self.0.push(errand);
    }

    fn end(&mut self, errand: Errand) {
        if let Some(at) = self.0.iter().position(|known| *known == errand) {
            self.0.swap_remove(at);
        }
    }

    fn oldest_ms(&self) -> i64 {
        self.0.iter().map(|errand| errand.oldest_ms).min().unwrap_or(NOTHING_WAITS)
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
    /// Append time of the oldest record of the blocks that are being put away.
    pub(crate) waiting: Arc<AtomicI64>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}

impl Inserter {
    /// Puts blocks away until none comes any more, or until some time after the end began.
    pub(crate) async fn run(self, work: Receiver<Work>) -> Result<()> {
        let late = async {
            self.shutdown.wait().await;
            tokio::time::sleep(LAST).await;
        };
        tokio::select! {
            done = self.all(work) => done,
            () = late => {
                tracing::warn!("blocks were not acknowledged in time; they will be read again");
                Ok(())
            }
        }
    }

    /// Until none comes any more, and each is acknowledged.
    async fn all(&self, mut work: Receiver<Work>) -> Result<()> {
        let (mut blocks, mut under_way) = (FuturesUnordered::new(), UnderWay::default());
        let (mut next, mut more) = (None::<Work>, true);
        loop {
            if let Some(block) = next.take_if(|block| under_way.has_room_for(block.errand())) {
                under_way.begin(block.errand());
                blocks.push(self.put_away(block));
            }
            self.waiting.store(under_way.oldest_ms(), Ordering::Relaxed);
            tokio::select! {
                Some(done) = blocks.next() => under_way.end(done?),
                block = work.recv(), if more && next.is_none() => {
                    more = block.is_some();
                    next = block;
                }
                else => return Ok(()),
            }
        }
    }

    /// Until it is acknowledged.
    async fn put_away(&self, block: Work) -> Result<Errand> {
        let errand = block.errand();
        self.confirm().await?;
        self.put(block).await?;
        Ok(errand)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blocks_of_observations_go_side_by_side_and_all_else_alone() {
        let [first, second, third] = [5, 3, 5].map(|oldest_ms| Errand { oldest_ms, at_once: SIDE_BY_SIDE });
        let alone = Errand { oldest_ms: 4, at_once: 1 };
        let mut under_way = UnderWay::default();
        assert!(
            under_way.has_room_for(first) && under_way.has_room_for(alone) && under_way.oldest_ms() == NOTHING_WAITS
        );
        under_way.begin(first);
        assert!(under_way.has_room_for(second) && !under_way.has_room_for(alone));
        under_way.begin(second);
        assert!(!under_way.has_room_for(third) && under_way.oldest_ms() == 3);
        under_way.end(second);
        assert!(under_way.has_room_for(third) && !under_way.has_room_for(alone) && under_way.oldest_ms() == 5);
        under_way.end(first);
        assert!(under_way.has_room_for(alone));
        under_way.begin(alone);
        assert!(!under_way.has_room_for(first) && under_way.oldest_ms() == 4);
    }
}
