//! console: the read API, the live stream and the pages.
//!
//! It refuses to know how a number came about: areas come from the control topics, numbers from ClickHouse's views. It writes
//! nothing itself: changes of rules are asked of the stream, in the name of who is signed in.
//!
//! ```text
//! layers.v1, registry.v1 ─▶ ControlReader ─▶ atlas (outlines, tiles) ──┐
//! ClickHouse views ─▶ ticker (one look per tick) ─▶ hub ─▶ SSE viewers ├─▶ pages
//!                  ─▶ API (on demand) ─────────────────────────────────┤
//! the stream's API ◀─▶ relay (who may, who it was) ────────────────────┘
//! ```
//!
//! Invariants:
//! * `CON-1` console reads views only and writes nothing.
//! * `CON-2` the session cookie never holds the token ([`session`]).
//! * `CON-3` an area's number holds for one layer version ([`atlas`]).
//! * `CON-4` the number of questions to ClickHouse depends on what is watched, not on how many watch ([`live`]).
//! * `CON-5` a viewer that lags behind is told so and makes nobody wait ([`live`]).
//! * `CON-6` what was known stays shown, with its age, while ClickHouse is away.
//! * `CON-7` whoever may only look changes nothing ([`access`]), and nobody changes rules in another's name ([`relay`]).
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "tests"))]

pub mod access;
pub mod api;
pub mod atlas;
pub mod catalogue;
pub mod config;
pub mod figures;
pub mod fold;
pub mod kpi;
pub mod live;
pub mod looks;
pub mod metric_list;
pub mod metrics;
pub mod pages;
pub mod relay;
pub mod session;
mod start;
pub mod tile_shelf;
pub mod tiles;
pub mod views;
pub mod world;

pub use config::{Config, load as config};
pub use start::run;
