//! Configuration: the service's embedded, commented defaults ← `--config FILE` ← environment `GRIDWARDEN_A__B` for `a.b`.
//!
//! A key nobody reads is an error, so is a value of the wrong kind; both are one sentence with the key and its origin
//! (`RUN-3`). Environment variables without `__` (`GRIDWARDEN_LOG`, `GRIDWARDEN_CACHE`) are not configuration. Text from the
//! environment is read as the type the key wants; lists in TOML's notation.

mod check;
mod reader;
mod tree;

pub use check::faults_in_defaults;
pub use tree::Origin;

use crate::secrets::Secret;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tree::Node;

/// Environment variables that begin like this and hold `__` are configuration.
const PREFIX: &str = "GRIDWARDEN_";

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// A text is not TOML.
    #[error("{origin} is not TOML: {why}")]
    Syntax {
        /// Which text.
        origin: Origin,
        /// Where in it and why.
        why: String,
    },
    /// A key nobody reads.
    #[error("{service} knows no configuration key {key} (from {origin})")]
    Unknown {
        /// The service.
        service: String,
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
    },
    /// A value that does not fit.
    #[error("configuration key {key} (from {origin}): {why}")]
    Value {
        /// The key.
        key: String,
        /// Where its value stands.
        origin: Origin,
        /// What is wrong.
        why: String,
    },
    /// A value that must be given.
    #[error("{service}: {why}; give it in the file of --config or in the environment")]
    Missing {
        /// The service.
        service: String,
        /// The key and what it is.
        why: String,
    },
}

/// `[http]`: where a service listens.
#[derive(Clone, Debug, Deserialize)]
pub struct HttpConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
}

/// `[auth]`: the administrator.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AuthConfig {
    /// Bearer token; without one nobody is the administrator.
    #[serde(default)]
    pub admin_token: Option<Secret>,
}

impl AuthConfig {
    /// Whether a request carries the administrator's token.
    pub fn is_admin(&self, headers: &HeaderMap) -> bool {
        self.is_admin_token(crate::http::bearer(headers).unwrap_or_default())
    }

    /// Whether this is the administrator's token.
    pub fn is_admin_token(&self, token: &str) -> bool {
        self.admin_token.as_ref().is_some_and(|secret| secret.matches(token))
    }
}

/// What a type cannot say of a value: the key and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The key, e.g. `limits.rows`.
    pub key: &'static str,
    /// What is wrong with its value.
    pub why: String,
}

impl Wrong {
    /// A value that is wrong.
    pub fn new(key: &'static str, why: impl Into<String>) -> Self {
        Self { key, why: why.into() }
    }
}

/// Loads the configuration of a service.
pub fn load<T: DeserializeOwned>(service: &str, defaults: &'static str, file: Option<&Path>) -> Result<T, ConfigError> {
    load_checked(service, defaults, file, |_| Ok(()))
}

/// The same with a check of what types cannot say; what it finds is told with its origin.
pub fn load_checked<T: DeserializeOwned>(
    service: &str,
    defaults: &'static str,
    file: Option<&Path>,
    check: impl Fn(&T) -> Result<(), Wrong>,
) -> Result<T, ConfigError> {
    let mut environment = Vec::new();
    for (name, value) in std::env::vars_os() {
        // What is not text cannot be one of ours by name, but one of ours may hold it by mistake.
        let Ok(name) = name.into_string() else { continue };
        let value = match value.into_string() {
            Ok(value) => value,
            Err(_) if key_of(&name).is_none() => continue,
            Err(_) => return Err(not_text(name)),
        };
        environment.push((name, value));
    }
    load_checked_with(service, defaults, file, environment, check)
}

fn not_text(variable: String) -> ConfigError {
    let key = key_of(&variable).unwrap_or_default().join(".");
    ConfigError::Value { key, origin: Origin::Environment(variable), why: "its value is not UTF-8".to_owned() }
}

/// The same with a given environment.
pub fn load_with<T: DeserializeOwned>(
    service: &str,
    defaults: &str,
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    load_checked_with(service, defaults, file, environment, |_| Ok(()))
}

fn load_checked_with<T: DeserializeOwned>(
    service: &str,
    defaults: &str,
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    check: impl Fn(&T) -> Result<(), Wrong>,
) -> Result<T, ConfigError> {
    let mut tree = tree::parse(defaults, &Origin::Defaults)?;
    if let Some(path) = file {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|e| ConfigError::Unreadable { path: path.to_owned(), why: e.to_string() })?;
        tree.put(tree::parse(&text, &Origin::File(path.to_owned()))?);
    }
    let mut variables: Vec<_> = environment.into_iter().collect();
    variables.sort();
    for (name, value) in variables {
        if let Some(path) = key_of(&name) {
            let origin = Origin::Environment(name);
            let leaf = Node::Text { text: value, origin: origin.clone() };
            tree.put(path.into_iter().rev().fold(leaf, |inner, key| Node::table(key, inner, origin.clone())));
        }
    }
    let config = reader::read(service, &tree)?;
    check(&config).map_err(|wrong| ConfigError::Value {
        origin: tree.origin_of(wrong.key).clone(),
        key: wrong.key.to_owned(),
        why: wrong.why,
    })?;
    Ok(config)
}

/// `GRIDWARDEN_A__B_C` → `a`, `b_c`.
fn key_of(variable: &str) -> Option<Vec<String>> {
    let rest = variable.strip_prefix(PREFIX)?;
    rest.contains("__").then(|| rest.split("__").map(str::to_lowercase).collect())
}

#[cfg(test)]
mod tests;
