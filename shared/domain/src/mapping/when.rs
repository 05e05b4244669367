//! Times as integrators write them.
//!
//! `MAP-1` a local time that a zone's clocks show twice (autumn) is the first of the two; one they skip (spring) is as much
//! later as the clocks were moved. Where `clock_change = "reject"` stands, both are refused with that reason instead.

use crate::time::{rfc3339, zone};
use jiff::{
    civil,
    fmt::strtime::{self, BrokenDownTime},
    tz::{AmbiguousOffset, TimeZone},
};
use serde::Deserialize;

/// What is done with a local time that has no one meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClockChange {
    /// `MAP-1`.
    #[default]
    Shift,
    /// Refused.
    Reject,
}

/// How a time is written.
#[derive(Clone, Debug)]
pub(super) enum TimeFormat {
    Rfc3339,
    EpochSeconds,
    EpochMilliseconds,
    /// A `strptime` pattern that holds the offset or the moment itself.
    Moment(String),
    /// A `strptime` pattern of local time, and its zone. Without hours it is the day's first moment.
    Local(Local),
}

/// Local time of a zone.
#[derive(Clone, Debug)]
pub(super) struct Local {
    pattern: String,
    zone_name: String,
    zone: TimeZone,
    clock_change: ClockChange,
}

impl TimeFormat {
    /// Reads a format and its zone; the error names the place (`time` or `zone`) and what is wrong.
    pub(super) fn new(
        format: &str,
        zone_name: Option<&str>,
        clock_change: ClockChange,
    ) -> Result<Self, (&'static str, String)> {
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
        let pattern = format.to_owned();
        let read = if ["%z", "%:z", "%s", "%Q", "%:Q"].iter().any(|directive| format.contains(directive)) {
            Self::Moment(pattern)
        } else {
            let Some(name) = zone_name else {
                return Err(("zone", format!("`{format}` is local time: say in which zone")));
            };
            let zone = zone(name).ok_or_else(|| ("zone", format!("unknown time zone `{name}`")))?;
            Self::Local(Local { pattern, zone_name: name.to_owned(), zone, clock_change })
        };
        read.try_out(format).map_err(|why| ("time", format!("`{format}`: {why}")))?;
        Ok(read)
    }

    /// Whether a pattern says enough: an evening is written with it and read again.
    fn try_out(&self, pattern: &str) -> Result<(), String> {
        let evening = civil::date(2026, 11, 23).at(22, 20, 30, 0);
        let evening = TimeZone::UTC.to_zoned_datetime(evening).map_err(|error| error.to_string())?;
        let text = strtime::format(pattern, &evening).map_err(|error| error.to_string())?;
        let parts = BrokenDownTime::parse(pattern, &text).map_err(|error| error.to_string())?;
        self.read(&text).map_err(|_| "does not say which day it is".to_owned())?;
        match parts.hour() {
            Some(hour) if hour != 22 && matches!(self, Self::Local(_)) => {
                Err("`%I` needs `%p` to tell morning from evening".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Epoch milliseconds, or what is wrong.
    pub(super) fn read(&self, text: &str) -> Result<i64, String> {
        let unreadable = |why: &str| format!("`{text}` is not {why}");
        match self {
            Self::Rfc3339 => rfc3339(text).ok_or_else(|| unreadable("an RFC 3339 time")),
            Self::EpochMilliseconds => text.parse().map_err(|_| unreadable("a whole number of milliseconds")),
            Self::EpochSeconds => seconds(text).ok_or_else(|| unreadable("a number of seconds")),
            Self::Moment(pattern) => {
                let parsed = BrokenDownTime::parse(pattern, text).and_then(|parts| parts.to_timestamp());
                parsed.map(|moment| moment.as_millisecond()).map_err(|_| unreadable(&format!("written as `{pattern}`")))
            }
            Self::Local(local) => {
                let time = local.time(text).ok_or_else(|| unreadable(&format!("written as `{}`", local.pattern)))?;
                local.moment(time).map_err(|why| format!("`{text}` {why}"))
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

impl Local {
    /// What the clock showed.
    fn time(&self, text: &str) -> Option<civil::DateTime> {
        let parts = BrokenDownTime::parse(&self.pattern, text).ok()?;
        let date = parts.to_date().ok()?;
        let time = if parts.hour().is_some() { parts.to_time().ok()? } else { civil::Time::midnight() };
        Some(date.to_datetime(time))
    }

    /// When the clock showed it.
    fn moment(&self, time: civil::DateTime) -> Result<i64, String> {
        let moment = self.zone.to_ambiguous_timestamp(time);
        if self.clock_change == ClockChange::Reject {
            let zone = &self.zone_name;
            match moment.offset() {
                AmbiguousOffset::Unambiguous { .. } => {}
                AmbiguousOffset::Gap { .. } => return Err(format!("was skipped by the clocks of {zone}")),
                AmbiguousOffset::Fold { .. } => return Err(format!("was shown twice by the clocks of {zone}")),
            }
        }
        let moment = moment.compatible().map_err(|_| "lies outside the years that can be read".to_owned())?;
        Ok(moment.as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Option<&str> = Some("America/Los_Angeles");

    fn read(format: &str, text: &str) -> Option<i64> {
        TimeFormat::new(format, ZONE, ClockChange::Shift).expect("format").read(text).ok()
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
            ("%Y年%m月%d日 %H时%M分", "2020年01月01日 00时05分"),
            ("%s", "1577865900"),
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
        // A day that begins where the clocks skip an hour: Cairo, 2024-04-26, 00:00 was 01:00.
        let cairo = TimeFormat::new("%Y-%m-%d", Some("Africa/Cairo"), ClockChange::Shift).expect("format");
        assert_eq!(cairo.read("2024-04-26").ok(), rfc3339("2024-04-26T01:00:00+03:00"));
    }

    #[test]
    fn or_they_are_refused_by_name() {
        let strict = TimeFormat::new("%Y-%m-%d %H:%M", ZONE, ClockChange::Reject).expect("format");
        let said = |text: &str| strict.read(text).expect_err("refused");
        assert_eq!(said("2024-11-03 01:30"), "`2024-11-03 01:30` was shown twice by the clocks of America/Los_Angeles");
        assert_eq!(said("2024-03-10 02:30"), "`2024-03-10 02:30` was skipped by the clocks of America/Los_Angeles");
        assert_eq!(strict.read("2024-03-10 03:00").ok(), rfc3339("2024-03-10T03:00:00-07:00"));
        assert_eq!(strict.read("2024-11-03 02:00").ok(), rfc3339("2024-11-03T02:00:00-08:00"));
    }

    #[test]
    fn bad_formats_are_named() {
        let error =
            |format: &str, zone: Option<&str>| TimeFormat::new(format, zone, ClockChange::Shift).expect_err("bad");
        assert_eq!(error("%Y-%m-%d", None).0, "zone");
        assert_eq!(error("%Y-%m-%d", Some("Mars/Base")), ("zone", "unknown time zone `Mars/Base`".to_owned()));
        assert_eq!(error("ISO", ZONE).0, "time");
        assert_eq!(error("%Y-%!", ZONE).0, "time");
        assert_eq!(error("%H:%M", ZONE), ("time", "`%H:%M`: does not say which day it is".to_owned()));
        assert_eq!(error("%m/%d %H:%M", ZONE).0, "time");
        assert_eq!(error("%H:%M %z", ZONE).0, "time");
        let half = error("%Y-%m-%d %I:%M", ZONE);
        assert_eq!(half, ("time", "`%Y-%m-%d %I:%M`: `%I` needs `%p` to tell morning from evening".to_owned()));
    }
}
