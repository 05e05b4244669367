//! What end-to-end tests share: the real binary, one real broker and engine, waiting for conditions, the packs of real input.
//!
//! Knows how to start and stop real parts, nothing of what is right or wrong: that is each test's own.
//!
//! * `TST-1` a test waits for a condition with a deadline, never for an amount of time.
//! * `TST-2` a process a test started is ended with it, also when the test panics.
//! * `TST-3` real input that is not there is skipped loudly, and fails when `CI=true`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what broke by panicking"
)]
#![allow(clippy::print_stderr, reason = "a test talks to whoever runs it")]

pub mod binary;
pub mod chaos;
pub mod http;
pub mod metrics;
pub mod packs;
pub mod parts;
pub mod role;
pub mod up;
pub mod wait;
pub mod wire;
