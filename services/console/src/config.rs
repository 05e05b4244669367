//! console's configuration; `config.default.toml` explains it.

use crate::access::Role;
use crate::session::Lasting;
use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::config::{self, ConfigError, HttpConfig};
use gridwarden_runtime::secrets::Secret;
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
    /// Who may ask.
    #[serde(default)]
    pub auth: AuthConfig,
    /// Who holds the rules.
    pub stream: StreamConfig,
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

/// `[auth]`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AuthConfig {
    /// Bearer token of those who may do everything; without one there is nobody.
    #[serde(default)]
    pub admin_token: Option<Secret>,
    /// Bearer token of those who may look; without one there is nobody.
    #[serde(default)]
    pub viewer_token: Option<Secret>,
}

impl AuthConfig {
    /// The token of a role.
    pub fn token(&self, role: Role) -> Option<&Secret> {
        match role {
            Role::Administrator => self.admin_token.as_ref(),
            Role::Viewer => self.viewer_token.as_ref(),
        }
    }

    /// Whose token this is.
    pub fn role_of(&self, token: &str) -> Option<Role> {
        let roles = [Role::Administrator, Role::Viewer];
        roles.into_iter().find(|role| self.token(*role).is_some_and(|secret| secret.matches(token)))
    }
}

/// `[stream]`.
#[derive(Clone, Debug, Deserialize)]
pub struct StreamConfig {
    /// Base URL of its API; empty: there is none.
    pub url: String,
    /// Its administrator's token; console's own when missing.
    #[serde(default)]
    pub admin_token: Option<Secret>,
    /// Seconds after which an answer is given up.
    pub answer_s: u32,
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
