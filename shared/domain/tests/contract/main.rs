//! The contract, tested from outside: schemas and examples, malformed messages, real input.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod agreement;
mod asyncapi;
mod examples;
mod los_angeles;
mod malformed;
mod normal;
mod reading;
mod schemas;
mod written;
