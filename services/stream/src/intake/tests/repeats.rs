//! Ids that come again.

use super::*;

fn observe(desk: &mut Desk, part: u16, appended: i64, id: &str) {
    let time = appended - 1;
    let text = format!(
        r#"{{"id":"{id}","source":"s{part}","kind":"air","time":{time},"position":{{"lon":0.5,"lat":0.5}},"values":{{"t":99}}}}"#
    );
    desk.take(part, appended, &text);
}

#[test]
fn a_repeat_is_counted_and_nothing_else() {
    let rule = r#"{"id":"now","version":1,"title":{"en":"x"},"severity":"minor",
        "threshold":{"value":"t","side":"above","level":30}}"#;
    let mut desk = Desk::with(timeline_of(&[GRID], &[("now", Some(rule), 0)]));
    observe(&mut desk, 0, 100_000, "1");
    observe(&mut desk, 0, 101_000, "1");
    assert_eq!((desk.deltas().len(), desk.out.alerts.len()), (1, 1));
    let mut rows = Vec::new();
    desk.intake.drain_entities(10, 1, &mut rows);
    assert_eq!(rows.iter().map(|row| row.time).collect::<Vec<_>>(), [99_999], "the latest state is the first record's");
    observe(&mut desk, 1, 101_000, "1");
    assert_eq!((desk.count("duplicate"), desk.count("accepted")), (1, 2), "another partition, another source");
}

#[test]
fn an_id_is_forgotten_after_the_age_and_beyond_the_last_so_many() {
    let mut desk = Desk::new();
    let begin = 100 * DAY;
    for (day, repeats) in [(0, 0), (7, 1), (8, 1), (15, 2), (16, 2)] {
        observe(&mut desk, 0, begin + day * DAY, "1");
        assert_eq!(desk.count("duplicate"), repeats, "day {day}");
    }
    // Three are remembered here.
    for id in ["2", "3", "4", "1", "4"] {
        observe(&mut desk, 0, begin + 16 * DAY, id);
    }
    assert_eq!(desk.count("duplicate"), 3, "only the last `4`");
}

#[test]
fn a_report_sent_twice_is_one_report() {
    let mut desk = Desk::new();
    for id in ["1", "2", "1", "3", "4", "1"] {
        desk.take(2, 100_000, &report(id, r#","area":"a""#));
    }
    // Of three remembered, `1` is the first to go.
    assert_eq!((desk.count("duplicate"), desk.count("accepted"), desk.deltas().len()), (1, 5, 5));
}

/// `RPL-1`: of the records that name one origin the first that is not rejected counts, observations and reports alike.
#[test]
fn a_message_sent_again_counts_once() {
    let mut desk = Desk::new();
    let mut again = |appended: i64, part: u16, text: &str, first: &str| {
        let origin = format!("{}/0/{first}/5", "0".repeat(32));
        let offset = appended / 1000;
        let record =
            Record { origin: Some(origin.as_bytes()), ..Record::plain(part, offset, appended, Some(text.as_bytes())) };
        desk.take_all(std::iter::once(record));
        let rejected = ["malformed", "future_time", "invalid_value"].map(|code| desk.count(code)).iter().sum();
        [desk.count("accepted"), desk.count("late"), desk.count("duplicate"), rejected]
    };
    let fine = r#"{"source":"s","kind":"air","time":99000}"#;
    let ahead = r#"{"source":"s","kind":"air","time":999000}"#;
    assert_eq!(again(100_000, 0, "{", "7"), [0, 0, 0, 1]);
    assert_eq!(again(101_000, 0, ahead, "7"), [0, 0, 0, 2], "from the future");
    assert_eq!(again(102_000, 0, fine, "7"), [1, 0, 0, 2]);
    assert_eq!(again(103_000, 0, fine, "7"), [1, 0, 1, 2]);
    assert_eq!(again(104_000, 0, ahead, "7"), [1, 0, 1, 3], "what is rejected is no repeat");
    assert_eq!(again(105_000, 0, fine, "8"), [2, 0, 1, 3], "another origin");
    assert_eq!(again(106_000, 2, &report("1", ""), "7"), [3, 0, 1, 3], "another partition");
    assert_eq!(again(107_000, 2, &report("2", ""), "7"), [3, 0, 2, 3]);
    assert_eq!(again(108_000, 2, &report("3", ""), "x"), [3, 0, 2, 4], "an origin nobody can read");
    let late = 100 * DAY;
    assert_eq!(again(late, 0, fine, "9"), [3, 1, 2, 4]);
    assert_eq!(again(late + 1000, 0, fine, "9"), [3, 1, 3, 4], "what is late was taken");
}
