-- Windows of area × metric: upserts whose version is (recompute generation, number of admitted events), so it rises only
-- with truth. `sum`, `min`, `max`, `last` are fixed point in millionths. Written by `stream` alone. Readers use the view.
-- Partitioned by month: a replay of years must not make a part per day.
CREATE TABLE IF NOT EXISTS area_metrics_rows
(
    layer        LowCardinality(String),
    level        LowCardinality(String),
    code         String CODEC(ZSTD),
    metric       LowCardinality(String) COMMENT '<kind>.<value>, <kind> (observations of a kind), reports, reports.<class code>',
    window_s     UInt32,
    window_start DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    version      UInt64 COMMENT 'generation * 2^40 + admitted events',
    count        UInt64 CODEC(T64, ZSTD),
    sum          Decimal(38, 6) CODEC(ZSTD),
    min          Decimal(18, 6) CODEC(ZSTD),
    max          Decimal(18, 6) CODEC(ZSTD),
    last         Decimal(18, 6) CODEC(ZSTD),
    last_time    DateTime64(3, 'UTC') CODEC(ZSTD),
    closed       Bool COMMENT 'the watermark had passed the window when the row was written'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (layer, level, metric, window_s, window_start, code);

CREATE VIEW IF NOT EXISTS area_metrics AS SELECT * FROM area_metrics_rows FINAL;
