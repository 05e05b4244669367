//! Embedded ClickHouse: `libchdb.so` in a child process of its own that speaks ClickHouse's HTTP interface, so that services
//! use the official client and a real server is a drop-in.
//!
//! ```text
//! client ──HTTP──▶ server ── policy ─┬─▶ select ──▶ lease ──▶ connection ──▶ ffi ──▶ libchdb.so ──▶ folder
//!                    │ request       └─▶ insert ──▶   │
//!                    │ body, encoding                 └ pool, sessions
//!                    └ sql, tokens (what to do)
//! ```
//!
//! It refuses to know tables and what is in them.
//!
//! Invariants:
//! * `ECH-1` listens on a loopback address only; the engine has no users of its own.
//! * `ECH-2` data never stands inside a query's text.
//! * `ECH-3` a connection that saw an error serves nobody else.
//! * `ECH-4` what is acknowledged survives kill -9: every insert is on disk as a part before it is answered.
//! * `ECH-5` no query reads or writes a file, calls out, or ends the process, however it is written; a GET changes nothing.

mod answer;
mod body;
mod connection;
mod diagnosis;
mod encoding;
mod engine;
mod error;
mod ffi;
mod first_database;
mod frames;
mod insert;
mod lease;
pub mod library;
mod lz4_frame;
mod memory;
mod policy;
mod process;
mod request;
mod select;
mod server;
mod session;
mod sql;
mod tokens;

pub use engine::{EngineOptions, run_engine};
pub use memory::environment;
pub use process::{ClickHouseError, ClickHouseOptions, ClickHouseProcess, explain};
