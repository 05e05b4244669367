-- What the archive's cursor knows besides rows: offsets at which there is nothing to archive. Written by `archive` alone.
-- kind: `empty`: the log holds no record there (ends of transactions, aborted ones, compaction); `lost`: retention deleted the
-- records before they were archived, and going on without them was allowed; `settled`: below the log's start, and all of it is
-- archived or noted as lost, so that no start looks there again. Readers use the view.
CREATE TABLE IF NOT EXISTS gaps_rows
(
    topic_id     UUID,
    partition    UInt32,
    first_offset UInt64,
    end_offset   UInt64 COMMENT 'one past the last',
    kind         LowCardinality(String),
    noted_at     DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (topic_id, partition, first_offset, end_offset, kind)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE VIEW IF NOT EXISTS archive_gaps AS SELECT * FROM gaps_rows FINAL;

-- Short gaps count as offsets, so that a log full of transactions has no holes; the reader joins the long ones itself.
CREATE OR REPLACE VIEW archived_offsets AS
SELECT topic_id, partition, offset FROM observations_rows
UNION ALL
SELECT topic_id, partition, offset FROM reports_rows
UNION ALL
SELECT topic_id, partition, offset FROM rejects_rows
UNION ALL
SELECT topic_id, partition, offset FROM markers_rows
UNION ALL
SELECT topic_id, partition, arrayJoin(range(first_offset, end_offset)) AS offset
FROM gaps_rows WHERE kind = 'empty' AND end_offset - first_offset <= 65536;

-- Parts hold neighbouring offsets: a start that looks above an offset passes over the parts below it.
ALTER TABLE observations_rows ADD INDEX IF NOT EXISTS offsets offset TYPE minmax GRANULARITY 16;
ALTER TABLE reports_rows ADD INDEX IF NOT EXISTS offsets offset TYPE minmax GRANULARITY 16;
