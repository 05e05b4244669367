//! The block writer: sends a block until ClickHouse has it, or says why it never will.
//!
//! Back-pressure is the caller's `await`: while ClickHouse is away, `insert` waits between attempts and does not return.
//! Dropping the future stops it; the block may or may not have been taken then, and sending it again is harmless
//! (`STO-2`, `STO-4`).

use crate::{
    block::{Block, MAX_BLOCK_ROWS},
    config::ClickHouseConfig,
    error::StoreError,
    metrics::StoreMetrics,
    rows::Table,
};
use bytes::Bytes;
use clickhouse::Client;
use rand::RngExt;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes sent at once, raw: small enough to be packed in cache, where they are packed, large enough to be worth a frame.
const FRAME_BYTES: usize = 1 << 20;

/// How the writer waits.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Longest time for one attempt's answer.
    pub answer_within: Duration,
    /// First pause after a failure; doubles with each further one.
    pub pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
    /// When to give up a block with its last error; `None`: never, as long as trying again can help.
    pub patience: Option<Duration>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            answer_within: Duration::from_secs(60),
            pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
            patience: None,
        }
    }
}

/// What it took to insert a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inserted {
    /// Rows of the block.
    pub rows: usize,
    /// Attempts, 1 when the first went through.
    pub attempts: u32,
    /// From the first attempt to the acknowledgement.
    pub took: Duration,
}

/// Inserts blocks. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct BlockWriter {
    client: Client,
    options: WriterOptions,
    metrics: StoreMetrics,
    /// Tells this writer's tokens from those of all others.
    run: u64,
}

impl BlockWriter {
    /// A writer into the configured database. Connects with the first block.
    pub fn new(config: &ClickHouseConfig, options: WriterOptions, metrics: StoreMetrics) -> Self {
        let client = config
            .client()
            // The answer must mean "the part is there".
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplicate", "1")
            // One insert, one part, whatever the user's profile says: read by one thread, cut neither at a number of rows
            // nor at 256 MB …
            .with_setting("max_insert_threads", "1")
            .with_setting("input_format_parallel_parsing", "0")
            .with_setting("max_insert_block_size", "1048576")
            .with_setting("min_insert_block_size_rows", "1048576")
            .with_setting("min_insert_block_size_bytes", "0")
            // Rows that collapse do so when parts are merged; looking for them in each block cost a fifth of the insert.
            .with_setting("optimize_on_insert", "0")
            // … and a replay may touch years of windows in one block.
            .with_setting("max_partitions_per_insert_block", "0");
        Self { client, options, metrics, run: rand::rng().random() }
    }

    /// Inserts `block` under `token`, which must be a function of exactly these rows: another block of this writer under a
    /// token already seen would be acknowledged and thrown away (`STO-2`). An empty block is acknowledged at once.
    pub async fn insert<T: Table>(&self, block: &Block<T>, token: &str) -> Result<Inserted, StoreError> {
        if block.rows() > MAX_BLOCK_ROWS {
            return Err(StoreError::Caller("a block may hold 1,000,000 rows at most"));
        }
        if block.is_mixed() {
            return Err(StoreError::Caller("a block of this table holds rows of one append day only"));
        }
        if token.is_empty() {
            return Err(StoreError::Caller("a block needs a token"));
        }
        if block.is_empty() {
            let took = Duration::ZERO;
            return Ok(Inserted { rows: 0, attempts: 0, took });
        }
        self.metrics.in_flight.inc();
        let _in_flight = Leave(&self.metrics);
        let done = self.until_taken(block, token).await?;
        self.count(block, done);
        Ok(done)
    }

    async fn until_taken<T: Table>(&self, block: &Block<T>, token: &str) -> Result<Inserted, StoreError> {
        let begun = Instant::now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let token = attempt_token(token, self.run, attempts);
            let client = self.client.clone().with_setting("insert_deduplication_token", token);
            let Err(error) = self.attempt(&client, block).await else {
                return Ok(Inserted { rows: block.rows(), attempts, took: begun.elapsed() });
            };
            let out_of_patience = self.options.patience.is_some_and(|limit| begun.elapsed() >= limit);
            if !error.retry().can_help() || out_of_patience {
                self.metrics.refused.inc();
                return Err(error);
            }
            let pause = self.pause_after(attempts);
            self.metrics.retries.with_label_values(&[error.kind()]).inc();
            tracing::warn!(table = T::NAME, attempts, rows = block.rows(), ?pause, %error, "insert failed, will try again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt<T: Table>(&self, client: &Client, block: &Block<T>) -> Result<(), StoreError> {
        let columns: Vec<&str> = T::COLUMNS.iter().map(|(name, _)| *name).collect();
        let sql = format!("INSERT INTO {} ({}) FORMAT Native", T::NAME, columns.join(", "));
        let limit = Some(self.options.answer_within);
        let mut insert = client.insert_formatted_with(sql).with_timeouts(limit, limit);
        // Packed anew in each attempt, if at all: retries are rare, and the bytes the engine sees are the same.
        let mut frame = Vec::with_capacity(FRAME_BYTES);
        for piece in block.pieces() {
            let mut rest = &*piece;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(FRAME_BYTES - frame.len()));
                frame.extend_from_slice(now);
                rest = later;
                if frame.len() == FRAME_BYTES {
                    let whole = std::mem::replace(&mut frame, Vec::with_capacity(FRAME_BYTES));
                    insert.send(Bytes::from(whole)).await?;
                }
            }
        }
        if !frame.is_empty() {
            insert.send(Bytes::from(frame)).await?;
        }
        Ok(insert.end().await?)
    }

    /// Doubling pause, between half and all of it, so that writers that failed together do not come back together.
    fn pause_after(&self, attempts: u32) -> Duration {
        let doubled = self.options.pause.saturating_mul(1 << attempts.saturating_sub(1).min(16));
        let whole = doubled.min(self.options.longest_pause);
        whole.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    fn count<T: Table>(&self, block: &Block<T>, done: Inserted) {
        let table = &[T::NAME];
        self.metrics.rows.with_label_values(table).inc_by(block.rows() as u64);
        self.metrics.bytes.with_label_values(table).inc_by(block.size() as u64);
        self.metrics.blocks.with_label_values(table).inc();
        self.metrics.seconds.observe(done.took.as_secs_f64());
    }
}

/// The token of one attempt. The engine notes a token before the part is there: killed in between, it would acknowledge the
/// same token later and throw the rows away (seen: one block of thirty, once in some fifty kills). So no token is sent again
/// after an attempt that failed, nor by another writer; rows that come twice this way collapse (`STO-4`).
fn attempt_token(token: &str, run: u64, attempt: u32) -> String {
    format!("{token}/{run:016x}/{attempt}")
}

/// Takes the block off the gauge, also when the caller drops the future.
struct Leave<'m>(&'m StoreMetrics);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::attempt_token;

    #[test]
    fn no_attempt_has_the_token_of_another() {
        let tokens = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)].map(|(run, attempt)| attempt_token("t", run, attempt));
        for (place, token) in tokens.iter().enumerate() {
            assert!(token.starts_with("t/") && !tokens[..place].contains(token), "{token}");
        }
    }
}
