-- Records that hold nothing to archive: the ends of feeds that `replay` writes. They stand here so that the archive's cursor has
-- no gap where one was read. Written by `archive` alone.
CREATE TABLE IF NOT EXISTS markers_rows
(
    topic_id    UUID,
    partition   UInt32,
    offset      UInt64,
    appended_at DateTime64(3, 'UTC'),
    feed        LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(appended_at)
ORDER BY (topic_id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE OR REPLACE VIEW archived_offsets AS
SELECT topic_id, partition, offset FROM observations_rows
UNION ALL
SELECT topic_id, partition, offset FROM reports_rows
UNION ALL
SELECT topic_id, partition, offset FROM rejects_rows
UNION ALL
SELECT topic_id, partition, offset FROM markers_rows;
