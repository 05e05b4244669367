//! dispatch's configuration; `config.default.toml` explains it.

use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{self, AuthConfig, ConfigError, HttpConfig, Wrong};
use gridwarden_runtime::http::SILENCE;
use gridwarden_store::ClickHouseConfig;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// Storms.
    pub storms: StormConfig,
    /// The live stream.
    pub stream: StreamConfig,
}

/// `[storms]`.
#[derive(Clone, Debug, Deserialize)]
pub struct StormConfig {
    /// Alerts a rule may raise in a minute before it is a storm.
    pub per_minute: u32,
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
    /// Longest silence.
    pub heartbeat_s: u32,
}

impl Config {
    /// Checks what types cannot say.
    fn check(&self) -> Result<(), Wrong> {
        let webhooks = &self.webhooks;
        if !(0.0..=1.0).contains(&webhooks.jitter) {
            return Err(Wrong::new("webhooks.jitter", "must lie between 0 and 1"));
        }
        let counts = [
            ("webhooks.timeout_s", webhooks.timeout_s as usize),
            ("webhooks.schedule_s", webhooks.schedule_s.len()),
            ("webhooks.concurrency", webhooks.concurrency),
            ("webhooks.queue", webhooks.queue),
            ("storms.per_minute", self.storms.per_minute as usize),
            ("stream.heartbeat_s", self.stream.heartbeat_s as usize),
        ];
        if Duration::from_secs(u64::from(self.stream.heartbeat_s)) >= SILENCE {
            return Err(Wrong::new(
                "stream.heartbeat_s",
                format!("must stay below {SILENCE:?}, or the stream is cut off"),
            ));
        }
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((key, _)) => Err(Wrong::new(key, "there must be one at least")),
            None => Ok(()),
        }
    }
}

/// Loads the configuration.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    config::load_checked("dispatch", DEFAULTS, file, Config::check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete_and_explained() {
        assert_eq!(config::faults_in_defaults::<Config>(DEFAULTS), Vec::<String>::new());
        let defaults: Config = config::load_with("dispatch", DEFAULTS, None, []).expect("defaults");
        assert_eq!(defaults.webhooks.schedule_s, crate::retry::SCHEDULE_S);
        assert_eq!(defaults.check(), Ok(()));
    }

    #[test]
    fn what_could_not_work_is_named() {
        let wrong = |change: fn(&mut Config)| {
            let mut config: Config = config::load_with("dispatch", DEFAULTS, None, []).expect("defaults");
            change(&mut config);
            config.check().expect_err("wrong").key
        };
        assert_eq!(wrong(|config| config.webhooks.jitter = -0.1), "webhooks.jitter");
        assert_eq!(wrong(|config| config.webhooks.jitter = f64::NAN), "webhooks.jitter");
        assert_eq!(wrong(|config| config.webhooks.schedule_s.clear()), "webhooks.schedule_s");
        assert_eq!(wrong(|config| config.webhooks.queue = 0), "webhooks.queue");
        assert_eq!(wrong(|config| config.stream.heartbeat_s = 120), "stream.heartbeat_s");
    }
}
