-- Transitions of alerts, and the delivery ledger. Written by `dispatch` alone. Readers use the views.
CREATE TABLE IF NOT EXISTS alerts_rows
(
    id           String,
    seq          UInt32,
    transition   LowCardinality(String),
    generation   UInt32,
    rule         LowCardinality(String),
    rule_version UInt32,
    kind         LowCardinality(String),
    severity     Enum8('warning' = 1, 'minor' = 2, 'major' = 3, 'critical' = 4),
    title_en     String,
    title_zh     String,
    subject_kind LowCardinality(String),
    subject      String COMMENT 'entity id, or layer/code',
    time         DateTime64(3, 'UTC'),
    raised_at    DateTime64(3, 'UTC'),
    appended_at  DateTime64(3, 'UTC'),
    topic_id     UUID,
    partition    UInt32,
    offset       UInt64,
    lon          Nullable(Float64),
    lat          Nullable(Float64),
    area_layers  Array(LowCardinality(String)),
    area_codes   Array(String),
    metric       String,
    value        Nullable(Float64),
    level        Nullable(Float64),
    simulated    Bool
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(raised_at)
ORDER BY (id, seq);

CREATE VIEW IF NOT EXISTS alerts AS SELECT * FROM alerts_rows FINAL;

CREATE TABLE IF NOT EXISTS deliveries_rows
(
    alert        String,
    seq          UInt32,
    endpoint     LowCardinality(String),
    version      UInt64 COMMENT 'number of attempts * 4 + state, so the last word wins',
    state        LowCardinality(String) COMMENT 'waiting, delivered, failed, skipped',
    attempts     UInt32,
    status       UInt16 COMMENT 'last HTTP status, 0 when there was no answer',
    detail       String,
    first_at     DateTime64(3, 'UTC'),
    last_at      DateTime64(3, 'UTC'),
    next_at      Nullable(DateTime64(3, 'UTC'))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_at)
ORDER BY (endpoint, alert, seq);

CREATE VIEW IF NOT EXISTS deliveries AS SELECT * FROM deliveries_rows FINAL;
