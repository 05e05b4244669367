//! The console's key figures, freshness, and the rejects.

use super::Reader;
use crate::error::StoreError;
use clickhouse::Row;
use serde::Deserialize;

/// Bounds of the key figures, epoch ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FigureBounds {
    /// The minute events are counted in begins here.
    pub minute_from: i64,
    /// And ends before here.
    pub minute_to: i64,
    /// Five minutes ago.
    pub recent: i64,
    /// Begin of the city's day.
    pub today: i64,
}

/// Key figures.
#[derive(Row, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Observations and reports appended in the minute.
    pub events_minute: u64,
    /// Entities whose latest event time is recent.
    pub entities_seen: u64,
    /// Entities that ever spoke.
    pub entities_known: u64,
    /// Reports with an event time today.
    pub reports_today: u64,
    /// Observations and reports appended recently that lie in no area.
    pub nowhere_recent: u64,
    /// Messages rejected today.
    pub rejects_today: u64,
}

/// Newest moments, epoch ms; 0 when there is none.
#[derive(Row, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Newest {
    /// Append time of the newest archived observation or report.
    pub archived: i64,
    /// Append time behind the newest latest state.
    pub entities: i64,
    /// End of the newest window of the level asked for.
    pub windows: i64,
}

/// A rejected message.
#[derive(Row, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RejectFound {
    /// Name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: u64,
    /// Bounded reason.
    pub code: String,
    /// Field concerned.
    pub field: String,
    /// Sentence.
    pub detail: String,
    /// Append time, epoch ms.
    pub appended_ms: i64,
    /// The message's first bytes, as text.
    pub excerpt: String,
}

/// Rejects of one reason.
#[derive(Row, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RejectCount {
    /// Name of the topic.
    pub topic: String,
    /// Bounded reason.
    pub code: String,
    /// How many.
    pub rejects: u64,
}

/// A subquery's single number is Nullable by type, though an aggregate always gives one. Records of the archive are counted
/// by identity in a view without FINAL: these questions are asked every few seconds, over tables that grow all day.
const FIGURES: &str = "SELECT \
    assumeNotNull((SELECT uniqExact(topic_id, partition, offset) FROM archived_records \
        WHERE appended_at >= fromUnixTimestamp64Milli({minute_from:Int64}) \
        AND appended_at < fromUnixTimestamp64Milli({minute_to:Int64}))) AS events_minute, \
    assumeNotNull((SELECT countIf(time >= fromUnixTimestamp64Milli({recent:Int64})) FROM entity_latest)) AS entities_seen, \
    assumeNotNull((SELECT count() FROM entity_latest)) AS entities_known, \
    assumeNotNull((SELECT uniqExact(id) FROM reports WHERE time >= fromUnixTimestamp64Milli({today:Int64}) \
        AND appended_at >= fromUnixTimestamp64Milli({today:Int64} - 120000))) AS reports_today, \
    assumeNotNull((SELECT uniqExact(topic_id, partition, offset) FROM archived_records \
        WHERE nowhere AND appended_at >= fromUnixTimestamp64Milli({recent:Int64}))) AS nowhere_recent, \
    assumeNotNull((SELECT uniqExact(origin_topic_id, origin_partition, origin_offset) FROM rejects WHERE appended_at >= fromUnixTimestamp64Milli({today:Int64}))) AS rejects_today";

const NEWEST: &str = "SELECT \
    assumeNotNull((SELECT toUnixTimestamp64Milli(max(appended_at)) FROM archived_records \
        WHERE appended_at >= fromUnixTimestamp64Milli({since:Int64}))) AS archived, \
    assumeNotNull((SELECT toUnixTimestamp64Milli(max(appended_at)) FROM entity_latest)) AS entities, \
    assumeNotNull((SELECT toInt64(toUnixTimestamp(max(window_start))) * 1000 FROM area_metrics \
        WHERE layer = {layer:String} AND level = {level:String} AND window_s = 10 \
        AND window_start >= toDateTime(intDiv({since:Int64}, 1000), 'UTC'))) AS windows";

/// A message that was sent again and rejected again is one reject, with the last reason.
const REJECTS: &str = "SELECT topic, origin_partition AS partition, origin_offset AS offset, code, field, detail, \
    toUnixTimestamp64Milli(appended_at) AS appended_ms, toValidUTF8(substring(payload, 1, 400)) AS excerpt FROM rejects \
    WHERE appended_at >= fromUnixTimestamp64Milli({since:Int64}) ORDER BY appended_at DESC, partition, offset DESC \
    LIMIT 1 BY origin_topic_id, origin_partition, origin_offset LIMIT {limit:UInt32}";

const REJECT_COUNTS: &str = "SELECT topic, code, uniqExact(origin_topic_id, origin_partition, origin_offset) AS rejects FROM rejects \
    WHERE appended_at >= fromUnixTimestamp64Milli({since:Int64}) GROUP BY topic, code ORDER BY rejects DESC, topic, code";

impl Reader {
    /// The key figures.
    pub async fn figures(&self, bounds: FigureBounds) -> Result<Figures, StoreError> {
        let query = self.client().query_raw(FIGURES).param("minute_from", bounds.minute_from);
        let query = query.param("minute_to", bounds.minute_to).param("recent", bounds.recent);
        Ok(query.param("today", bounds.today).fetch_one().await?)
    }

    /// The newest moments at or after `since_ms`; windows of the 10 s kind at one level.
    pub async fn newest(&self, layer: &str, level: &str, since_ms: i64) -> Result<Newest, StoreError> {
        let query = self.client().query_raw(NEWEST).param("layer", layer).param("level", level);
        Ok(query.param("since", since_ms.max(0)).fetch_one().await?)
    }

    /// The newest rejects and their counts by reason.
    pub async fn rejects(&self, since_ms: i64, limit: u32) -> Result<(Vec<RejectFound>, Vec<RejectCount>), StoreError> {
        let list = self.client().query_raw(REJECTS).param("since", since_ms.max(0)).param("limit", limit);
        let counts = self.client().query_raw(REJECT_COUNTS).param("since", since_ms.max(0));
        Ok((list.fetch_all().await?, counts.fetch_all().await?))
    }
}
