-- Storms: rules that raised more alerts in a minute than are told, from the first such minute to the first that stayed within the limit.
-- Written by `dispatch` alone, again from the beginning at each of its starts. Readers use the view.
CREATE TABLE IF NOT EXISTS storms_rows
(
    id         String COMMENT 'a function of rule and first minute, as in the alert of kind storm',
    rule       LowCardinality(String),
    severity   Enum8('warning' = 1, 'minor' = 2, 'major' = 3, 'critical' = 4),
    title_en   String,
    title_zh   String,
    per_minute UInt32 COMMENT 'raises of the rule that are told in a minute',
    since      DateTime64(3, 'UTC') COMMENT 'begin of the first minute beyond the limit',
    until      Nullable(DateTime64(3, 'UTC')) COMMENT 'end of the last such minute; NULL while it goes on',
    held_back  UInt64 COMMENT 'alerts that were not told',
    simulated  Bool,
    version    UInt64 COMMENT 'held_back * 2, and 1 when it is over: both only grow, so the last word wins'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(since)
ORDER BY id;

CREATE VIEW IF NOT EXISTS storms AS SELECT * EXCEPT (version) FROM storms_rows FINAL;
