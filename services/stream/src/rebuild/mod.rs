//! State from the archive, where the log no longer holds what comes next: every checkpoint is lost, or the stream was away for longer
//! than the log is kept.
//!
//! ```text
//!  look: begin, end of each log; what is archived ─▶ decide ─▶ log alone, or lanes
//!  feeder (a task per worker): lanes ─▶ slices ─▶ ClickHouse ─▶ chunks ──bounded──▶ source ─▶ the same intake as ever
//! ```
//! Archived records are what the log held, in another encoding: admission, repeats, places, rules, windows and clocks decide on them as on
//! any other, in the order of their partition, with their own append times. A worker's partitions are read through the archive first,
//! then its reader of the logs is opened where each of them stands; a checkpoint in between is a checkpoint like any other.
//!
//! [`decide`] and [`slices`] decide and know neither Kafka nor ClickHouse; [`look`] and [`feeder`] ask.

mod decide;
mod feeder;
mod look;
#[cfg(test)]
mod model;
mod slices;

pub(crate) use feeder::{Ground, Piece, Pieces, feeders};
pub(crate) use look::{Look, Stand};
pub(crate) use slices::{Lane, next_slices};
