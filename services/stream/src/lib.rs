//! The stream: Kafka → decode → locate → rules and windows → `alerts.v1` and ClickHouse, as one timely dataflow.
//!
//! The only crate that names `timely`. It refuses to know HTTP beyond its own health and the API of rules, how things are archived, and where alerts go.
//!
//! ```text
//!  pipeline   wires    source (reads, one per worker) ──▶ owner (windows, one per worker)
//!  source     asks     intake: decode, admit, place, rules, deltas        pure, borrowed
//!  owner      asks     windows: apply, close, emit                        pure
//!  intake     asks     rules: threshold, fence · watermark · intern      pure
//!  http       asks     shelf: versions of rules, what may be written next    pure · explain · backtest
//!  cluster, company     several processes as one stream
//!  sink, alerts        take rows and alerts away, off the workers' threads
//! ```
//! A restarted stream goes on from its newest checkpoint (see [`checkpoint`]), without one from the beginning of its logs, and where those
//! no longer hold what it needs from the archive (see [`rebuild`]): rows carry versions that only rise with truth, alerts the same
//! ids as before.
//!
//! Invariants (each stands where it holds and is tested there): `SHD-1` shards, `WIN-1…3` windows, `WMK-1…2` clocks,
//! `RUL-1…3` rules, `BKT-1…4` rules tried on the past, `INT-1…3` intake, `CKP-1…6` checkpoints, `REC-1…4` counting again, `WDG-1` the watchdog,
//! `CLU-1…3` clusters, `RBD-1…5` state from the archive, `AHD-1` reading what is ahead, `SHF-1…3` the shelf of rules.

mod alerts;
mod backtest;
mod beginning;
mod beside;
mod cadence;
mod checkpoint;
mod cluster;
mod company;
mod config;
#[cfg(test)]
mod counting;
pub mod crossings;
mod ends;
mod explain;
mod feeds;
mod http;
mod intake;
mod intern;
mod metrics;
mod owner;
mod pipeline;
mod prepare;
mod rebuild;
mod recompute;
mod restored;
mod rollups;
mod rules;
mod shard;
mod shared;
pub mod shelf;
mod sink;
mod source;
pub mod stages;
mod start;
mod table_order;
mod together;
mod wake;
mod watchdog;
mod watermark;
mod windows;

pub use backtest::{
    Against, Asked, Candidates, Change, Count, Episode, Incident, OfArea, OfRule, Outcome, Sign, Source, Told, Totals,
    Unseen, What, backtest,
};
pub use config::{CitySection, ClusterSection, Config, StreamSection, config};
pub use explain::{Explained, explain};
pub use recompute::{Done, Span, Wanted, recompute};
pub use start::run;
