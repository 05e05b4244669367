//! What an answer means and when to try again. Pure: schedule, time and chance are parameters.

use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use std::time::Duration;

/// Pauses before each attempt, in seconds; the first attempt is at once. About 76 hours from first to last.
pub const SCHEDULE_S: &[u32] = &[0, 5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// No endpoint may push an attempt further away than this.
const LONGEST_ASKED_MS: i64 = 86_400_000;
/// The two forms of a date that RFC 9110 §5.6.7 calls obsolete and asks recipients to read.
const OLD_DATES: &[&str] = &["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// An answer came.
    Answered {
        /// HTTP status.
        status: u16,
        /// Header `Retry-After`, as sent.
        retry_after: Option<String>,
    },
    /// No answer came.
    Unanswered(Fault),
}

/// Why no answer came. Bounded: it is a metric's label.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fault {
    /// Not within the time allowed.
    TimedOut,
    /// No connection (refused, reset, no such name, TLS).
    Connect,
    /// The address is one no webhook may go to.
    Refused,
    /// The connection broke before the answer.
    Broken,
}

impl Fault {
    /// Its name in metrics and the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Connect => "connect",
            Self::Refused => "address_refused",
            Self::Broken => "broken",
        }
    }
}

/// What to do after an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Delivered.
    Delivered,
    /// Try again, not before this time (epoch milliseconds).
    Again(i64),
    /// Every attempt of the schedule failed.
    GivenUp,
    /// The endpoint says it is gone for good (410): it is not asked again.
    Gone,
}

/// The schedule of attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    pauses: Vec<Duration>,
    jitter: f64,
}

impl Schedule {
    /// A schedule from pauses in seconds; each pause is lengthened by up to `jitter` (0.1 = 10 %) of itself.
    pub fn new(pauses_s: &[u32], jitter: f64) -> Self {
        Self { pauses: pauses_s.iter().map(|s| Duration::from_secs(u64::from(*s))).collect(), jitter }
    }

    /// Number of attempts in all.
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.pauses.len()).unwrap_or(u32::MAX)
    }

    /// What follows the `attempt`th attempt (1 = first), which ended as `outcome` at `now_ms`. `chance` lies in 0..1.
    pub fn judge(&self, outcome: &Outcome, attempt: u32, now_ms: i64, chance: f64) -> Verdict {
        let asked = match outcome {
            Outcome::Answered { status: 200..=299, .. } => return Verdict::Delivered,
            Outcome::Answered { status: 410, .. } => return Verdict::Gone,
            Outcome::Answered { retry_after: Some(text), .. } => retry_after_ms(text, now_ms),
            Outcome::Answered { .. } | Outcome::Unanswered(_) => None,
        };
        let Some(pause) = self.pauses.get(attempt as usize) else { return Verdict::GivenUp };
        let pause = pause.mul_f64(1.0 + self.jitter * chance.clamp(0.0, 1.0));
        let own = now_ms.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        let asked = asked.map(|wait| now_ms.saturating_add(wait.min(LONGEST_ASKED_MS)));
        // An endpoint may ask for more time, not for less.
        Verdict::Again(asked.map_or(own, |asked| asked.max(own)))
    }
}

/// `Retry-After` in milliseconds from now: delta-seconds or an HTTP-date (RFC 9110 §10.2.3). Anything else is ignored.
pub fn retry_after_ms(text: &str, now_ms: i64) -> Option<i64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text.parse().unwrap_or(i64::MAX).saturating_mul(1000));
    }
    Some(http_date_ms(text)?.saturating_sub(now_ms).max(0))
}

fn http_date_ms(text: &str) -> Option<i64> {
    if let Ok(date) = rfc2822::parse(text) {
        return Some(date.timestamp().as_millisecond());
    }
    let civil = OLD_DATES.iter().find_map(|form| DateTime::strptime(form, text).ok())?;
    Some(TimeZone::UTC.to_timestamp(civil).ok()?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000_000;

    fn answered(status: u16, retry_after: Option<&str>) -> Outcome {
        Outcome::Answered { status, retry_after: retry_after.map(str::to_owned) }
    }

    fn plain() -> Schedule {
        Schedule::new(SCHEDULE_S, 0.0)
    }

    #[test]
    fn the_schedule_as_promised() {
        let schedule = plain();
        let mut total = 0;
        for (attempt, pause) in (1u32..).zip(&SCHEDULE_S[1..]) {
            let verdict = schedule.judge(&answered(500, None), attempt, NOW, 0.5);
            assert_eq!(verdict, Verdict::Again(NOW + i64::from(*pause) * 1000));
            total += pause;
        }
        assert_eq!(schedule.judge(&answered(500, None), schedule.attempts(), NOW, 0.5), Verdict::GivenUp);
        assert_eq!(total / 3600, 75);
    }

    #[test]
    fn what_each_answer_means() {
        let judge = |outcome: &Outcome| plain().judge(outcome, 1, NOW, 0.0);
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judge(&answered(status, None)), Verdict::Delivered);
        }
        assert_eq!(judge(&answered(410, Some("5"))), Verdict::Gone);
        for status in [301, 302, 307, 308, 400, 401, 404, 408, 429, 500, 503] {
            assert_eq!(judge(&answered(status, None)), Verdict::Again(NOW + 5_000), "{status}");
        }
        for fault in [Fault::TimedOut, Fault::Connect, Fault::Refused, Fault::Broken] {
            assert_eq!(judge(&Outcome::Unanswered(fault)), Verdict::Again(NOW + 5_000));
        }
    }

    #[test]
    fn retry_after_in_both_forms() {
        assert_eq!(retry_after_ms("120", 0), Some(120_000));
        assert_eq!(retry_after_ms(" 0 ", 0), Some(0));
        // 784111777 is the second RFC 9110 writes as these dates.
        let dates = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
        for date in dates {
            assert_eq!(retry_after_ms(date, 784_111_770_001), Some(6_999), "{date}");
            assert_eq!(retry_after_ms(date, NOW), Some(0), "{date}");
        }
        for text in ["", "-5", "1.5", "soon", "99999999999999999999x", "Sun, 36 Nov 1994 08:49:37 GMT"] {
            assert_eq!(retry_after_ms(text, 0), None, "{text}");
        }
    }

    #[test]
    fn retry_after_lengthens_but_never_shortens_and_has_a_limit() {
        let judge = |status, text| plain().judge(&answered(status, Some(text)), 1, NOW, 0.0);
        for status in [301, 404, 413, 429, 500, 502, 503, 504] {
            assert_eq!(judge(status, "60"), Verdict::Again(NOW + 60_000));
            assert_eq!(judge(status, "1"), Verdict::Again(NOW + 5_000));
            assert_eq!(judge(status, "99999999999999999999"), Verdict::Again(NOW + 86_400_000));
        }
        assert_eq!(judge(410, "60"), Verdict::Gone);
        assert_eq!(judge(204, "60"), Verdict::Delivered);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_share(attempt in 1u32..11, chance in 0.0f64..1.0) {
            let schedule = Schedule::new(SCHEDULE_S, 0.2);
            let pause = i64::from(SCHEDULE_S[attempt as usize]) * 1000;
            match schedule.judge(&answered(500, None), attempt, NOW, chance) {
                Verdict::Again(at) => prop_assert!(at >= NOW + pause && at <= NOW + pause + pause / 5 + 1),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
