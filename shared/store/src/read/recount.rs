//! What a recompute asks: what was archived, which of it are repeats, which windows there are, what was counted again before.

use super::Reader;
use crate::error::StoreError;
use clickhouse::{Row, query::RowCursor};
use gridwarden_domain::identity::TopicId;
use serde::Deserialize;

/// An observation, or a report as one: what windows need of it.
#[derive(Row, Deserialize, Clone, Debug, PartialEq)]
pub struct Archived {
    /// Its topic's place in the list asked with, from 1; 0: none of them.
    pub topic: u64,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: u64,
    /// Append time, epoch milliseconds.
    pub appended_ms: i64,
    /// Event time, epoch milliseconds.
    pub time_ms: i64,
    /// Source; empty for a report.
    pub source: String,
    /// Kind of the observation, `reports` for a report.
    pub kind: String,
    /// Where it was.
    pub lon: Option<f64>,
    /// Where it was.
    pub lat: Option<f64>,
    /// Areas it was archived with: for what has no position.
    pub area_layers: Vec<String>,
    /// Their codes, leaf first.
    pub area_codes: Vec<String>,
    /// Names of values.
    pub names: Vec<String>,
    /// Values.
    pub numbers: Vec<f64>,
}

/// Records of one partition that carry the same id.
#[derive(Row, Deserialize, Clone, Debug, PartialEq)]
pub struct SameId {
    /// As in [`Archived::topic`].
    pub topic: u64,
    /// Partition.
    pub partition: u32,
    /// Offset and append time (epoch ms), rising.
    pub records: Vec<(u64, i64)>,
}

/// A window that stands in the table.
#[derive(Row, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct WindowKey {
    /// Layer.
    pub layer: String,
    /// Level.
    pub level: String,
    /// Code.
    pub code: String,
    /// Metric.
    pub metric: String,
    /// Length in seconds.
    pub window_s: u32,
    /// Start, epoch seconds.
    pub start_s: u32,
}

/// A minute for which records came too late.
#[derive(Row, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateMinute {
    /// Its start, epoch seconds.
    pub start_s: u32,
    /// When the last of them was appended, epoch ms.
    pub last_ms: i64,
    /// How many.
    pub records: u64,
}

/// A recompute that is done.
#[derive(Row, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Recomputed {
    /// Its generation.
    pub generation: u32,
    /// Windows from here on (epoch s) ...
    pub first_s: u32,
    /// ... and before.
    pub end_s: u32,
    /// The layer; empty: all.
    pub layer: String,
    /// With the layers in force for records appended then (epoch ms), if later than the record.
    pub layers_of_ms: i64,
    /// Everything appended before (epoch ms) was in the archive.
    pub archived_ms: i64,
}

/// What is not late for everything, in a span of event time.
const OBSERVATIONS: &str = "SELECT indexOf({topics:Array(UUID)}, topic_id) AS topic, partition, offset, \
    toUnixTimestamp64Milli(appended_at) AS appended_ms, toUnixTimestamp64Milli(time) AS time_ms, source, \
    toString(kind) AS kind, lon, lat, CAST(area_layers, 'Array(String)') AS area_layers, area_codes, \
    CAST(value_names, 'Array(String)') AS names, value_numbers AS numbers FROM observations \
    WHERE time >= fromUnixTimestamp64Milli({from:Int64}) AND time < fromUnixTimestamp64Milli({until:Int64}) AND NOT late";

const REPORTS: &str = "SELECT indexOf({topics:Array(UUID)}, topic_id) AS topic, partition, offset, \
    toUnixTimestamp64Milli(appended_at) AS appended_ms, toUnixTimestamp64Milli(time) AS time_ms, '' AS source, \
    {kind:String} AS kind, lon, lat, CAST(area_layers, 'Array(String)') AS area_layers, area_codes, \
    [toString(class_code)] AS names, [toFloat64(1)] AS numbers FROM reports \
    WHERE time >= fromUnixTimestamp64Milli({from:Int64}) AND time < fromUnixTimestamp64Milli({until:Int64}) AND NOT late";

/// Of the ids that occur in the span, those that occur more than once, wherever the others lie.
const SAME_ID: &str = "SELECT indexOf({topics:Array(UUID)}, topic_id) AS topic, partition, \
    arraySort(groupArray((offset, toUnixTimestamp64Milli(appended_at)))) AS records FROM observations \
    WHERE id != '' AND NOT late AND (kind, source, id) IN (SELECT kind, source, id FROM observations WHERE id != '' \
    AND time >= fromUnixTimestamp64Milli({from:Int64}) AND time < fromUnixTimestamp64Milli({until:Int64})) \
    GROUP BY topic_id, partition, kind, source, id HAVING count() > 1";

const SAME_REPORT: &str = "SELECT indexOf({topics:Array(UUID)}, topic_id) AS topic, partition, \
    arraySort(groupArray((offset, toUnixTimestamp64Milli(appended_at)))) AS records FROM reports \
    WHERE NOT late AND id IN (SELECT id FROM reports \
    WHERE time >= fromUnixTimestamp64Milli({from:Int64}) AND time < fromUnixTimestamp64Milli({until:Int64})) \
    GROUP BY topic_id, partition, id HAVING count() > 1";

const KEYS: &str = "SELECT toString(layer) AS layer, toString(level) AS level, code, toString(metric) AS metric, window_s, \
    toUnixTimestamp(window_start) AS start_s FROM {of:Identifier} WHERE window_s IN (10, 60) \
    AND window_start >= toDateTime({from:UInt32}, 'UTC') AND window_start < toDateTime({until:UInt32}, 'UTC') \
    AND ({layer:String} = '' OR layer = {layer:String})";

/// Feeds that play the past have clocks of their own, so they are asked for apart.
const LATE: &str = "SELECT toUnixTimestamp(toStartOfMinute(time)) AS start_s, \
    max(toUnixTimestamp64Milli(appended_at)) AS last_ms, count() AS records FROM \
    (SELECT time, appended_at, feed, late FROM observations UNION ALL SELECT time, appended_at, feed, late FROM reports) \
    WHERE NOT late AND toUnixTimestamp64Milli(time) < toUnixTimestamp64Milli(appended_at) - {age:Int64} \
    AND has({feeds:Array(String)}, feed) = {past:Bool} \
    GROUP BY start_s ORDER BY start_s";

const DONE: &str = "SELECT generation, toUnixTimestamp(first) AS first_s, toUnixTimestamp(end) AS end_s, \
    toString(layer) AS layer, toUnixTimestamp64Milli(layers_of) AS layers_of_ms, \
    toUnixTimestamp64Milli(archived) AS archived_ms FROM recomputes ORDER BY generation";

/// Rows of a query, one by one.
pub type Rows<T> = RowCursor<T>;

/// A span of event time (epoch ms, the end excluded), and the topics whose partitions have numbers.
#[derive(Clone, Debug)]
pub struct Counted {
    /// First moment.
    pub from_ms: i64,
    /// The moment after the last.
    pub until_ms: i64,
    /// Topics, in the order of their numbers.
    pub topics: Vec<TopicId>,
}

impl Reader {
    fn counted(&self, sql: &str, of: &Counted) -> clickhouse::query::Query {
        let topics: Vec<String> = of.topics.iter().map(|topic| super::offsets::hyphenated(*topic)).collect();
        let query = self.client().query_raw(sql).param("topics", topics);
        query.param("from", of.from_ms).param("until", of.until_ms)
    }

    /// Observations of a span, in no order.
    pub fn archived_observations(&self, of: &Counted) -> Result<Rows<Archived>, StoreError> {
        Ok(self.counted(OBSERVATIONS, of).fetch()?)
    }

    /// Reports of a span, in no order; `kind` is what they are counted as.
    pub fn archived_reports(&self, of: &Counted, kind: &str) -> Result<Rows<Archived>, StoreError> {
        Ok(self.counted(REPORTS, of).param("kind", kind).fetch()?)
    }

    /// Records with the same id as one of the span.
    pub async fn same_ids(&self, of: &Counted) -> Result<Vec<SameId>, StoreError> {
        let mut same: Vec<SameId> = self.counted(SAME_ID, of).fetch_all().await?;
        same.extend(self.counted(SAME_REPORT, of).fetch_all::<SameId>().await?);
        Ok(same)
    }

    /// Windows with events that begin in `from..until` (epoch seconds), of one layer or of all (empty).
    pub async fn window_keys(&self, span: (u32, u32), layer: &str) -> Result<Vec<WindowKey>, StoreError> {
        self.keys("area_metrics", span, layer).await
    }

    /// Sketches of windows likewise.
    pub async fn sketch_keys(&self, span: (u32, u32), layer: &str) -> Result<Vec<WindowKey>, StoreError> {
        self.keys("area_sketches", span, layer).await
    }

    async fn keys(&self, of: &str, (from, until): (u32, u32), layer: &str) -> Result<Vec<WindowKey>, StoreError> {
        let query = self.client().query_raw(KEYS).param("of", of).param("from", from).param("until", until);
        Ok(query.param("layer", layer).fetch_all().await?)
    }

    /// Minutes with records that were older than `age_ms` when they were appended, of `feeds` alone or of all others.
    pub async fn late_minutes(
        &self,
        age_ms: i64,
        feeds: &[String],
        of_feeds: bool,
    ) -> Result<Vec<LateMinute>, StoreError> {
        let query = self.client().query_raw(LATE).param("age", age_ms).param("feeds", feeds);
        Ok(query.param("past", of_feeds).fetch_all().await?)
    }

    /// What was counted again, oldest first.
    pub async fn recomputes(&self) -> Result<Vec<Recomputed>, StoreError> {
        Ok(self.client().query_raw(DONE).fetch_all().await?)
    }
}
