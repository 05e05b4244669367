//! The embedded engine, with the real library and the official client. One engine serves all tests that do not end it.
//!
//! Without the library (`infra/embedded/fetch-clickhouse.sh`) the tests say so and pass; with `CI=true` they fail.
#![allow(clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod client;
mod engine;
mod http;
mod life;
mod rows;
mod store;
