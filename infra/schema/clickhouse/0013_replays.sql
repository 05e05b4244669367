-- Messages sent again after they were rejected. `origin_…` says where a message stood first: a message that was never sent again
-- is its own origin. Key and headers are kept, so that it can be sent again as it was. Written by `archive` alone.
ALTER TABLE rejects_rows
    ADD COLUMN IF NOT EXISTS origin_topic_id UUID DEFAULT topic_id,
    ADD COLUMN IF NOT EXISTS origin_partition UInt32 DEFAULT partition,
    ADD COLUMN IF NOT EXISTS origin_offset UInt64 DEFAULT offset,
    ADD COLUMN IF NOT EXISTS key Nullable(String),
    ADD COLUMN IF NOT EXISTS headers Map(String, String);

CREATE OR REPLACE VIEW rejects AS SELECT * FROM rejects_rows FINAL;

-- One row for each of them that was taken. Of those that name one origin the first counts, and stands in observations or reports
-- as well; the others stand here alone.
CREATE TABLE IF NOT EXISTS replays_rows
(
    topic_id         UUID,
    partition        UInt32,
    offset           UInt64,
    appended_at      DateTime64(3, 'UTC'),
    origin_topic_id  UUID,
    origin_partition UInt32,
    origin_offset    UInt64,
    repeat           Bool COMMENT 'another record of the same origin counts'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(appended_at)
ORDER BY (topic_id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE VIEW IF NOT EXISTS replays AS SELECT * FROM replays_rows FINAL;

CREATE OR REPLACE VIEW archived_offsets AS
SELECT topic_id, partition, offset FROM observations_rows
UNION ALL
SELECT topic_id, partition, offset FROM reports_rows
UNION ALL
SELECT topic_id, partition, offset FROM rejects_rows
UNION ALL
SELECT topic_id, partition, offset FROM markers_rows
UNION ALL
SELECT topic_id, partition, offset FROM replays_rows WHERE repeat
UNION ALL
SELECT topic_id, partition, arrayJoin(range(first_offset, end_offset)) AS offset
FROM gaps_rows WHERE kind = 'empty' AND end_offset - first_offset <= 65536;
