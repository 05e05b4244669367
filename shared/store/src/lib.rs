//! ClickHouse: migrations, typed rows, the block writer and the readers' queries. The only crate that names `clickhouse`.
//!
//! It refuses to know Kafka, clocks of its own, and what the figures mean; it moves rows and says what went wrong and whether
//! trying again can help.
//!
//! ```text
//! rows::*Row ──push──▶ Block<Table> ──insert(token)──▶ BlockWriter ──Native, LZ4──▶ <table>_rows
//!                                                       │ retries: same bytes, own token
//! read::Reader ◀── views (FINAL) ◀──────────────────────┘
//! ```
//!
//! Invariants:
//! * `STO-1` writers write `*_rows`, readers read views; no query in this crate's `read` names a `*_rows` table (tested).
//! * `STO-2` a retry sends the same bytes under an `insert_deduplication_token` of its own: an engine killed at the wrong
//!   moment knows the token of a block it does not have. A token stands for exactly one block.
//! * `STO-3` a block of an archive table holds rows of one append day, so it is one part, there or not; others are refused.
//! * `STO-4` nothing depends on the token alone: every table collapses a row written twice.
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "tests"))]

mod block;
mod config;
mod counts;
mod error;
mod metrics;
mod migrate;
mod native;
pub mod read;
mod rollup;
pub mod rows;
mod writer;

pub use block::{Block, MAX_BLOCK_ROWS};
pub use config::{ClickHouseConfig, ping, wait_ready};
pub use counts::CountsWriter;
pub use error::{Retry, StoreError};
pub use metrics::StoreMetrics;
pub use migrate::{Applied, migrate, pending};
pub use rollup::Rollup;
pub use writer::{BlockWriter, Inserted, WriterOptions};
