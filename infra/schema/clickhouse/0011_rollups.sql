-- When a row of windows was written: which hours and days must be summed again is told by it. Rows written before this stood
-- here count as new once.
ALTER TABLE area_metrics_rows ADD COLUMN IF NOT EXISTS written_at DateTime('UTC') DEFAULT now();
ALTER TABLE area_metrics_rows MATERIALIZE COLUMN written_at;
ALTER TABLE area_metrics_rows ADD INDEX IF NOT EXISTS written written_at TYPE minmax GRANULARITY 4;

-- Hours (window_s = 3600) and days (86400, also where clocks change) in the city's time are summed from minutes; their version is the moment their summing began, in ms. Minutes written
-- until then are in them. Written by `stream` alone.
CREATE TABLE IF NOT EXISTS rollup_marks_rows
(
    what  LowCardinality(String),
    until DateTime('UTC')
)
ENGINE = ReplacingMergeTree(until)
ORDER BY what;

CREATE VIEW IF NOT EXISTS rollup_marks AS SELECT * FROM rollup_marks_rows FINAL;

-- A window that a recompute found empty stands there with no events, above what was there before. Nobody sees it.
CREATE OR REPLACE VIEW area_metrics AS SELECT * EXCEPT (written_at) FROM area_metrics_rows FINAL WHERE count > 0;

-- For summing: every window, the empty ones too; and when something was written, without FINAL, which would cost more than it tells.
CREATE VIEW IF NOT EXISTS area_windows AS SELECT * FROM area_metrics_rows FINAL;
CREATE VIEW IF NOT EXISTS area_writes AS SELECT window_s, window_start, written_at FROM area_metrics_rows;

-- Windows counted again from the archive. Written by `recompute` alone, once all of its rows are there.
CREATE TABLE IF NOT EXISTS recomputes_rows
(
    generation UInt32 COMMENT 'in the versions of its rows',
    first      DateTime('UTC') COMMENT 'windows that begin from here on ...',
    end        DateTime('UTC') COMMENT '... and before',
    layer      LowCardinality(String) COMMENT 'empty: all',
    layers_of  DateTime64(3, 'UTC') COMMENT 'with the layers in force for records appended then, if later than the record; 1970: as they were',
    archived   DateTime64(3, 'UTC') COMMENT 'everything appended before was in the archive',
    rows       UInt64,
    done_at    DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (generation, first, layer);

CREATE VIEW IF NOT EXISTS recomputes AS SELECT * FROM recomputes_rows FINAL;
