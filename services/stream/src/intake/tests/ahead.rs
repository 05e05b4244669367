//! `AHD-1`: records taken together give what they give one by one.

use super::*;

/// Sources that come again, known and unknown kinds, no position, what is rejected, and a reading that is hot for long enough.
fn texts() -> Vec<(i64, Vec<u8>)> {
    let text = |number: i64| match number % 11 {
        3 => "{\"source\":\"s\"".to_owned(),
        7 => format!(r#"{{"source":"fixed","kind":"air","time":{}}}"#, 100_000 + number * 500),
        _ => format!(
            r#"{{"id":"{}","source":"s{}","kind":"k{}","time":{},"position":{{"lon":{}.4,"lat":0.5}},"values":{{"t":{}}}}}"#,
            number - number % 7 / 6,
            (number - number % 7 / 6) % 5,
            (number - number % 7 / 6) % 4,
            100_000 + number * 500,
            number % 3,
            if number % 5 == 2 { 31 + number % 7 } else { number % 29 },
        ),
    };
    (0..200).map(|number| (number, text(number).into_bytes())).collect()
}

type Counts = [u64; 4];

fn outcome(batch: usize) -> (Vec<Delta>, Vec<Partial>, Vec<String>, Counts) {
    // The rule comes into force half way, in the middle of a batch.
    let mut desk = Desk::with(timeline(150_000));
    for (number, chunk) in texts().chunks(20).enumerate() {
        for few in chunk.chunks(batch) {
            desk.take_batch(0, 110_000 + number as i64 * 10_000, few);
        }
    }
    let mut partials = desk.partials();
    partials.sort_by_key(|partial| (partial.pane, partial.area, partial.group, partial.column));
    let alerts = desk.out.alerts.iter().map(|alert| format!("{alert:?}")).collect();
    let counts = ["accepted", "duplicate", "malformed", "nowhere"].map(|name| desk.count(name));
    (desk.deltas(), partials, alerts, counts)
}

#[test]
fn records_taken_together_give_what_they_give_one_by_one() {
    let one_by_one = outcome(1);
    let (deltas, partials, alerts, counts) = &one_by_one;
    assert!(!deltas.is_empty() && !partials.is_empty() && !alerts.is_empty(), "{counts:?} {alerts:?}");
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    for batch in [2, AHEAD - 1, AHEAD, AHEAD + 1, 20] {
        assert_eq!(outcome(batch), one_by_one, "{batch} together");
    }
}
