-- Windows, each level in partitions of its own, in granules of 2,048 rows. All that is asked for is asked of one level: a question
-- about the city need not look into parts full of cells, of which there are hundreds while a city writes, nor wait until they are
-- merged. Neither can be altered, so the table is laid anew and its rows are copied; that takes a minute for each twenty million of
-- them. Written by `stream` alone. Readers use the views.
CREATE TABLE IF NOT EXISTS area_windows_rows
(
    layer        LowCardinality(String),
    level        LowCardinality(String),
    code         String CODEC(ZSTD),
    metric       LowCardinality(String) COMMENT '<kind>.<value>, <kind> (observations of a kind), reports, reports.<class code>',
    window_s     UInt32,
    window_start DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    version      UInt64 COMMENT 'generation * 2^40 + admitted events; of hours and days the moment of summing, epoch ms',
    count        UInt64 CODEC(T64, ZSTD),
    sum          Decimal(38, 6) CODEC(ZSTD),
    min          Decimal(18, 6) CODEC(ZSTD),
    max          Decimal(18, 6) CODEC(ZSTD),
    last         Decimal(18, 6) CODEC(ZSTD),
    last_time    DateTime64(3, 'UTC') CODEC(ZSTD),
    closed       Bool COMMENT 'the watermark had passed the window when the row was written',
    written_at   DateTime('UTC') DEFAULT now(),
    INDEX written written_at TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY (toYYYYMM(window_start), level)
ORDER BY (layer, level, metric, window_s, window_start, code)
SETTINGS index_granularity = 2048;

-- What a stream of the version before still writes while services are changed one after the other.
CREATE MATERIALIZED VIEW IF NOT EXISTS area_metrics_rows_moved TO area_windows_rows AS SELECT * FROM area_metrics_rows;

-- Rows that are copied twice have one version and collapse.
INSERT INTO area_windows_rows SELECT * FROM area_metrics_rows SETTINGS max_partitions_per_insert_block = 0;
TRUNCATE TABLE IF EXISTS area_metrics_rows;

CREATE OR REPLACE VIEW area_metrics AS SELECT * EXCEPT (written_at) FROM area_windows_rows FINAL WHERE count > 0;
CREATE OR REPLACE VIEW area_windows AS SELECT * FROM area_windows_rows FINAL;
CREATE OR REPLACE VIEW area_writes AS SELECT window_s, window_start, written_at FROM area_windows_rows;
