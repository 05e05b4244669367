//! Where ClickHouse is, and whether it answers.

use crate::error::StoreError;
use clickhouse::{Client, Compression};
use serde::Deserialize;
use std::{fmt, time::Duration};
use tokio::time::Instant;
use url::{Host, Url};

/// How often [`wait_ready`] asks.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Section `[clickhouse]` of every service that reads or writes.
#[derive(Deserialize, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ClickHouseConfig {
    /// Base URL of the HTTP interface, e.g. `http://127.0.0.1:8123`.
    pub url: String,
    /// Database; created by [`crate::migrate`] when missing.
    pub database: String,
    /// User; the server's default one when empty.
    #[serde(default)]
    pub user: String,
    /// Password, already resolved from wherever it is kept.
    #[serde(default)]
    pub password: String,
}

impl fmt::Debug for ClickHouseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClickHouseConfig")
            .field("url", &self.url)
            .field("database", &self.database)
            .field("user", &self.user)
            .field("password", &"***")
            .finish()
    }
}

impl ClickHouseConfig {
    /// A client of the configured database.
    pub(crate) fn client(&self) -> Client {
        self.server().with_database(&self.database)
    }

    /// A client of the server that names no database: for creating it.
    pub(crate) fn server(&self) -> Client {
        let compression = if self.is_here() { Compression::None } else { Compression::Lz4 };
        let mut client = Client::default()
            .with_url(&self.url)
            .with_compression(compression)
            .with_product_info("gridwarden", env!("CARGO_PKG_VERSION"));
        if !self.user.is_empty() {
            client = client.with_user(&self.user);
        }
        if !self.password.is_empty() {
            client = client.with_password(&self.password);
        }
        client
    }

    /// Whether it is on this machine, where bytes cost less than packing them: a tenth of what reading the archive takes.
    fn is_here(&self) -> bool {
        match Url::parse(&self.url).ok().as_ref().and_then(Url::host) {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }
}

/// Asks the server for one answer. Says nothing about the database.
pub async fn ping(config: &ClickHouseConfig) -> Result<(), StoreError> {
    let one: u8 = config.server().query("SELECT 1").fetch_one().await?;
    debug_assert_eq!(one, 1, "SELECT 1 is 1");
    Ok(())
}

/// Waits until the server answers; gives up after `limit` with the last error.
pub async fn wait_ready(config: &ClickHouseConfig, limit: Duration) -> Result<(), StoreError> {
    let end = Instant::now() + limit;
    loop {
        let answer = tokio::time::timeout_at(end, ping(config)).await;
        let error = match answer {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => StoreError::TimedOut,
        };
        if Instant::now() + ASK_EVERY >= end || !error.retry().can_help() {
            return Err(error);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leaves_the_machine_is_packed() {
        let is_here = |url: &str| {
            let (url, none) = (url.to_owned(), String::new());
            ClickHouseConfig { url, database: none.clone(), user: none.clone(), password: none }.is_here()
        };
        for here in ["http://127.0.0.1:8123", "http://localhost", "http://[::1]:8123/", "http://127.8.0.1:1/a:2?b"] {
            assert!(is_here(here), "{here}");
        }
        for there in
            ["http://10.0.0.1:8123", "https://localhost.example:8443", "http://[fe80::1]:8123", "http://a/127.0.0.1"]
        {
            assert!(!is_here(there), "{there}");
        }
    }

    #[test]
    fn debug_hides_the_password() {
        let config = ClickHouseConfig {
            url: "http://127.0.0.1:1".into(),
            database: "g".into(),
            user: "u".into(),
            password: "hunter2".into(),
        };
        let text = format!("{config:?}");
        assert!(text.contains("***") && !text.contains("hunter2"), "{text}");
    }
}
