//! Faults to survive: stream and archive under a load, while they and what they stand on are killed, stopped, cut off and told to end
//! again and again; then the oracle says what was lost, counted twice, or said too often.
//!
//! ```text
//!  oracle send ──▶ Kafka ──▶ stream, archive ──▶ door ──▶ ClickHouse        ground    broker, engine and door, on ports they keep
//!                                                                           town      layers and rules, changed under way
//!  schedule   what is done, in a random order that a seed decides           service   one process, and whether it is live
//!  run        does it, waits for everything to come to rest, asks the oracle
//!  selftest   the same with bugs built in on purpose: each must be found
//! ```
//! The oracle is a program of its own (`tests/oracle`) and shares no code with what it judges; this driver knows no right or wrong but
//! what it sees itself: a process that does not come back, a zombie that does not end, an end that is not clean.

mod door;
mod ground;
mod oracle;
mod report;
mod run;
mod schedule;
pub mod selftest;
mod service;
mod town;

pub use ground::Ground;
pub use report::Report;
pub use run::{Plan, run};
pub use schedule::{Counts, Fault};

/// Numbers that look random and are the same for the same seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides.max(1)
    }

    /// Milliseconds below a limit.
    pub(crate) fn below(&mut self, ms: u64) -> std::time::Duration {
        std::time::Duration::from_millis(self.roll(ms))
    }
}
