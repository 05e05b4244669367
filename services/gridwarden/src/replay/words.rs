//! What replay says to people: what was read, what cannot be read, how far it is.

use super::pack::Pack;
use crate::moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many bad rows are said one by one; the rest is counted by reason.
const SAID: usize = 20;

/// What was read of a file.
pub(super) fn read(file: &str, pack: &Pack) -> String {
    let span = match (pack.events.first(), pack.events.last()) {
        (Some(first), Some(last)) => {
            format!("; events of {} to {}", moment::said(first.time_ms), moment::said(last.time_ms))
        }
        _ => String::new(),
    };
    format!("{file}: {} rows read, {} of them cannot be played{span}", pack.rows, pack.bad.len())
}

/// Every row that cannot be played: the first ones with place and reason, the rest counted by reason.
pub(super) fn bad(file: &str, pack: &Pack) -> Vec<String> {
    let one = |bad: &super::pack::Bad| {
        let field = if bad.reason.field.is_empty() { String::new() } else { format!("{}: ", bad.reason.field) };
        format!("{file}: line {}: {field}{}", bad.line, bad.reason.detail)
    };
    let mut said: Vec<String> = pack.bad.iter().take(SAID).map(one).collect();
    let mut more: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for bad in pack.bad.iter().skip(SAID) {
        *more.entry((bad.reason.code.as_str(), bad.reason.field.as_str())).or_default() += 1;
    }
    for ((code, field), count) in more {
        said.push(format!("{file}: and {count} more rows: {}", format!("{code} {field}").trim_end()));
    }
    said
}

/// That events are too old to be live, if some are.
pub(super) fn late(pack: &Pack, now_ms: i64, max_age_days: u32) -> Option<String> {
    let oldest = now_ms.saturating_sub(i64::from(max_age_days) * 86_400_000);
    let late = pack.events.partition_point(|event| event.time_ms < oldest);
    (late > 0).then(|| {
        format!(
            "{late} events are older than {max_age_days} days and will count as late; --feed names a historical feed"
        )
    })
}

/// How far it is. `left` is how long it will take, if that is known.
pub(super) fn progress(sent: usize, of: usize, event_ms: i64, left: Option<Duration>) -> String {
    let left = left.map(|left| format!(", about {} left", span(left))).unwrap_or_default();
    let percent = (sent * 100).checked_div(of).unwrap_or(100);
    format!("{sent} of {of} sent ({percent} %), at {}{left}", moment::said(event_ms))
}

fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::pack::{Bad, Event};
    use gridwarden_domain::reject::{Code, Reason};

    fn pack(bad: usize) -> Pack {
        let row =
            |n: usize| Bad { line: n as u64 + 2, reason: Reason::new(Code::InvalidTime, "time", "`x` is no time") };
        let event = |time_ms| Event { time_ms, key: String::new(), payload: Vec::new() };
        Pack { rows: bad + 2, events: vec![event(0), event(90_000)], bad: (0..bad).map(row).collect() }
    }

    #[test]
    fn every_bad_row_is_said_or_counted() {
        let said = bad("a.csv", &pack(3));
        assert_eq!(said.len(), 3);
        assert_eq!(said[0], "a.csv: line 2: time: `x` is no time");
        let said = bad("a.csv", &pack(SAID + 7));
        assert_eq!(said.len(), SAID + 1);
        assert_eq!(said[SAID], "a.csv: and 7 more rows: invalid_time time");
    }

    #[test]
    fn words_about_the_way() {
        assert_eq!(
            read("a.csv", &pack(1)),
            "a.csv: 3 rows read, 1 of them cannot be played; events of 1970-01-01T00:00:00Z to 1970-01-01T00:01:30Z"
        );
        assert_eq!(late(&pack(0), 7 * 86_400_000, 7), None);
        let said = late(&pack(0), 7 * 86_400_000 + 1, 7).expect("one is older");
        assert!(said.starts_with("1 events are older than 7 days"), "{said}");
        let left = Some(Duration::from_secs(3_725));
        assert_eq!(progress(1, 4, 0, left), "1 of 4 sent (25 %), at 1970-01-01T00:00:00Z, about 1 h 2 min left");
        assert_eq!(progress(0, 0, 0, None), "0 of 0 sent (100 %), at 1970-01-01T00:00:00Z");
        assert_eq!(span(Duration::from_secs(200_000)), "2 d 7 h");
        assert_eq!((span(Duration::from_secs(5)), span(Duration::from_secs(65))), ("5 s".into(), "1 min 5 s".into()));
    }
}
