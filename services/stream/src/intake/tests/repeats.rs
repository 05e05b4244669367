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
