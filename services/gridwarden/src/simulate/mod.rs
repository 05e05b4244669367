//! `gridwarden simulate`: a made-up city that lives, for the demo, for tests and for trying things out.
//!
//! [`city`] makes the city folder from a seed, [`life`] decides what its entities say and when, [`run`] sends it to Kafka.
//! Everything it sends says that it is simulated, in a header and in its attributes; so do `city.toml` and the city's names.

pub(crate) mod city;
pub(crate) mod life;
mod run;

pub(crate) use run::{SimulateArgs, run};
