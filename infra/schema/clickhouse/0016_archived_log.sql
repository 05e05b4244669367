-- The archive in the log's own order, for whoever goes on from it when the log no longer holds what it needs: what a record said, as
-- it was taken. One line for each record, two for one that was sent again (`again`, then itself). Without FINAL, which would cost as
-- much as the day is long: what was inserted twice stands here twice, and its reader, which asks in the order of offsets, passes over it.

-- Whether a record was made up by `simulate`: an alert that follows from it says so.
ALTER TABLE observations_rows ADD COLUMN IF NOT EXISTS simulated Bool;
ALTER TABLE reports_rows ADD COLUMN IF NOT EXISTS simulated Bool;
CREATE OR REPLACE VIEW observations AS SELECT * FROM observations_rows FINAL;
CREATE OR REPLACE VIEW reports AS SELECT * FROM reports_rows FINAL;

-- what: 0 `again`: the record of this offset was sent again, origin is where it stood first; 1 an observation; 2 a report (kind: its
-- class, source: the area it names where it has no position); 3 a reject (kind: its code); 4 a marker, the end of a feed;
-- 5 a repeat of one that was sent again.
CREATE VIEW IF NOT EXISTS archived_log AS
SELECT topic_id, partition, offset, appended_at, toUInt8(1) AS what, time, CAST(feed, 'String') AS feed, source,
    CAST(kind, 'String') AS kind, id, lon, lat, accuracy_m, CAST(value_names, 'Array(String)') AS names,
    value_numbers AS numbers, simulated, '' AS origin
FROM observations_rows
UNION ALL
SELECT topic_id, partition, offset, appended_at, toUInt8(2) AS what, time, CAST(feed, 'String') AS feed,
    if(isNull(lon) AND notEmpty(area_codes), concat(CAST(area_layers[1], 'String'), '/', area_codes[1]), '') AS source,
    CAST(class_code, 'String') AS kind, id, lon, lat, accuracy_m, CAST([], 'Array(String)') AS names,
    CAST([], 'Array(Float64)') AS numbers, simulated, '' AS origin
FROM reports_rows
UNION ALL
SELECT topic_id, partition, offset, appended_at, toUInt8(3) AS what, appended_at AS time, '' AS feed, '' AS source,
    CAST(code, 'String') AS kind, '' AS id, CAST(NULL, 'Nullable(Float64)') AS lon, CAST(NULL, 'Nullable(Float64)') AS lat,
    CAST(NULL, 'Nullable(Float32)') AS accuracy_m, CAST([], 'Array(String)') AS names, CAST([], 'Array(Float64)') AS numbers,
    false AS simulated, '' AS origin
FROM rejects_rows
UNION ALL
SELECT topic_id, partition, offset, appended_at, toUInt8(4) AS what, appended_at AS time, CAST(feed, 'String') AS feed, '' AS source,
    '' AS kind, '' AS id, CAST(NULL, 'Nullable(Float64)') AS lon, CAST(NULL, 'Nullable(Float64)') AS lat,
    CAST(NULL, 'Nullable(Float32)') AS accuracy_m, CAST([], 'Array(String)') AS names, CAST([], 'Array(Float64)') AS numbers,
    false AS simulated, '' AS origin
FROM markers_rows
UNION ALL
SELECT topic_id, partition, offset, appended_at, if(repeat, toUInt8(5), toUInt8(0)) AS what, appended_at AS time, '' AS feed,
    '' AS source, '' AS kind, '' AS id, CAST(NULL, 'Nullable(Float64)') AS lon, CAST(NULL, 'Nullable(Float64)') AS lat,
    CAST(NULL, 'Nullable(Float32)') AS accuracy_m, CAST([], 'Array(String)') AS names, CAST([], 'Array(Float64)') AS numbers,
    false AS simulated,
    concat(replaceAll(toString(origin_topic_id), '-', ''), '/', toString(origin_partition), '/', toString(origin_offset), '/0') AS origin
FROM replays_rows;
