//! dispatch: brings alerts to those who act. Reads `alerts.v1`, sends webhooks, feeds the live stream, keeps the ledger.
//!
//! It refuses to know how an alert came about, and who a person is; it knows endpoints of `city.toml`.
//!
//! ```text
//!  alerts.v1 ─▶ intake (thread) ─▶ router ─▶ board ─▶ GET /v1/alerts, /v1/alerts/stream
//!                                    │ decide (pure)
//!                                    ├─▶ courier of endpoint A ─▶ sender ─▶ webhook ─▶ deliveries.v1 (the ledger)
//!                                    └─▶ courier of endpoint B …                         │
//!                                    ├─▶ storms (pure) ─▶ pending ─▶ storm table ─▶ ClickHouse
//!  alerts.v1 + deliveries.v1 ─▶ tables (thread) ─▶ ClickHouse ◀──────────────────────────┘
//! ```
//!
//! One dispatch runs per city: it alone writes `deliveries.v1`. Invariants:
//! * `DSP-1` a transition is taken once, whatever repeats in the topic; an alert's state is that of its highest `seq`.
//! * `DSP-2` a delivery that ended stays ended. `DSP-3` an endpoint that said 410 gets nothing more.
//! * `DSP-4` of one alert at one endpoint, transitions go in order: a clear never overtakes its raise.
//! * `DSP-5` what ended is in the ledger before the next transition goes; so nothing is missed, and something is repeated
//!   only after a crash between an endpoint's answer and Kafka's acknowledgement.
//! * `DSP-6` without `allow_private` no connection goes to an address that is not public, whatever DNS says and when.
//! * `DSP-7` secrets, paths and queries of URLs are neither logged nor shown.
//! * `DSP-8` a slow or dead endpoint delays no other. `DSP-9` ClickHouse delays no webhook.
//! * `DSP-10` history read again is braked as it was. `DSP-11` who was told of a storm is known by its id.
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "tests"))]

pub mod address;
pub mod alerts;
pub mod board;
pub mod config;
pub mod courier;
pub mod decide;
pub mod endpoint;
pub mod event;
pub mod http;
pub mod intake;
pub mod ledger;
pub mod ledger_log;
pub mod metrics;
pub mod queue;
pub mod resolver;
pub mod retry;
pub mod ring;
pub mod router;
#[cfg(test)]
mod sample;
pub mod sender;
pub mod signature;
mod start;
pub mod status;
pub mod storm;
pub mod storm_table;
pub mod tables;
pub mod watch;

pub use config::{Config, load as config};
pub use start::run;
