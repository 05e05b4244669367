//! Which moments the key figures count between. Pure: now and the city's time zone are given.

use gridwarden_store::read::FigureBounds;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The minute events are counted in ends this long ago: what was appended later may still be on its way to the archive.
const SETTLE_MS: i64 = 5_000;
const MINUTE_MS: i64 = 60_000;
/// What "recent" means.
pub const RECENT_MS: i64 = 5 * MINUTE_MS;

/// First moment of the day in a time zone, epoch ms.
pub fn day_begin(now_ms: i64, zone: &TimeZone) -> i64 {
    let Ok(now) = Timestamp::from_millisecond(now_ms) else { return now_ms };
    let begin = now.to_zoned_datetime(zone.clone()).start_of_day();
    begin.map_or(now_ms, |begin| begin.timestamp().as_millisecond())
}

/// The bounds of the key figures.
pub fn bounds(now_ms: i64, zone: &TimeZone) -> FigureBounds {
    let minute_to = now_ms - SETTLE_MS;
    FigureBounds {
        minute_from: minute_to - MINUTE_MS,
        minute_to,
        recent: now_ms - RECENT_MS,
        today: day_begin(now_ms, zone),
    }
}

/// First moment of the day `days` before today's, epoch ms.
pub fn day_begin_before(now_ms: i64, zone: &TimeZone, days: i64) -> i64 {
    let Ok(now) = Timestamp::from_millisecond(now_ms) else { return now_ms };
    let day = now.to_zoned_datetime(zone.clone()).start_of_day().and_then(|day| day.checked_sub(days.days()));
    day.map_or(now_ms, |day| day.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("time").as_millisecond()
    }

    #[test]
    fn the_day_is_the_citys_own() {
        let shanghai = TimeZone::get("Asia/Shanghai").expect("zone");
        let los_angeles = TimeZone::get("America/Los_Angeles").expect("zone");
        let now = ms("2026-03-08T20:00:00Z");
        assert_eq!(day_begin(now, &shanghai), ms("2026-03-08T16:00:00Z"));
        // The day the clocks go forward: it still begins at local midnight.
        assert_eq!(day_begin(now, &los_angeles), ms("2026-03-08T08:00:00Z"));
        assert_eq!(day_begin_before(now, &shanghai, 1), ms("2026-03-07T16:00:00Z"));
    }

    #[test]
    fn a_whole_minute_is_counted() {
        let bounds = bounds(1_000_000, &TimeZone::UTC);
        assert_eq!(bounds.minute_to - bounds.minute_from, MINUTE_MS);
        assert!(bounds.minute_to < 1_000_000);
    }
}
