//! The gateway's configuration; `config.default.toml` explains it.

use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{self, AuthConfig, ConfigError, HttpConfig, Wrong};
use gridwarden_runtime::http::SILENCE;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The embedded defaults.
pub const DEFAULTS: &str = include_str!("config.default.toml");

const MIB: usize = 1 << 20;
/// Longest value whose record fits into the topics' `max.message.bytes` of 1 MiB with key, headers and what Kafka adds.
const LONGEST_RECORD: usize = MIB - 8 * 1024;

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
    /// Memory for them.
    pub keep_mib: u32,
    /// How long.
    pub ttl_s: u32,
    /// How long a second request waits for the first.
    pub wait_s: u32,
}

impl Config {
    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), Wrong> {
        self.limits.check()?;
        let silent = Duration::from_secs(u64::from(self.limits.acknowledge_s) + u64::from(self.idempotency.wait_s));
        if silent >= SILENCE {
            let why = format!(
                "together with idempotency.wait_s it must stay below {SILENCE:?}, else nobody hears the answer"
            );
            return Err(Wrong::new("limits.acknowledge_s", why));
        }
        Ok(())
    }
}

impl Limits {
    /// No limit may refuse everything.
    fn check(&self) -> Result<(), Wrong> {
        let counts = [
            ("limits.single_bytes", self.single_bytes),
            ("limits.batch_bytes", self.batch_bytes),
            ("limits.batch_lines", self.batch_lines),
            ("limits.body_timeout_s", self.body_timeout_s as usize),
            ("limits.in_flight", self.in_flight),
            ("limits.in_flight_per_feed", self.in_flight_per_feed),
            ("limits.acknowledge_s", self.acknowledge_s as usize),
        ];
        if let Some((key, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(Wrong::new(key, "0 would refuse everything"));
        }
        // Kafka would refuse it each time, and the client would send it again each time.
        if self.single_bytes > LONGEST_RECORD {
            let why = format!("the topics take records of at most {LONGEST_RECORD} bytes");
            return Err(Wrong::new("limits.single_bytes", why));
        }
        let needed_mib = self.batch_bytes.max(self.single_bytes).saturating_mul(2).div_ceil(MIB);
        if (self.body_mib as usize) < needed_mib {
            let why = format!("one packed body of the longest kind needs {needed_mib} MiB, packed and unpacked");
            return Err(Wrong::new("limits.body_mib", why));
        }
        Ok(())
    }
}

/// Loads the configuration.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    config::load_checked("gateway", DEFAULTS, file, Config::check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete_and_explained() {
        assert_eq!(config::faults_in_defaults::<Config>(DEFAULTS), Vec::<String>::new());
        let defaults = config::load_with::<Config>("gateway", DEFAULTS, None, []).expect("defaults");
        assert_eq!(defaults.check(), Ok(()));
    }

    #[test]
    fn limits_that_would_refuse_everything_are_named() {
        let config = config::load_with::<Config>("gateway", DEFAULTS, None, []).expect("defaults");
        let defaults = config.limits.clone();
        let refused = |limits| Config { limits, ..config.clone() }.check().map_err(|wrong| wrong.key);
        assert_eq!(refused(Limits { acknowledge_s: 110, ..defaults.clone() }), Err("limits.acknowledge_s"));
        assert_eq!(refused(Limits { batch_lines: 0, ..defaults.clone() }), Err("limits.batch_lines"));
        assert_eq!(refused(Limits { single_bytes: 1 << 20, ..defaults.clone() }), Err("limits.single_bytes"));
        assert_eq!(refused(Limits { body_mib: 31, ..defaults.clone() }), Err("limits.body_mib"));
        assert_eq!(refused(Limits { body_mib: 32, ..defaults }), Ok(()));
    }

    #[test]
    fn the_topics_take_what_the_gateway_takes() {
        for spec in gridwarden_bus::topics::table() {
            if ["observations.v1", "reports.v1"].contains(&spec.name.as_str()) {
                assert_eq!(spec.max_message_bytes, u32::try_from(MIB).ok(), "{}", spec.name);
            }
        }
    }
}
