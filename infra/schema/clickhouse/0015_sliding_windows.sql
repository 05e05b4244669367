-- Windows that slide: `length` seconds long, one begins every `every` seconds (10 or a multiple of it, and `length` a multiple of
-- that). They are sums of windows of a minute, of 10 s where minutes do not fit, so they are as fresh as those, and as true after a
-- recompute. `since` and `before` (epoch s) bound their starts. One is closed when all that is in it is, its last minute among it.
--   SELECT * FROM area_sliding(layer = 'grid', metric = 'air.pm25', length = 300, every = 60, since = 1780000000, before = 1780003600)
CREATE OR REPLACE VIEW area_sliding AS
SELECT layer, level, code, metric, {length:UInt32} AS window_s, toDateTime(start, 'UTC') AS window_start,
    bitShiftLeft(max(bitShiftRight(v, 40)), 40) + sum(n) AS version, sum(n) AS count, sum(s) AS sum, minIf(lo, n > 0) AS min, maxIf(hi, n > 0) AS max,
    argMaxIf(la, lt, n > 0) AS last, maxIf(lt, n > 0) AS last_time,
    min(c) AND max(until) >= start + {length:UInt32} AS closed
FROM
(
    SELECT layer, level, code, metric, version AS v, count AS n, w.sum AS s, w.min AS lo, w.max AS hi, w.last AS la, last_time AS lt, closed AS c,
        toUnixTimestamp(window_start) + window_s AS until,
        arrayJoin(range(intDiv({length:UInt32}, {every:UInt32}))) AS back,
        toInt64(intDiv(toUnixTimestamp(window_start), {every:UInt32})) * {every:UInt32} - back * {every:UInt32} AS start
    FROM area_windows AS w
    WHERE layer = {layer:String} AND metric = {metric:String}
        AND window_s = if({length:UInt32} % 60 = 0 AND {every:UInt32} % 60 = 0, 60, 10)
        AND window_start >= toDateTime({since:UInt32}, 'UTC') AND window_start < toDateTime({before:UInt32} + {length:UInt32}, 'UTC')
)
WHERE start >= {since:UInt32} AND start < {before:UInt32}
GROUP BY layer, level, code, metric, start
HAVING count > 0;

-- What sketches say of such windows. Left out are windows of which a part has events and no sketch: those that were there before the
-- city asked for it.
CREATE OR REPLACE VIEW area_sliding_estimates AS
SELECT * EXCEPT (highest) FROM
(
WITH
    (percent, has) -> if(empty(has.1), NULL, toNullable(has.1[arrayFirstIndex(upto -> upto * 100 >= percent * arraySum(has.2), arrayCumSum(has.2))])) AS quantile,
    (zeros) -> zeros + arraySum(k -> pow(zeros, exp2(k)) * exp2(k - 1), range(1, 24)) AS sigma
SELECT layer, level, code, metric, {length:UInt32} AS window_s, toDateTime(start, 'UTC') AS window_start,
    bitShiftLeft(max(bitShiftRight(v, 40)), 40) + sum(n) AS version, sum(n) AS events,
    quantile(50, sumMap(b, e)) AS p50, quantile(90, sumMap(b, e)) AS p90, quantile(95, sumMap(b, e)) AS p95, quantile(99, sumMap(b, e)) AS p99,
    maxMap(r, k).2 AS highest,
    if(empty(highest), NULL, toNullable(4096 * 4096 / (2 * log(2)) / (4096 * sigma((4096 - length(highest)) / 4096) + arraySum(rank -> exp2(-rank), highest)))) AS sources,
    min(c) AND max(until) >= start + {length:UInt32} AS closed
FROM
(
    SELECT *, toUnixTimestamp(at) + length_s AS until,
        arrayJoin(range(intDiv({length:UInt32}, {every:UInt32}))) AS back,
        toInt64(intDiv(toUnixTimestamp(at), {every:UInt32})) * {every:UInt32} - back * {every:UInt32} AS start
    FROM
    (
        SELECT layer, level, code, metric, window_s AS length_s, window_start AS at, version AS v, events AS n, 0 AS m, buckets AS b, bucket_events AS e, registers AS r, ranks AS k, closed AS c
        FROM area_sketch_windows
        WHERE layer = {layer:String} AND metric = {metric:String}
            AND window_s = if({length:UInt32} % 60 = 0 AND {every:UInt32} % 60 = 0, 60, 10)
            AND window_start >= toDateTime({since:UInt32}, 'UTC') AND window_start < toDateTime({before:UInt32} + {length:UInt32}, 'UTC')
        UNION ALL
        SELECT layer, level, code, metric, window_s, window_start, version, 0, count, [], [], [], [], closed
        FROM area_windows
        WHERE layer = {layer:String} AND metric = {metric:String}
            AND window_s = if({length:UInt32} % 60 = 0 AND {every:UInt32} % 60 = 0, 60, 10)
            AND window_start >= toDateTime({since:UInt32}, 'UTC') AND window_start < toDateTime({before:UInt32} + {length:UInt32}, 'UTC')
    )
)
WHERE start >= {since:UInt32} AND start < {before:UInt32}
GROUP BY layer, level, code, metric, start
HAVING events > 0 AND countIf(n > 0) >= countIf(m > 0)
);
