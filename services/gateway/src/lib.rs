//! gateway: observations and reports from outside, by HTTP, into Kafka. Keeps no state but remembered answers.
//!
//! It refuses to know what a record means beyond its contract: no area, no rule, no registry.
//!
//! ```text
//!  POST ─▶ who (feeds) ─▶ room (limits) ─▶ body (bounded) ─▶ once per key (idempotency) ─▶ check (pure) ─▶ writer ─▶ Kafka
//!                                                                                              202 ◀─ acknowledged ─┘
//! ```
//!
//! Invariants:
//! * `GTW-1` tokens are compared by hash, in constant time.
//! * `GTW-2` nothing is written that the topic's readers would reject.
//! * `GTW-3` 202 is said only after Kafka has acknowledged; otherwise the caller is told to send again.
//! * `GTW-4` the same idempotency key with the same body makes no second record, within one process's memory; with another
//!   body it is refused.
//! * `GTW-5` no body is read, unpacked or answered without a limit.
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "tests"))]

pub mod body;
pub mod check;
pub mod config;
pub mod feeds;
pub mod http;
pub mod idempotency;
pub mod limits;
pub mod metrics;
mod start;
pub mod writer;

pub use config::{Config, load as config};
pub use start::{Parts, gateway, run};
