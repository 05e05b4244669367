//! Storms for the console: current ones first, then the newest.

use super::Reader;
use crate::error::StoreError;
use clickhouse::Row;
use serde::Deserialize;

/// A storm as it stands.
#[derive(Row, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct StormFound {
    /// Storm id.
    pub id: String,
    /// Rule id.
    pub rule: String,
    /// Severity of the rule.
    pub severity: String,
    /// English title of the rule.
    pub title_en: String,
    /// Chinese title of the rule.
    pub title_zh: String,
    /// Raises that are told in a minute.
    pub per_minute: u32,
    /// Begin of the first minute beyond the limit, epoch ms.
    pub since_ms: i64,
    /// End of the last such minute, epoch ms; none while it goes on.
    pub until_ms: Option<i64>,
    /// Alerts that were not told.
    pub held_back: u64,
    /// Whether it is made up.
    pub simulated: bool,
}

const STORMS: &str = "SELECT id, rule, toString(severity) AS severity, title_en, title_zh, per_minute, \
    toUnixTimestamp64Milli(since) AS since_ms, toUnixTimestamp64Milli(until) AS until_ms, held_back, simulated \
    FROM storms WHERE since >= fromUnixTimestamp64Milli({since:Int64}) OR until IS NULL \
    ORDER BY until IS NULL DESC, since DESC, id LIMIT {limit:UInt32}";

impl Reader {
    /// Storms that go on, then those that began at `since_ms` or later, newest first.
    pub async fn storms(&self, since_ms: i64, limit: u32) -> Result<Vec<StormFound>, StoreError> {
        let query = self.client().query_raw(STORMS).param("since", since_ms.max(0));
        Ok(query.param("limit", limit).fetch_all().await?)
    }
}
