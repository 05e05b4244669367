-- Observations as archived. A row's identity is the record's place in Kafka (IDN-1); the order key is a function of the record
-- alone, so a row inserted twice collapses. Partitioned by the day of the row's own append time. Written by `archive` alone.
-- Readers use the view, never the table.
CREATE TABLE IF NOT EXISTS observations_rows
(
    topic_id      UUID,
    partition     UInt32,
    offset        UInt64 CODEC(Delta, ZSTD),
    appended_at   DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    time          DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    feed          LowCardinality(String),
    source        String CODEC(ZSTD),
    kind          LowCardinality(String),
    id            String CODEC(ZSTD),
    lon           Nullable(Float64) CODEC(Gorilla, ZSTD),
    lat           Nullable(Float64) CODEC(Gorilla, ZSTD),
    accuracy_m    Nullable(Float32),
    area_layers   Array(LowCardinality(String)),
    area_codes    Array(String),
    value_names   Array(LowCardinality(String)),
    value_numbers Array(Float64),
    attributes    Map(LowCardinality(String), String),
    late          Bool
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(appended_at)
ORDER BY (kind, source, time, topic_id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE VIEW IF NOT EXISTS observations AS SELECT * FROM observations_rows FINAL;
