//! console's configuration; `config.default.toml` explains it.

use crate::session::Lasting;
use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{self, AuthConfig, ConfigError, HttpConfig};
use gridwarden_store::ClickHouseConfig;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The embedded defaults.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// Everything console is told.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Where it listens.
    pub http: HttpConfig,
    /// Where the control topics are.
    pub kafka: KafkaConfig,
    /// Where the numbers are.
    pub clickhouse: ClickHouseConfig,
    /// The city folder.
    pub city: CityConfig,
    /// The administrator.
    #[serde(default)]
    pub auth: AuthConfig,
    /// The live stream.
    pub live: LiveConfig,
    /// What may be asked at once.
    pub limits: LimitConfig,
    /// Sessions of the pages.
    pub session: SessionConfig,
    /// Map tiles.
    pub tiles: TileConfig,
}

/// `[city]`.
#[derive(Clone, Debug, Deserialize)]
pub struct CityConfig {
    /// Folder with `city.toml`.
    pub folder: PathBuf,
}

/// `[live]`.
#[derive(Clone, Debug, Deserialize)]
pub struct LiveConfig {
    /// Milliseconds between two questions to ClickHouse.
    pub tick_ms: u32,
    /// Ticks a viewer may lag behind.
    pub buffer: usize,
}

/// `[limits]`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LimitConfig {
    /// Live streams open at once.
    pub viewers: usize,
    /// Different maps watched at once; each is a question to ClickHouse per tick.
    pub maps: usize,
    /// Seconds after which a question is given up.
    pub answer_s: u32,
}

/// `[session]`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct SessionConfig {
    /// Hours a session lasts that is not used.
    pub hours: u32,
    /// Days after which the token is asked for again.
    pub days: u32,
}

impl From<SessionConfig> for Lasting {
    fn from(config: SessionConfig) -> Self {
        Self { idle_s: i64::from(config.hours) * 3_600, most_s: i64::from(config.days) * 86_400 }
    }
}

/// `[tiles]`.
#[derive(Clone, Debug, Deserialize)]
pub struct TileConfig {
    /// Most tiles kept.
    pub keep: usize,
}

/// Loads the configuration.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    config::load("console", DEFAULTS, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete_and_explained() {
        assert_eq!(config::faults_in_defaults::<Config>(DEFAULTS), Vec::<String>::new());
        let defaults: Config = config::load_with("console", DEFAULTS, None, []).expect("defaults");
        assert_eq!(defaults.live.tick_ms, 1000);
    }
}
