-- Reports as archived; same rules as observations. Written by `archive` alone.
CREATE TABLE IF NOT EXISTS reports_rows
(
    topic_id        UUID,
    partition       UInt32,
    offset          UInt64 CODEC(Delta, ZSTD),
    appended_at     DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    time            DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    feed            LowCardinality(String),
    id              String CODEC(ZSTD),
    channel         LowCardinality(String),
    class_catalogue LowCardinality(String),
    class_kind      LowCardinality(String),
    class_code      LowCardinality(String),
    lon             Nullable(Float64),
    lat             Nullable(Float64),
    accuracy_m      Nullable(Float32),
    area_layers     Array(LowCardinality(String)),
    area_codes      Array(String),
    description     String CODEC(ZSTD),
    attributes      Map(LowCardinality(String), String),
    component_id    String,
    media           Array(String),
    reporter_ref    String,
    external_id     String,
    video           String COMMENT 'JSON, empty when not from a camera',
    late            Bool
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(appended_at)
ORDER BY (id, time, topic_id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE VIEW IF NOT EXISTS reports AS SELECT * FROM reports_rows FINAL;
