//! End-to-end tests: one binary, one module per promise. `README.md` beside this folder says which test proves what.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stderr, reason = "a test talks to whoever runs it")]
#![allow(unreachable_pub, reason = "modules of one test binary, which nobody uses from outside")]

mod archive;
mod bus;
mod chaos;
mod city;
mod conservation;
mod console;
mod dispatch;
mod gateway;
mod grafana;
mod la;
mod mapping;
mod objects;
mod poison;
mod stream;
mod support;
mod up;
