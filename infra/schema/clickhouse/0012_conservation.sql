-- What became of the records a process has read since it started (CON-1), every ten seconds. Each table is written by its own
-- service alone.
CREATE TABLE IF NOT EXISTS stream_counts_rows
(
    process   String COMMENT 'when it started (epoch ms) and its number',
    at        DateTime64(3, 'UTC'),
    read      UInt64,
    accepted  UInt64,
    duplicate UInt64,
    late      UInt64,
    rejected  UInt64,
    marker    UInt64,
    in_flight UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (process, at)
TTL toDateTime(at) + INTERVAL 30 DAY;

CREATE TABLE IF NOT EXISTS archive_counts_rows AS stream_counts_rows;

CREATE VIEW IF NOT EXISTS conservation AS
SELECT stage, process, at, read, accepted, duplicate, late, rejected, marker, in_flight,
    toInt64(read) - toInt64(accepted + duplicate + late + rejected + marker + in_flight) AS unaccounted
FROM (SELECT 'stream' AS stage, * FROM stream_counts_rows FINAL UNION ALL SELECT 'archive' AS stage, * FROM archive_counts_rows FINAL);
