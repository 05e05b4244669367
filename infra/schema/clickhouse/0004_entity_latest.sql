-- The latest state of each entity by (time, partition, offset). Written by `stream` alone. Readers use the view.
CREATE TABLE IF NOT EXISTS entity_latest_rows
(
    source        String CODEC(ZSTD),
    kind          LowCardinality(String),
    version       UInt64 COMMENT 'event time in ms * 2^20 + low 20 bits of the offset',
    time          DateTime64(3, 'UTC'),
    appended_at   DateTime64(3, 'UTC'),
    feed          LowCardinality(String),
    lon           Nullable(Float64),
    lat           Nullable(Float64),
    area_layers   Array(LowCardinality(String)),
    area_codes    Array(String),
    value_names   Array(LowCardinality(String)),
    value_numbers Array(Float64)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kind, source);

CREATE VIEW IF NOT EXISTS entity_latest AS SELECT * FROM entity_latest_rows FINAL;
