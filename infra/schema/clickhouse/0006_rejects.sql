-- Messages that were not taken. Written by `archive` alone, beside the topic `rejects.v1`. Readers use the view.
CREATE TABLE IF NOT EXISTS rejects_rows
(
    topic_id    UUID,
    partition   UInt32,
    offset      UInt64,
    topic       LowCardinality(String),
    code        LowCardinality(String),
    field       String,
    detail      String,
    appended_at DateTime64(3, 'UTC'),
    first_seen  DateTime64(3, 'UTC'),
    payload     String CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(appended_at)
ORDER BY (topic_id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE VIEW IF NOT EXISTS rejects AS SELECT * FROM rejects_rows FINAL;
