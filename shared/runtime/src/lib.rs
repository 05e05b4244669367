//! What every service stands on: configuration, telemetry, health, shutdown, the HTTP shell, secrets, the clock.
//!
//! It refuses to know what a service does: no topic, no table, no rule is named here. `city` reads a city folder from disk;
//! what its parts mean is `domain`'s.
//!
//! Invariants:
//! * `CON-1` Whatever a stage reads is something afterwards ([`conservation`]).
//! * `RUN-1` Nothing but [`clock`] asks the machine for the time of day.
//! * `RUN-2` Every task has a name; one that fails ends the process ([`shutdown::Tasks`]).
//! * `RUN-3` A wrong configuration is one sentence: the key, what is wrong, where it came from ([`config`]).
//! * `RUN-4` A secret is never written by `Debug` ([`secrets`]).

pub mod city;
pub mod clock;
pub mod config;
pub mod conservation;
pub mod crashes;
pub mod health;
pub mod http;
pub mod objects;
pub mod priority;
pub mod rasters;
pub mod secrets;
pub mod seeded;
pub mod shutdown;
pub mod telemetry;

pub use prometheus;
