//! Alerts and deliveries to ClickHouse: a reader of its own over both topics, so that ClickHouse may be away for as long as
//! it likes without delaying a webhook and without a row being lost; what it has not taken yet stays in Kafka (`DSP-9`).
//!
//! At each start both topics are written again from their beginning; the tables collapse what they know.

use crate::intake;
use crate::ledger_log::{options, whole};
use crate::metrics::Metrics;
use anyhow::{Context, Result};
use gridwarden_bus::{Batch, KafkaConfig, Reader, ReaderOptions, topics};
use gridwarden_domain::delivery::{Delivery, State};
use gridwarden_domain::generation::Fences;
use gridwarden_runtime::prometheus::Registry;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::rows::{AlertRow, Alerts, Deliveries, DeliveryRow, DeliveryState, Table};
use gridwarden_store::{Block, BlockWriter};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Rows of a block.
const BATCH: usize = 10_000;
/// How long rows are gathered for a block: every block is a part that ClickHouse has to merge, and a person who looks at a table
/// does not see half a second.
const GATHER: Duration = Duration::from_millis(500);
/// Pause after an error that trying again at once cannot mend (a table that is not there yet).
const PAUSE: Duration = Duration::from_secs(5);
/// Index of `alerts.v1` among the topics read.
const ALERTS: u16 = 0;

/// The writer of the two tables.
pub struct Tables {
    /// Inserts.
    pub writer: BlockWriter,
    /// Figures.
    pub metrics: Metrics,
    /// The runtime inserts run on; this is a thread beside it.
    pub handle: Handle,
    /// The end.
    pub shutdown: Shutdown,
}

impl Tables {
    /// Reads and writes until the shutdown.
    pub fn run(&self, kafka: &KafkaConfig) -> Result<()> {
        let mut assignments = whole(kafka, topics::ALERTS)?;
        assignments.extend(whole(kafka, topics::DELIVERIES)?);
        let patient =
            ReaderOptions { fetch_least_kib: 64, fetch_wait_ms: 200, ..options("gridwarden-dispatch-tables") };
        let mut reader = Reader::open(kafka, &assignments, &patient)?;
        let mut fences = Fences::default();
        let (mut alerts, mut deliveries, mut begun) = (Block::new(), Block::new(), None);
        while let Some(batch) = intake::poll(&mut reader, BATCH, &self.shutdown)? {
            fill(&batch, &mut fences, &mut alerts, &mut deliveries);
            let rows = alerts.rows() + deliveries.rows();
            if rows == 0 || rows < BATCH && begun.get_or_insert_with(Instant::now).elapsed() < GATHER {
                continue;
            }
            begun = None;
            let both = async {
                self.insert(&alerts, "alerts").await;
                self.insert(&deliveries, "deliveries").await;
            };
            self.handle.block_on(async {
                tokio::select! { () = both => {}, () = self.shutdown.wait() => {} }
            });
            alerts.clear();
            deliveries.clear();
        }
        Ok(())
    }

    /// Inserts a block, however long it takes.
    async fn insert<T: Table>(&self, block: &Block<T>, table: &str) {
        let token = block.digest();
        while let Err(error) = self.writer.insert(block, &token).await {
            self.metrics.table_failures.inc();
            tracing::error!(table, %error, "clickhouse does not take rows, will try again");
            tokio::time::sleep(PAUSE).await;
        }
        self.metrics.table_rows.with_label_values(&[table]).inc_by(block.rows() as u64);
    }
}

/// Adds the rows of a batch. What cannot be read was counted where it is read first.
fn fill(batch: &Batch, fences: &mut Fences, alerts: &mut Block<Alerts>, deliveries: &mut Block<Deliveries>) {
    for record in batch.records() {
        if record.topic == ALERTS {
            if let Some(Ok(alert)) = intake::alert(&record, fences) {
                alerts.push(&AlertRow(&alert));
            }
        } else if let Some(Ok(delivery)) = record.payload.map(serde_json::from_slice::<Delivery>) {
            deliveries.push(&row(&delivery));
        }
    }
}

fn row(delivery: &Delivery) -> DeliveryRow<'_> {
    DeliveryRow {
        alert: &delivery.alert,
        seq: delivery.seq,
        endpoint: &delivery.endpoint,
        state: match delivery.state {
            State::Waiting => DeliveryState::Waiting,
            State::Skipped => DeliveryState::Skipped,
            State::Failed => DeliveryState::Failed,
            State::Delivered => DeliveryState::Delivered,
        },
        attempts: delivery.attempts,
        status: delivery.status,
        detail: &delivery.detail,
        first_ms: delivery.first_at,
        last_ms: delivery.last_at,
        next_ms: delivery.next_at,
    }
}

/// A writer whose failures come back, so that they can be counted.
pub fn writer(config: &gridwarden_store::ClickHouseConfig, registry: &Registry) -> Result<BlockWriter> {
    let metrics = gridwarden_store::StoreMetrics::new(registry).context("store metrics")?;
    Ok(BlockWriter::new(config, gridwarden_store::WriterOptions::default(), metrics))
}
