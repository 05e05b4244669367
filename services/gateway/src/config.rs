//! The gateway's configuration; `config.default.toml` explains it.

use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{self, AuthConfig, ConfigError, HttpConfig};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The embedded defaults.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// Everything the gateway is told.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Where it listens.
    pub http: HttpConfig,
    /// Where it writes.
    pub kafka: KafkaConfig,
    /// The city folder.
    pub city: CityConfig,
    /// The administrator.
    #[serde(default)]
    pub auth: AuthConfig,
    /// What requests may take.
    pub limits: Limits,
    /// Remembered answers.
    pub idempotency: IdempotencyConfig,
}

/// `[city]`.
#[derive(Clone, Debug, Deserialize)]
pub struct CityConfig {
    /// Folder with `city.toml`.
    pub folder: PathBuf,
}

/// `[limits]`.
#[derive(Clone, Debug, Deserialize)]
pub struct Limits {
    /// Longest single body.
    pub single_bytes: usize,
    /// Longest batch.
    pub batch_bytes: usize,
    /// Most lines of a batch.
    pub batch_lines: usize,
    /// How long a body may take to arrive.
    pub body_timeout_s: u32,
    /// Requests at once.
    pub in_flight: usize,
    /// Requests at once per feed.
    pub in_flight_per_feed: usize,
    /// Memory for bodies.
    pub body_mib: u32,
    /// How long Kafka may take.
    pub acknowledge_s: u32,
}

/// `[idempotency]`.
#[derive(Clone, Debug, Deserialize)]
pub struct IdempotencyConfig {
    /// Answers kept.
    pub keep: usize,
    /// How long.
    pub ttl_s: u32,
    /// How long a second request waits for the first.
    pub wait_s: u32,
}

/// Loads the configuration.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    config::load("gateway", DEFAULTS, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete_and_explained() {
        assert_eq!(config::faults_in_defaults::<Config>(DEFAULTS), Vec::<String>::new());
        config::load_with::<Config>("gateway", DEFAULTS, None, []).expect("defaults");
    }
}
