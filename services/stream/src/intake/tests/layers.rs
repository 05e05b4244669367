//! Areas that overlap, areas without one above, several layers.

use super::*;

const BEATS: (&str, &str) = (
    r#"{"layer":"beats","levels":[{"id":"city"},{"id":"district"},{"id":"beat"}]}"#,
    r#"[{"code":"C","level":0},
        {"code":"D","level":1,"parent":"C"},
        {"code":"E","level":1,"parent":"C","polygons":[[[[0,0],[1,0],[1,1],[0,1],[0,0]]]]},
        {"code":"p","level":2,"parent":"D","polygons":[[[[0,0],[1,0],[1,1],[0,1],[0,0]]]]},
        {"code":"q","level":2,"parent":"D","polygons":[[[[0.4,0],[2,0],[2,1],[0.4,1],[0.4,0]]]]},
        {"code":"lone","level":2,"polygons":[[[[0.9,0],[2,0],[2,1],[0.9,1],[0.9,0]]]]}]"#,
);

fn counts(desk: &mut Desk) -> BTreeMap<String, u64> {
    let totals = desk.totals().into_iter();
    totals.filter(|((_, metric, _), _)| metric == "air").map(|((area, ..), (count, _))| (area, count)).collect()
}

#[test]
fn an_event_counts_once_in_every_area_it_lies_in_however_many_lie_below() {
    let mut desk = Desk::with(timeline_of(&[GRID, BEATS], &[]));
    let events = [0.1, 0.5, 0.95, 1.5];
    for lon in events {
        desk.observe(100_000, "s", Some(lon), 1.0);
    }
    let expected = [("C", 4), ("D", 4), ("E", 3), ("p", 3), ("q", 3), ("lone", 2), ("a", 3), ("b", 1), ("d", 4)];
    let expected: BTreeMap<String, u64> = expected.map(|(code, count)| (code.to_owned(), count)).into();
    assert_eq!(counts(&mut desk), expected);
}

#[test]
fn an_entity_stands_once_in_what_its_areas_share_above() {
    let mut desk = Desk::with(timeline_of(&[BEATS], &[("hot", Some(HOT), 0)]));
    desk.observe(100_000, "s", Some(0.95), 31.0);
    desk.observe(200_000, "t", Some(5.0), 1.0);
    let alert = desk.out.alerts.pop().expect("raised");
    let codes: Vec<&str> = alert.areas.iter().map(|area| area.code.as_str()).collect();
    assert_eq!(codes, ["E", "C", "lone", "p", "D", "q"]);
}

#[test]
fn boundaries_are_those_of_the_events_time() {
    let redrawn = (
        r#"{"layer":"grid","levels":[{"id":"cell"}]}"#,
        r#"[{"code":"old","level":0,"valid_to":50000,"polygons":[[[[0,0],[1,0],[1,1],[0,1],[0,0]]]]},
            {"code":"new","level":0,"valid_from":50000,"polygons":[[[[0,0],[1,0],[1,1],[0,1],[0,0]]]]}]"#,
    );
    let mut desk = Desk::with(timeline_of(&[redrawn], &[]));
    for time in [49_999, 50_000] {
        let text = format!(r#"{{"source":"s","kind":"air","time":{time},"position":{{"lon":0.5,"lat":0.5}}}}"#);
        desk.take(0, 60_000, &text);
    }
    assert_eq!(counts(&mut desk), [("new".to_owned(), 1), ("old".to_owned(), 1)].into());
}

#[test]
fn a_threshold_in_an_area_follows_an_entity_that_does_not_say_where_it_is() {
    let rule = r#"{"id":"here","version":1,"title":{"en":"x"},"severity":"minor",
        "select":{"areas":[{"layer":"grid","code":"a"}]},
        "threshold":{"value":"t","side":"above","level":30,"clear":20}}"#;
    let mut desk = Desk::with(timeline_of(&[GRID], &[("here", Some(rule), 0)]));
    desk.observe(100_000, "s", None, 31.0);
    assert!(desk.out.alerts.is_empty(), "never seen in the area");
    desk.observe(100_000, "s", Some(0.5), 31.0);
    desk.observe(101_000, "s", None, 25.0);
    assert_eq!(desk.out.alerts.len(), 1, "not below the clearing level");
    desk.observe(102_000, "s", None, 19.0);
    desk.observe(103_000, "s", Some(0.5), 31.0);
    desk.observe(104_000, "s", Some(1.5), 31.0);
    let said: Vec<(Transition, i64)> = desk.out.alerts.iter().map(|alert| (alert.transition, alert.time)).collect();
    let (raised, cleared) = (Transition::Raised, Transition::Cleared);
    assert_eq!(said, [(raised, 100_000), (cleared, 102_000), (raised, 103_000), (cleared, 104_000)]);
}

#[test]
fn an_entity_that_is_no_longer_registered_is_nowhere_and_its_alert_still_ends() {
    let rule = r#"{"id":"here","version":1,"title":{"en":"x"},"severity":"minor",
        "select":{"areas":[{"layer":"grid","code":"d"}]},"threshold":{"value":"t","side":"above","level":30}}"#;
    let mut fold = Fold::new();
    publish_layer(&mut fold, GRID, 0);
    fold.rule(b"here", Some(rule.as_bytes()), 0).expect("rule");
    let sensor = br#"{"id":"s","kind":"air","position":{"lon":1.5,"lat":0.5}}"#;
    fold.registry(b"s", Some(sensor), 0).expect("entity");
    fold.registry(b"s", None, 200_000 - FORCE_DELAY_MS).expect("its end");
    let mut desk = Desk::with(Arc::new(fold.timeline()));
    desk.observe(199_999, "s", None, 31.0);
    assert_eq!((desk.out.alerts.len(), desk.count("nowhere"), desk.deltas().len()), (1, 0, 1));
    desk.observe(200_000, "s", None, 31.0);
    desk.observe(201_000, "s", None, 30.0);
    assert_eq!((desk.count("nowhere"), desk.deltas().len()), (2, 0));
    let said: Vec<(Transition, i64)> = desk.out.alerts.iter().map(|alert| (alert.transition, alert.time)).collect();
    assert_eq!(said, [(Transition::Raised, 199_999), (Transition::Cleared, 201_000)]);
}
