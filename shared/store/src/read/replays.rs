//! Rejects by origin: each message once, with all that became of it when it was sent again.

use super::Reader;
use crate::error::StoreError;
use clickhouse::Row;
use gridwarden_domain::identity::{RecordId, TopicId};
use serde::Deserialize;

/// Which rejects are asked for; what is `None` or empty leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectFilter {
    /// Reason of the last attempt.
    pub code: String,
    /// Topic by name.
    pub topic: String,
    /// Key of the message: of an observation its source.
    pub key: String,
    /// First appended at or after, epoch ms.
    pub from_ms: Option<i64>,
    /// First appended before, epoch ms.
    pub to_ms: Option<i64>,
    /// Topic by id, partition and offset of the first attempt.
    pub topic_id: Option<TopicId>,
    /// Partition and offset of the first attempt.
    pub place: Option<(i32, i64)>,
}

/// A message that was rejected.
#[derive(Row, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Where it stood first: topic id, 32 hex digits.
    pub topic_id: String,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: u64,
    /// Name of the topic.
    pub topic: String,
    /// Reason of the last attempt.
    pub code: String,
    /// Field concerned.
    pub field: String,
    /// Sentence.
    pub detail: String,
    /// First append time, epoch ms.
    pub appended_ms: i64,
    /// When it was first rejected, epoch ms.
    pub first_seen_ms: i64,
    /// How often it was rejected.
    pub attempts: u64,
    /// Offset of the last attempt that was rejected.
    pub last_offset: u64,
    /// Bytes of the original message.
    pub length: u64,
    /// Whether it was sent again and taken.
    pub taken: u8,
    /// The offset at which it was taken.
    pub taken_offset: u64,
}

impl Rejected {
    /// Where it stood first.
    pub fn origin(&self) -> Option<RecordId> {
        let topic_id = u128::from_str_radix(&self.topic_id, 16).ok().map(TopicId)?;
        let (partition, offset) = (i32::try_from(self.partition).ok()?, i64::try_from(self.offset).ok()?);
        Some(RecordId { topic_id, partition, offset })
    }
}

/// A message as it came first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Those of its headers that say how it is read.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Value.
    pub payload: Vec<u8>,
}

#[derive(Row, Deserialize)]
struct InHex {
    key_hex: Option<String>,
    headers_hex: Vec<(String, String)>,
    payload_hex: String,
}

#[derive(Row, Deserialize)]
struct TakenRow {
    origin_topic: String,
    origin_partition: u32,
    origin_offset: u64,
    topic: String,
    partition: u32,
    offset: u64,
}

const TAKEN: &str = "SELECT toString(origin_topic_id) AS origin_topic, origin_partition, origin_offset, \
    toString(topic_id) AS topic, partition, offset FROM replays WHERE NOT repeat";

/// A message by its origin: the last attempt says why, the first one when and what. Attempts stand in the order of their offsets,
/// because they all stand in one partition.
const REJECTED: &str = "SELECT lower(replaceAll(toString(o.1), '-', '')) AS topic_id, o.2 AS partition, o.3 AS offset, \
    r.topic AS topic, r.code AS code, r.field AS field, r.detail AS detail, r.appended_ms AS appended_ms, \
    r.first_seen_ms AS first_seen_ms, r.attempts AS attempts, r.last_offset AS last_offset, r.length AS length, \
    toUInt8(t.taken) AS taken, t.taken_offset AS taken_offset FROM \
    (SELECT (origin_topic_id, origin_partition, origin_offset) AS o, any(rejects.topic) AS topic, \
        argMax(rejects.code, appended_at) AS code, argMax(rejects.field, appended_at) AS field, \
        argMax(rejects.detail, appended_at) AS detail, toUnixTimestamp64Milli(min(appended_at)) AS appended_ms, \
        toUnixTimestamp64Milli(min(first_seen)) AS first_seen_ms, count() AS attempts, max(rejects.offset) AS last_offset, \
        argMin(length(payload), appended_at) AS length, argMin(key, appended_at) AS key \
    FROM rejects WHERE ({topic:String} = '' OR rejects.topic = {topic:String}) \
        AND ({partition:Int64} < 0 OR (origin_partition = {partition:Int64} AND origin_offset = {offset:Int64})) \
        AND ({topic_id:String} = '' OR toString(origin_topic_id) = {topic_id:String}) \
    GROUP BY o) AS r \
    LEFT JOIN (SELECT (origin_topic_id, origin_partition, origin_offset) AS o, 1 AS taken, min(replays.offset) AS taken_offset \
        FROM replays WHERE NOT repeat GROUP BY o) AS t ON r.o = t.o \
    WHERE ({code:String} = '' OR r.code = {code:String}) AND ({key:String} = '' OR r.key = {key:String}) \
        AND r.appended_ms >= {from:Int64} AND r.appended_ms < {to:Int64} \
    ORDER BY r.appended_ms DESC, topic_id, partition, offset DESC LIMIT {limit:UInt64}";

const ORIGINAL: &str = "SELECT hex(key) AS key_hex, \
    arrayMap((name, value) -> (name, hex(value)), mapKeys(headers), mapValues(headers)) AS headers_hex, \
    hex(payload) AS payload_hex FROM rejects WHERE origin_topic_id = {topic_id:UUID} \
    AND origin_partition = {partition:Int64} AND origin_offset = {offset:Int64} ORDER BY appended_at, rejects.offset LIMIT 1";

impl Reader {
    /// Messages sent again that were taken: (origin, record that counts).
    pub async fn replays_taken(&self) -> Result<Vec<(RecordId, RecordId)>, StoreError> {
        let rows: Vec<TakenRow> = self.client().query_raw(TAKEN).fetch_all().await?;
        let id = |topic: &str, partition: u32, offset: u64| RecordId {
            topic_id: TopicId(u128::from_str_radix(&topic.replace('-', ""), 16).unwrap_or_default()),
            partition: partition as i32,
            offset: offset as i64,
        };
        let pair = |row: &TakenRow| {
            let origin = id(&row.origin_topic, row.origin_partition, row.origin_offset);
            (origin, id(&row.topic, row.partition, row.offset))
        };
        Ok(rows.iter().map(pair).collect())
    }

    /// Rejected messages, the newest first; `limit` of them at most.
    pub async fn rejected(&self, filter: &RejectFilter, limit: u64) -> Result<Vec<Rejected>, StoreError> {
        let (partition, offset) = filter.place.map_or((-1, -1), |(partition, offset)| (i64::from(partition), offset));
        let query = self.client().query_raw(REJECTED).param("topic", &filter.topic).param("code", &filter.code);
        let query = query.param("key", &filter.key).param("partition", partition).param("offset", offset);
        let query = query.param("topic_id", filter.topic_id.map_or_else(String::new, super::offsets::hyphenated));
        let query =
            query.param("from", filter.from_ms.unwrap_or(i64::MIN)).param("to", filter.to_ms.unwrap_or(i64::MAX));
        Ok(query.param("limit", limit).fetch_all().await?)
    }

    /// A rejected message as it came first.
    pub async fn rejected_original(&self, origin: RecordId) -> Result<Option<Original>, StoreError> {
        let query = self.client().query_raw(ORIGINAL).param("topic_id", super::offsets::hyphenated(origin.topic_id));
        let query = query.param("partition", origin.partition).param("offset", origin.offset);
        let Some(row) = query.fetch_optional::<InHex>().await? else { return Ok(None) };
        let bytes = |text: &str| hex::decode(text).unwrap_or_default();
        Ok(Some(Original {
            key: row.key_hex.as_deref().map(bytes),
            headers: row.headers_hex.into_iter().map(|(name, value)| (name, bytes(&value))).collect(),
            payload: bytes(&row.payload_hex),
        }))
    }
}
