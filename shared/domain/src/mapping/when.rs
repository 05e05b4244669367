//! Times as integrators write them.
//!
//! `MAP-1` a local time that a zone's clocks show twice (autumn) is the first of the two; one they skip (spring) is as much
//! later as the clocks were moved.

use crate::time::rfc3339;
use jiff::{civil, fmt::strtime::BrokenDownTime, tz::TimeZone};

/// How a time is written.
#[derive(Clone, Debug)]
pub(super) enum TimeFormat {
    Rfc3339,
    EpochSeconds,
    EpochMilliseconds,
    /// A `strptime` pattern that holds the offset or the moment itself.
    Moment(String),
    /// A `strptime` pattern of local time, and its zone. Without hours it is the day's first moment.
    Local(String, TimeZone),
}

impl TimeFormat {
    /// Reads a format and its zone; the error names the place (`time` or `zone`) and what is wrong.
    pub(super) fn new(format: &str, zone: Option<&str>) -> Result<Self, (&'static str, String)> {
        match format {
            "rfc3339" => return Ok(Self::Rfc3339),
            "epoch_s" => return Ok(Self::EpochSeconds),
            "epoch_ms" => return Ok(Self::EpochMilliseconds),
            _ => {}
        }
        if !format.contains('%') {
            let detail =
                format!("`{format}` is none of rfc3339, epoch_s, epoch_ms, nor a pattern such as `%Y-%m-%d %H:%M`");
            return Err(("time", detail));
        }
        let sample = civil::date(2026, 11, 23).at(10, 20, 30, 0);
        let sample = TimeZone::UTC.to_zoned_datetime(sample).map_err(|error| ("time", error.to_string()))?;
        jiff::fmt::strtime::format(format, &sample).map_err(|error| ("time", format!("`{format}`: {error}")))?;
        if ["%z", "%:z", "%s", "%Q", "%:Q"].iter().any(|directive| format.contains(directive)) {
            return Ok(Self::Moment(format.to_owned()));
        }
        let Some(zone) = zone else {
            return Err(("zone", format!("`{format}` is local time: say in which zone")));
        };
        let zone = TimeZone::get(zone).map_err(|_| ("zone", format!("unknown time zone `{zone}`")))?;
        Ok(Self::Local(format.to_owned(), zone))
    }

    /// Epoch milliseconds, or what is wrong.
    pub(super) fn read(&self, text: &str) -> Result<i64, String> {
        let unreadable = |why: &str| format!("`{text}` is not {why}");
        match self {
            Self::Rfc3339 => rfc3339(text).ok_or_else(|| unreadable("an RFC 3339 time")),
            Self::EpochMilliseconds => text.parse().map_err(|_| unreadable("a whole number of milliseconds")),
            Self::EpochSeconds => seconds(text).ok_or_else(|| unreadable("a number of seconds")),
            Self::Moment(format) => {
                let parsed = BrokenDownTime::parse(format, text).and_then(|parts| parts.to_timestamp());
                parsed.map(|moment| moment.as_millisecond()).map_err(|_| unreadable(&format!("written as `{format}`")))
            }
            Self::Local(format, zone) => {
                local(format, zone, text).ok_or_else(|| unreadable(&format!("written as `{format}`")))
            }
        }
    }
}

/// Seconds with an optional fraction; digits beyond the millisecond are cut.
fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.starts_with('-') || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(ms.parse().ok()?)
}

fn local(format: &str, zone: &TimeZone, text: &str) -> Option<i64> {
    let parts = BrokenDownTime::parse(format, text).ok()?;
    let date = parts.to_date().ok()?;
    let time = if parts.hour().is_some() { parts.to_time().ok()? } else { civil::Time::midnight() };
    let moment = zone.to_ambiguous_timestamp(date.to_datetime(time)).compatible().ok()?;
    Some(moment.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, text: &str) -> Option<i64> {
        TimeFormat::new(format, Some("America/Los_Angeles")).expect("format").read(text).ok()
    }

    #[test]
    fn integrators_write_times_in_many_ways() {
        let midnight = rfc3339("2020-01-01T00:05:00-08:00");
        for (format, text) in [
            ("%m/%d/%y %H:%M", "1/1/20 0:05"),
            ("%Y-%m-%d %H:%M:%S", "2020-01-01 00:05:00"),
            ("%d.%m.%Y %I:%M %p", "01.01.2020 12:05 am"),
            ("rfc3339", "2020-01-01T08:05:00Z"),
            ("epoch_s", "1577865900"),
            ("epoch_s", "1577865900.0009"),
            ("epoch_ms", "1577865900000"),
            ("%Y%m%dT%H%M%S%z", "20200101T000500-0800"),
        ] {
            assert_eq!(read(format, text), midnight, "{format}");
        }
        assert_eq!(read("%Y-%m-%d", "2020-06-01"), rfc3339("2020-06-01T00:00:00-07:00"));
        assert_eq!(read("epoch_s", "12.345678"), Some(12_345));
        for (format, text) in [
            ("epoch_s", "-1"),
            ("epoch_s", "1e3"),
            ("epoch_s", "1."),
            ("epoch_ms", "1.5"),
            ("%m/%d/%y %H:%M", "13/1/20 0:05"),
            ("%m/%d/%y %H:%M", "1/1/20 0:05 x"),
            ("rfc3339", "now"),
        ] {
            assert_eq!(read(format, text), None, "{format} {text}");
        }
    }

    #[test]
    fn clocks_that_move_have_one_answer() {
        assert_eq!(
            read("%Y-%m-%d %H:%M", "2024-11-03 01:30"),
            rfc3339("2024-11-03T01:30:00-07:00"),
            "twice: the first"
        );
        assert_eq!(read("%Y-%m-%d %H:%M", "2024-03-10 02:30"), rfc3339("2024-03-10T03:30:00-07:00"), "skipped: later");
    }

    #[test]
    fn bad_formats_are_named() {
        let error = |format: &str, zone: Option<&str>| TimeFormat::new(format, zone).expect_err("bad");
        assert_eq!(error("%Y-%m-%d", None).0, "zone");
        assert_eq!(error("%Y-%m-%d", Some("Mars/Base")), ("zone", "unknown time zone `Mars/Base`".to_owned()));
        assert_eq!(error("ISO", None).0, "time");
        assert_eq!(error("%Y-%!", None).0, "time");
    }
}
