//! Whether a record's event time fits its append time. Pure: the clock is the broker's stamp.

use crate::reject::{Code, Reason};

/// How far ahead of its append time an event may claim to be, in milliseconds.
pub const FUTURE_MS: i64 = 60_000;

/// What becomes of a record that could be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Admission {
    /// On time.
    Accept,
    /// Older than the age limit: archived and counted, but no window or rule sees it.
    Late,
    /// From the future.
    Reject(Reason),
}

/// Compares an event's time with the append time of its record. `max_age_ms` is `None` for historical feeds.
pub fn admit(time_ms: i64, appended_ms: i64, max_age_ms: Option<i64>) -> Admission {
    if time_ms > appended_ms.saturating_add(FUTURE_MS) {
        let ahead = time_ms.saturating_sub(appended_ms) / 1000;
        let detail = format!("{ahead} s after the record's append time; at most {} s are allowed", FUTURE_MS / 1000);
        return Admission::Reject(Reason::new(Code::FutureTime, "time", detail));
    }
    match max_age_ms {
        Some(age) if time_ms < appended_ms.saturating_sub(age) => Admission::Late,
        _ => Admission::Accept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_belong_to_the_accepted() {
        let appended = 1_000_000_000;
        assert_eq!(admit(appended + FUTURE_MS, appended, Some(5)), Admission::Accept);
        assert!(matches!(admit(appended + FUTURE_MS + 1, appended, None),
            Admission::Reject(Reason { code: Code::FutureTime, field, .. }) if field == "time"));
        assert_eq!(admit(appended - 5, appended, Some(5)), Admission::Accept);
        assert_eq!(admit(appended - 6, appended, Some(5)), Admission::Late);
        assert_eq!(admit(0, appended, None), Admission::Accept);
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        assert_eq!(admit(i64::MIN, i64::MAX, None), Admission::Accept);
        assert!(matches!(admit(i64::MAX, i64::MIN, Some(1)), Admission::Reject(_)));
        assert_eq!(admit(i64::MIN, i64::MIN, Some(i64::MAX)), Admission::Accept);
    }
}
