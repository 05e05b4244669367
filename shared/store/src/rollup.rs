//! Minutes of windows summed to hours, hours to days, inside ClickHouse: by counting again whatever was written since.
//!
//! * `ROL-1` an hour is a function of the minutes there are, a day of the hours: summed twice it is the same row. Its version is
//!   the moment its summing began: a later one has seen all that an earlier one saw. (Not a count of events, as a minute's is: while a
//!   recompute writes, an hour may be summed of old and new minutes, with more events than it has in the end.)
//! * `ROL-2` the mark moves on when all is summed that was written before it. A minute that takes long to be inserted is
//!   stamped when its insert begins, so what was written shortly before the mark is looked at again.

use crate::{config::ClickHouseConfig, error::StoreError};
use clickhouse::{Client, Row};
use serde::Deserialize;

/// How long an insert may take from its stamp until its rows are seen, in seconds.
const SLOWEST_INSERT_S: u32 = 300;

/// A window to be summed anew.
#[derive(Row, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Span {
    /// Start, epoch seconds.
    start: u32,
    /// End, epoch seconds.
    end: u32,
}

const NOW: &str = "SELECT toUnixTimestamp(now())";

const MARK: &str = "SELECT toUnixTimestamp(max(until)) FROM rollup_marks WHERE what = 'hours and days'";

const SET_MARK: &str =
    "INSERT INTO rollup_marks_rows (what, until) SELECT 'hours and days', toDateTime({until:UInt32}, 'UTC')";

const HOURS: &str = "SELECT DISTINCT toUnixTimestamp(toStartOfHour(toTimeZone(window_start, {zone:String}))) AS start, \
    toUInt32(start + 3600) AS end FROM area_writes \
    WHERE window_s = 60 AND written_at >= toDateTime({since:UInt32}, 'UTC') ORDER BY start";

const DAYS: &str = "SELECT DISTINCT \
    toUnixTimestamp(toStartOfDay(toDateTime(arrayJoin({hours:Array(UInt32)}), {zone:String})) AS day) AS start, \
    toUnixTimestamp(toStartOfDay(addDays(day, 1))) AS end ORDER BY start";

/// Rows without events stand for windows that are empty now: what they say of values means nothing.
const SUM: &str = "INSERT INTO area_windows_rows \
    (layer, level, code, metric, window_s, window_start, version, count, sum, min, max, last, last_time, closed) \
    SELECT layer, level, code, metric, {length:UInt32}, toDateTime({start:UInt32}, 'UTC'), \
    toUInt64(toUnixTimestamp64Milli(now64(3))), \
    sum(count), sum(sum), minIf(min, count > 0), maxIf(max, count > 0), argMaxIf(last, last_time, count > 0), \
    maxIf(last_time, count > 0), min(closed) AND {end:UInt32} <= {passed:UInt32} \
    FROM area_windows \
    WHERE window_s = {of:UInt32} \
    AND window_start >= toDateTime({start:UInt32}, 'UTC') AND window_start < toDateTime({end:UInt32}, 'UTC') \
    GROUP BY layer, level, code, metric";

/// Sketches likewise. One that lacks a part of its hour says nothing: it stands there without events.
const SUM_SKETCHES: &str = "INSERT INTO area_sketches_rows (layer, level, code, metric, window_s, window_start, \
    version, events, buckets, bucket_events, registers, ranks, closed) \
    SELECT layer, level, code, metric, {length:UInt32}, toDateTime({start:UInt32}, 'UTC'), \
    toUInt64(toUnixTimestamp64Milli(now64(3))), if(countIf(n > 0) >= countIf(m > 0), sum(n), 0), \
    sumMap(b, e).1, sumMap(b, e).2, maxMap(r, k).1, maxMap(r, k).2, min(c) AND {end:UInt32} <= {passed:UInt32} \
    FROM (SELECT layer, level, code, metric, 1 AS is_sketch, events AS n, 0 AS m, \
        buckets AS b, bucket_events AS e, registers AS r, ranks AS k, closed AS c FROM area_sketch_windows \
        WHERE window_s = {of:UInt32} \
        AND window_start >= toDateTime({start:UInt32}, 'UTC') AND window_start < toDateTime({end:UInt32}, 'UTC') \
        UNION ALL SELECT layer, level, code, metric, 0, 0, count, [], [], [], [], closed FROM area_windows \
        WHERE window_s = {of:UInt32} \
        AND window_start >= toDateTime({start:UInt32}, 'UTC') AND window_start < toDateTime({end:UInt32}, 'UTC') \
        AND metric IN (SELECT metric FROM area_sketch_windows WHERE window_s = {of:UInt32} \
        AND window_start >= toDateTime({start:UInt32}, 'UTC') AND window_start < toDateTime({end:UInt32}, 'UTC'))) \
    GROUP BY layer, level, code, metric HAVING max(is_sketch) = 1";

/// Lengths of windows: those summed, and what they become. A day is called 86,400 s long also when clocks change.
const TO_HOURS: (u32, u32) = (60, 3_600);
const TO_DAYS: (u32, u32) = (3_600, 86_400);

/// Sums windows. Cheap to clone.
#[derive(Clone)]
pub struct Rollup {
    client: Client,
    zone: String,
}

impl Rollup {
    /// For a city in this time zone (IANA name).
    pub fn new(config: &ClickHouseConfig, zone: &str) -> Self {
        Self { client: config.client(), zone: zone.to_owned() }
    }

    /// Sums all hours and days whose minutes were written since the last time; how many. `passed`: no event before this
    /// moment (epoch seconds) is awaited any more, so that windows that end before are closed.
    pub async fn run(&self, passed: u32) -> Result<(usize, usize), StoreError> {
        let now: u32 = self.client.query_raw(NOW).fetch_one().await?;
        let mark: u32 = self.client.query_raw(MARK).fetch_one().await?;
        let since = mark.saturating_sub(SLOWEST_INSERT_S);
        let zone = self.zone.as_str();
        let hours = self.client.query_raw(HOURS).param("zone", zone).param("since", since);
        let hours: Vec<Span> = hours.fetch_all().await?;
        for hour in &hours {
            self.sum(*hour, TO_HOURS, passed).await?;
        }
        let starts: Vec<u32> = hours.iter().map(|hour| hour.start).collect();
        let days: Vec<Span> = match starts.is_empty() {
            true => Vec::new(),
            false => self.client.query_raw(DAYS).param("zone", zone).param("hours", starts).fetch_all().await?,
        };
        for day in &days {
            self.sum(*day, TO_DAYS, passed).await?;
        }
        self.client.query_raw(SET_MARK).param("until", now).execute().await?;
        Ok((hours.len(), days.len()))
    }

    async fn sum(&self, span: Span, (of, length): (u32, u32), passed: u32) -> Result<(), StoreError> {
        for sum in [SUM, SUM_SKETCHES] {
            let query = self.client.query_raw(sum).param("start", span.start).param("end", span.end);
            query.param("of", of).param("length", length).param("passed", passed).execute().await?;
        }
        Ok(())
    }
}
