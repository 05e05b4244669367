//! Alerts for the console: the last transition of each.

use super::Reader;
use crate::error::StoreError;
use clickhouse::Row;
use serde::Deserialize;

/// The last transition of an alert.
#[derive(Row, Deserialize, Clone, Debug, PartialEq)]
pub struct AlertState {
    /// Alert id.
    pub id: String,
    /// Number of its last transition.
    pub seq: u32,
    /// `raised`, `updated`, `cleared` or `retracted`.
    pub transition: String,
    /// Rule id.
    pub rule: String,
    /// Rule kind.
    pub kind: String,
    /// Severity.
    pub severity: String,
    /// English title.
    pub title_en: String,
    /// Chinese title.
    pub title_zh: String,
    /// `entity` or `area`.
    pub subject_kind: String,
    /// Entity id, or layer/code.
    pub subject: String,
    /// Event time of the transition, epoch ms.
    pub time_ms: i64,
    /// Event time of the raise, epoch ms.
    pub raised_ms: i64,
    /// Append time of the record behind it, epoch ms.
    pub appended_ms: i64,
    /// Longitude.
    pub lon: Option<f64>,
    /// Latitude.
    pub lat: Option<f64>,
    /// Layers of the areas it lies in, leaf first.
    pub area_layers: Vec<String>,
    /// Their codes.
    pub area_codes: Vec<String>,
    /// The value's name, for thresholds.
    pub metric: String,
    /// The value seen.
    pub value: Option<f64>,
    /// The level crossed.
    pub level: Option<f64>,
    /// Whether the subject is simulated.
    pub simulated: bool,
    /// How soon something must be done.
    pub urgency: String,
    /// How sure it is.
    pub certainty: String,
    /// The records that raised it: topic id, partition and offset, with slashes between.
    pub evidence: Vec<String>,
}

impl AlertState {
    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        matches!(self.transition.as_str(), "raised" | "updated")
    }
}

/// Which alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// `Some(true)`: open ones only; `Some(false)`: cleared ones only.
    pub open: Option<bool>,
    /// Severities; any when empty.
    pub severities: Vec<String>,
    /// Raised at this moment or later, epoch ms.
    pub since_ms: i64,
}

/// Open alerts of one severity.
#[derive(Row, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct OpenAlerts {
    /// Severity.
    pub severity: String,
    /// How many.
    pub open: u64,
}

#[derive(Row, Deserialize)]
struct Count {
    number: u64,
}

/// The columns of [`AlertState`].
macro_rules! columns {
    () => {
        "id, seq, transition, rule, kind, toString(severity) AS severity, title_en, title_zh, subject_kind, \
         subject, toUnixTimestamp64Milli(time) AS time_ms, toUnixTimestamp64Milli(raised_at) AS raised_ms, \
         toUnixTimestamp64Milli(appended_at) AS appended_ms, lon, lat, area_layers, area_codes, metric, value, level, \
         simulated, urgency, certainty, evidence"
    };
}

/// The last transitions that pass the filter. What shows an alert is told by its raise and when it is told anew: the newest list is that.
macro_rules! last {
    () => {
        "FROM (SELECT * REPLACE (argMaxIf(evidence, seq, notEmpty(evidence)) OVER (PARTITION BY id) AS evidence) FROM alerts WHERE raised_at >= fromUnixTimestamp64Milli({since:Int64}) \
         ORDER BY id, seq DESC LIMIT 1 BY id) \
         WHERE (empty({severities:Array(String)}) OR has({severities:Array(String)}, toString(severity))) \
         AND ({open:Int8} < 0 OR (transition IN ('raised', 'updated')) = ({open:Int8} = 1))"
    };
}

const LIST: &str = concat!("SELECT ", columns!(), " ", last!(), " ORDER BY raised_at DESC, id LIMIT {limit:UInt32}");
const TOTAL: &str = concat!("SELECT count() AS number ", last!());
const SINCE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM (SELECT * REPLACE (argMaxIf(evidence, seq, notEmpty(evidence)) OVER (PARTITION BY id) AS evidence) FROM alerts WHERE appended_at >= fromUnixTimestamp64Milli({since:Int64}) \
     ORDER BY id, seq DESC LIMIT 1 BY id) ORDER BY appended_at DESC, id LIMIT {limit:UInt32}"
);
const TRANSITIONS: &str = "SELECT count() AS number FROM alerts";
const OPEN: &str = "SELECT severity, countIf(state IN ('raised', 'updated')) AS open FROM \
    (SELECT id, toString(argMax(severity, seq)) AS severity, argMax(transition, seq) AS state FROM alerts GROUP BY id) \
    GROUP BY severity ORDER BY severity";

impl AlertFilter {
    fn bind(&self, query: clickhouse::query::Query) -> clickhouse::query::Query {
        let open: i8 = self.open.map_or(-1, i8::from);
        query.param("since", self.since_ms.max(0)).param("severities", &self.severities).param("open", open)
    }
}

impl Reader {
    /// The newest alerts that pass the filter, newest raise first, and how many pass it in all.
    pub async fn alerts(&self, filter: &AlertFilter, limit: u32) -> Result<(Vec<AlertState>, u64), StoreError> {
        let list = filter.bind(self.client().query_raw(LIST)).param("limit", limit).fetch_all().await?;
        let total: Count = filter.bind(self.client().query_raw(TOTAL)).fetch_one().await?;
        Ok((list, total.number))
    }

    /// Alerts whose last transition was caused by a record appended at `since_ms` or later, newest first.
    pub async fn alerts_appended_since(&self, since_ms: i64, limit: u32) -> Result<Vec<AlertState>, StoreError> {
        let query = self.client().query_raw(SINCE).param("since", since_ms.max(0));
        Ok(query.param("limit", limit).fetch_all().await?)
    }

    /// Number of transitions known.
    pub async fn alert_transitions(&self) -> Result<u64, StoreError> {
        let count: Count = self.client().query_raw(TRANSITIONS).fetch_one().await?;
        Ok(count.number)
    }

    /// Open alerts by severity.
    pub async fn open_alerts(&self) -> Result<Vec<OpenAlerts>, StoreError> {
        Ok(self.client().query_raw(OPEN).fetch_all().await?)
    }
}
