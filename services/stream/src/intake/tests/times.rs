//! Append times, event times, clocks of partitions and feeds.

use super::*;

#[test]
fn what_is_too_late_for_windows_is_counted_and_left_out() {
    let mut desk = Desk::new();
    desk.observe(10 * DAY, "s", Some(0.5), 1.0);
    let old = 10 * DAY - LATENESS - KEEP_MS;
    for time in [old, old - 1] {
        let text = format!(
            r#"{{"source":"s","kind":"air","time":{time},"position":{{"lon":0.5,"lat":0.5}},"values":{{"t":1}}}}"#
        );
        desk.take(0, 10 * DAY, &text);
    }
    assert_eq!((desk.deltas().len(), desk.count("too late"), desk.count("accepted")), (2, 1, 3));
}

#[test]
fn a_stamp_that_steps_back_is_too_late_for_rules_but_not_for_windows() {
    let mut desk = Desk::new();
    desk.observe(200_000, "s", Some(0.5), 1.0);
    desk.observe(190_000, "s", Some(0.5), 99.0);
    assert_eq!((desk.count("stepped back"), desk.deltas().len()), (1, 2));
    desk.observe(500_000, "t", Some(0.5), 1.0);
    assert!(desk.out.alerts.is_empty());
}

#[test]
fn a_historical_feed_has_its_own_clock_until_its_end() {
    let mut desk = Desk::new();
    let now = 1_000 * DAY;
    let text = |time: i64| {
        format!(r#"{{"source":"s","kind":"air","time":{time},"position":{{"lon":0.5,"lat":0.5}},"values":{{"t":1}}}}"#)
    };
    desk.take_with(0, now, Some(&text(50_000)), Some("past"));
    assert_eq!((desk.deltas().len(), desk.count("late")), (1, 0));
    let live = now - LATENESS;
    let marks = desk.marks();
    assert!(marks.contains(&(0, 1, 40_000)) && marks.contains(&(0, 0, live)), "{marks:?}");
    desk.take_with(0, now, None, Some("past"));
    assert_eq!(desk.marks(), [(0, 1, i64::MAX)], "only what changed");
    // Played once more: it begins anew.
    desk.take_with(0, now, Some(&text(20_000)), Some("past"));
    assert_eq!((desk.deltas().len(), desk.marks()), (1, vec![(0, 1, 10_000)]));
}

#[test]
fn a_partition_read_to_its_end_counts_as_the_moment_of_asking() {
    let mut desk = Desk::new();
    desk.observe(100_000, "s", Some(0.5), 1.0);
    desk.marks();
    assert_eq!(desk.intake.end_known(0, 2, 500_000), 1, "one record is still to come");
    assert!(desk.marks().is_empty());
    assert_eq!(desk.intake.end_known(0, 1, 500_000), 0);
    assert_eq!(desk.marks(), [(0, 0, 500_000 - LATENESS)]);
    assert_eq!(desk.intake.end_known(1, 0, 600_000), 0, "an empty partition");
    desk.intake.end_reached(1, 0);
    desk.intake.end_known(1, 0, 700_000);
    assert_eq!(desk.marks(), [(1, 0, 700_000 - LATENESS)]);
}

#[test]
fn what_is_in_force_is_not_known_yet_so_records_wait_and_the_ends_behind_them() {
    let mut desk = Desk::new();
    let text = |time: i64| format!(r#"{{"source":"s","kind":"air","time":{time},"position":{{"lon":0.5,"lat":0.5}}}}"#);
    let texts = [text(100_000), text(102_000)];
    let record = |number: usize| {
        Record::plain(number as u16, 0, 100_000 + 2_000 * number as i64, Some(texts[number].as_bytes()))
    };
    let take = |desk: &mut Desk, from: usize, known_until: i64| {
        let ends = [(0, 1), (1, 1)].into_iter();
        desk.intake.take_known(&desk.shared, (from..2).map(record), known_until, ends, &mut desk.out)
    };
    assert_eq!(take(&mut desk, 0, 101_999), 1, "the second is held");
    desk.marks();
    assert_eq!(desk.intake.end_known(1, 1, 700_000), 1, "it is still to come");
    assert!(desk.marks().is_empty(), "a partition whose records are held is not idle");
    assert_eq!(take(&mut desk, 1, 102_000), 1);
    assert_eq!(desk.intake.end_known(1, 1, 700_000), 0);
    assert_eq!(desk.marks(), [(1, 0, 700_000 - LATENESS)]);
    assert_eq!((desk.deltas().len(), desk.intake.newest()), (2, 102_000));
}

const NOW: &str = r#"{"id":"now","version":1,"title":{"en":"x"},"severity":"minor",
    "threshold":{"value":"t","side":"above","level":30}}"#;

#[test]
fn a_stamp_that_steps_back_over_a_change_does_not_undo_the_rule() {
    let mut desk = Desk::with(timeline_of(&[GRID], &[("now", Some(NOW), 200_000)]));
    desk.observe(200_500, "s", Some(0.5), 31.0);
    assert_eq!(desk.out.alerts.len(), 1);
    for appended in [199_800, 100_000] {
        desk.observe(appended, "t", Some(0.5), 1.0);
    }
    // News of another change make everyone look again, just now.
    desk.intake.set_timeline(timeline_of(&[GRID], &[("now", Some(NOW), 200_000), ("x", None, 900_000)]));
    desk.observe(199_900, "s", Some(0.5), 31.0);
    desk.observe(201_000, "s", Some(0.5), 31.0);
    assert_eq!(desk.out.alerts.len(), 1, "raised once, never cleared");
}

#[test]
fn areas_are_those_in_force_at_the_records_own_stamp() {
    let mut fold = Fold::new();
    publish_layer(&mut fold, GRID, 0);
    publish_layer(&mut fold, replay::REDRAWN, 200_000 - FORCE_DELAY_MS);
    let mut desk = Desk::with(Arc::new(fold.timeline()));
    for appended in [199_999, 200_500, 199_800, 200_600] {
        desk.observe(appended, "s", Some(0.8), 1.0);
    }
    let areas: Vec<String> = desk.deltas().iter().map(|delta| desk.area(delta.area)).collect();
    assert_eq!(areas, ["a", "b", "a", "b"]);
}

#[test]
fn a_partition_of_which_nothing_is_known_says_nothing() {
    let mut desk = Desk::new();
    assert!(desk.marks().is_empty());
    desk.observe(100_000, "s", Some(0.5), 1.0);
    assert_eq!(desk.marks(), [(0, 0, 90_000)]);
}

#[test]
fn records_kept_from_rules_are_told_once() {
    let mut desk = Desk::new();
    desk.observe(200_000, "s", Some(0.5), 1.0);
    desk.observe(190_000, "s", Some(0.5), 1.0);
    assert_eq!((desk.intake.take_stepped_back(), desk.intake.take_stepped_back()), (1, 0));
}

#[test]
fn a_feeds_end_is_the_end_of_time_for_its_holds() {
    let mut desk = Desk::new();
    let text = r#"{"source":"s","kind":"air","time":50000,"values":{"t":31}}"#;
    desk.take_with(0, 1_000 * DAY, Some(text), Some("past"));
    assert!(desk.out.alerts.is_empty());
    desk.take_with(0, 1_000 * DAY, None, Some("past"));
    let alert = desk.out.alerts.pop().expect("raised");
    assert_eq!((alert.transition, alert.time, alert.cause.offset), (Transition::Raised, 70_000, 1));
    desk.take_with(0, 1_000 * DAY, None, Some("past"));
    assert!(desk.out.alerts.is_empty(), "once");
}

#[test]
fn a_feed_nobody_can_read_is_a_reason() {
    let mut desk = Desk::new();
    let payload = br#"{"source":"s","kind":"air","time":100000}"#;
    for feed in [&b"\xff"[..], b"nobody's"] {
        let record = Record { feed: Some(feed), ..Record::plain(0, 0, 100_000, Some(payload)) };
        desk.intake.take_known(&desk.shared, std::iter::once(record), i64::MAX, std::iter::empty(), &mut desk.out);
    }
    assert_eq!((desk.count("not_utf8"), desk.count("accepted")), (1, 1));
}
