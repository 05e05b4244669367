//! Putting blocks into ClickHouse and rejects into their topic, one after the other, until each is acknowledged.
//!
//! `ARC-6` a reject's row is written after Kafka has acknowledged the reject, so that a row in ClickHouse means "in both".
//! A crash in between writes it to the topic again, under the same key.

use crate::blocks::Filled;
use crate::metrics::Metrics;
use anyhow::{Context, Result};
use gridwarden_bus::{BusError, Producer, rejects};
use gridwarden_domain::reject::Reject;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::rows::{Markers, Observations, Rejects, Reports, Table};
use gridwarden_store::{BlockWriter, StoreError};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// How long an insert may take before the archive says that ClickHouse does not take its blocks.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long what was read may still be put away once the end has begun.
const LAST: Duration = Duration::from_secs(4);
/// Pause between attempts to write rejects to their topic.
const PAUSE: Duration = Duration::from_millis(500);

/// A block to put away.
pub(crate) enum Work {
    Observations(Filled<Observations>),
    Reports(Filled<Reports>),
    Rejects(Filled<Rejects>, Vec<Reject>),
    Markers(Filled<Markers>),
}

/// Where blocks go.
pub(crate) struct Inserter {
    pub(crate) writer: BlockWriter,
    pub(crate) producer: Producer,
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
                self.put(next).await?;
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

    async fn put(&self, work: Work) -> Result<()> {
        match work {
            Work::Observations(filled) => self.rows("observations", "observations_rows", &filled).await,
            Work::Reports(filled) => self.rows("reports", "reports_rows", &filled).await,
            Work::Markers(filled) => {
                self.insert("markers_rows", &filled).await?;
                self.metrics.marker.inc_by(filled.block.rows() as u64);
                self.settled(filled.block.rows());
                Ok(())
            }
            Work::Rejects(filled, rejects) => {
                self.to_topic(&rejects).await?;
                self.insert("rejects_rows", &filled).await?;
                for reject in &rejects {
                    self.metrics.rejected.with_label_values(&[reject.reason.code.as_str()]).inc();
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

    /// Inserts, and says so when that takes long. The writer retries by itself: same bytes, same token.
    async fn insert<T: Table>(&self, table: &str, filled: &Filled<T>) -> Result<()> {
        let token = filled.token(table);
        let insert = self.writer.insert(&filled.block, &token);
        tokio::pin!(insert);
        let done: Result<_, StoreError> = loop {
            tokio::select! {
                done = &mut insert => break done,
                () = tokio::time::sleep(PATIENCE) => {
                    self.health.set_part("clickhouse", false, "it does not take blocks; reading waits");
                }
            }
        };
        done.with_context(|| format!("a block for {table} was refused"))?;
        self.health.set_part("clickhouse", true, "");
        Ok(())
    }

    async fn to_topic(&self, rejects: &[Reject]) -> Result<()> {
        loop {
            match self.all_to_topic(rejects).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, rejects = rejects.len(), "rejects were not acknowledged, will try again");
                    self.health.set_part("rejects", false, "Kafka does not take rejects; reading waits");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error).context("rejects cannot be written to their topic"),
            }
        }
    }

    async fn all_to_topic(&self, rejects: &[Reject]) -> Result<(), BusError> {
        let mut deliveries = Vec::with_capacity(rejects.len());
        for reject in rejects {
            deliveries.push(rejects::submit(&self.producer, reject).await?);
        }
        for delivery in deliveries {
            delivery.await?;
        }
        self.health.set_part("rejects", true, "");
        Ok(())
    }
}
