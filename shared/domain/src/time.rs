//! Times on the wire: epoch milliseconds or RFC 3339, nothing else; and time zones, the same on every machine.

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone by its IANA name, as this build knows it: what stream and archive make of a local time does not depend on
/// the machine they run on.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// Last millisecond a message may speak of: the end of 2105. Seconds of later times do not fit the 32 bits windows are
/// kept with.
pub const LATEST_MS: i64 = 4_291_747_199_999;

/// Whether a time lies between 1970 and 2105.
#[inline]
pub fn in_range(time_ms: i64) -> bool {
    (0..=LATEST_MS).contains(&time_ms)
}

/// Reads `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)` as epoch milliseconds; digits beyond the millisecond are cut, second
/// 60 is taken as 59. `None` for anything else.
#[inline]
pub fn rfc3339(text: &str) -> Option<i64> {
    let (head, rest) = text.as_bytes().split_first_chunk::<19>()?;
    let [y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T' | b't' | b' ', h0, h1, b':', mi0, mi1, b':', s0, s1] =
        *head
    else {
        return None;
    };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day) = (two(mo0, mo1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(mi0, mi1)?, two(s0, s1)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ms, rest) = fraction(rest)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second.min(59);
    Some((seconds - offset_s(rest)?) * 1000 + fraction_ms)
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    if tens > 9 || ones > 9 { None } else { Some(i64::from(tens) * 10 + i64::from(ones)) }
}

/// Milliseconds of an optional fraction, and what follows it.
#[inline]
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = rest.split_first() else { return Some((0, rest)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut worth = 100;
    let mut ms = 0;
    for byte in digits.iter().take(count.min(3)) {
        ms += i64::from(byte - b'0') * worth;
        worth /= 10;
    }
    if count == 0 { None } else { Some((ms, digits.get(count..)?)) }
}

/// Seconds east of Greenwich.
#[inline]
fn offset_s(zone: &[u8]) -> Option<i64> {
    match *zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let (hours, minutes) = (two(h0, h1)?, two(m0, m1)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            Some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar since 1970-01-01 (Howard Hinnant, "days_from_civil").
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        assert_eq!(rfc3339("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339("2105-12-31T23:59:59.999Z"), Some(LATEST_MS));
        assert_eq!(rfc3339("2026-02-28T23:59:60+08:00"), rfc3339("2026-02-28T15:59:59Z"));
        assert_eq!(rfc3339("2026-03-01 00:00:00.1239Z"), Some(1_772_323_200_123));
        for bad in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01",
            "2026-1-1T00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+0800",
            "",
            "汉汉汉汉汉汉汉Z",
            "2026-01-01T00:00:00+24:00",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T00:00:00Zx",
        ] {
            assert_eq!(rfc3339(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(ms in -62_135_596_800_000i64..=253_402_300_799_000, hours in -23i64..=23, minutes in 0i64..60) {
            let time = Timestamp::from_millisecond(ms).expect("in range");
            prop_assert_eq!(rfc3339(&time.to_string()), Some(ms));
            let east = (hours.abs() * 60 + minutes) * if hours < 0 { -60 } else { 60 };
            let offset = jiff::tz::Offset::from_seconds(i32::try_from(east).expect("small")).expect("offset");
            let text = format!("{}", time.display_with_offset(offset));
            if !text.starts_with('-') && !text.starts_with('+') && offset.seconds() != 0 {
                prop_assert_eq!(rfc3339(&text), Some(ms), "{}", text);
            }
        }

        #[test]
        fn never_reads_what_jiff_refuses(text in "[0-9]{4}-[0-9]{2}-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|[+-][0-2][0-9]:[0-6][0-9])") {
            if let (Some(ours), Ok(theirs)) = (rfc3339(&text), text.parse::<Timestamp>()) {
                // Cut digits round down, also before 1970; jiff rounds toward it.
                prop_assert_eq!(i128::from(ours), theirs.as_nanosecond().div_euclid(1_000_000), "{}", text);
            }
        }
    }
}
