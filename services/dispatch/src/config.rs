//! dispatch's configuration; `config.default.toml` explains it.

use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{self, AuthConfig, ConfigError, HttpConfig};
use gridwarden_store::ClickHouseConfig;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The embedded defaults.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// Everything dispatch is told.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Where it listens.
    pub http: HttpConfig,
    /// Where alerts and the ledger are.
    pub kafka: KafkaConfig,
    /// Where the tables are.
    pub clickhouse: ClickHouseConfig,
    /// The city folder.
    pub city: CityConfig,
    /// The administrator.
    #[serde(default)]
    pub auth: AuthConfig,
    /// How webhooks are sent.
    pub webhooks: WebhookConfig,
    /// The live stream.
    pub stream: StreamConfig,
}

/// `[city]`.
#[derive(Clone, Debug, Deserialize)]
pub struct CityConfig {
    /// Folder with `city.toml`.
    pub folder: PathBuf,
}

/// `[webhooks]`.
#[derive(Clone, Debug, Deserialize)]
pub struct WebhookConfig {
    /// Longest time of one attempt.
    pub timeout_s: u32,
    /// Pauses before each attempt.
    pub schedule_s: Vec<u32>,
    /// Share by which pauses are lengthened.
    pub jitter: f64,
    /// Age beyond which history is left alone.
    pub deliver_max_age_s: u32,
    /// Attempts at once per endpoint.
    pub concurrency: usize,
    /// Transitions waiting per endpoint.
    pub queue: usize,
}

/// `[stream]`.
#[derive(Clone, Debug, Deserialize)]
pub struct StreamConfig {
    /// Events kept for clients that come back.
    pub keep: usize,
}

/// Loads the configuration.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    config::load("dispatch", DEFAULTS, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete_and_explained() {
        assert_eq!(config::faults_in_defaults::<Config>(DEFAULTS), Vec::<String>::new());
        let defaults: Config = config::load_with("dispatch", DEFAULTS, None, []).expect("defaults");
        assert_eq!(defaults.webhooks.schedule_s, crate::retry::SCHEDULE_S);
    }
}
