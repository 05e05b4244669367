-- Sketches of windows, for the metrics whose city asks for them: quantiles and the number of sources, over windows of any length,
-- merged in any order by sumMap and maxMap. Versions as those of area_metrics_rows. Written by `stream` alone. Readers use the views.
CREATE TABLE IF NOT EXISTS area_sketches_rows
(
    layer         LowCardinality(String),
    level         LowCardinality(String),
    code          String CODEC(ZSTD),
    metric        LowCardinality(String),
    window_s      UInt32,
    window_start  DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    version       UInt64 COMMENT 'generation * 2^40 + events; of hours and days the moment of summing, epoch ms',
    events        UInt64 CODEC(T64, ZSTD),
    buckets       Array(Decimal(18, 6)) COMMENT 'rising; each stands for values that differ from it by 1 % at most' CODEC(ZSTD),
    bucket_events Array(UInt64) CODEC(ZSTD),
    registers     Array(UInt16) COMMENT 'of 4096, rising: the upper 12 bits of xxHash64(source)' CODEC(ZSTD),
    ranks         Array(UInt8) COMMENT 'the highest of its sources: zeros that follow those bits, and one' CODEC(ZSTD),
    closed        Bool,
    written_at    DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (layer, level, metric, window_s, window_start, code);

CREATE OR REPLACE VIEW area_sketches AS SELECT * EXCEPT (written_at) FROM area_sketches_rows FINAL WHERE events > 0;

-- For summing: the empty ones too, which stand where a recompute found none.
CREATE OR REPLACE VIEW area_sketch_windows AS SELECT * FROM area_sketches_rows FINAL;

-- What sketches say. A quantile is within 1 % of the value that stands at its rank, the number of sources has a standard error of
-- 1.6 % (1.04 / sqrt(4096); Ertl's estimator, which needs no table). NULL: not kept of this metric.
CREATE OR REPLACE VIEW area_estimates AS
WITH
    (percent, has) -> if(empty(has.1), NULL, toNullable(has.1[arrayFirstIndex(upto -> upto * 100 >= percent * arraySum(has.2), arrayCumSum(has.2))])) AS quantile,
    (zeros) -> zeros + arraySum(k -> pow(zeros, exp2(k)) * exp2(k - 1), range(1, 24)) AS sigma
SELECT layer, level, code, metric, window_s, window_start, version, events,
    quantile(50, (buckets, bucket_events)) AS p50,
    quantile(90, (buckets, bucket_events)) AS p90,
    quantile(95, (buckets, bucket_events)) AS p95,
    quantile(99, (buckets, bucket_events)) AS p99,
    if(empty(ranks), NULL, toNullable(4096 * 4096 / (2 * log(2)) / (4096 * sigma((4096 - length(ranks)) / 4096) + arraySum(rank -> exp2(-rank), ranks)))) AS sources,
    closed
FROM area_sketches;
