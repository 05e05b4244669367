//! One entity in two partitions, of one worker or of two.

use super::*;

#[test]
fn a_rule_that_ends_clears_what_it_held_wherever_the_entity_was_first_seen() {
    let rule = r#"{"id":"now","version":1,"title":{"en":"x"},"severity":"minor",
        "threshold":{"value":"t","side":"above","level":30}}"#;
    let rules = [("now", Some(rule), 0), ("now", None, 200_000)];
    let timeline = timeline_of(&[GRID], &rules);
    for layout in [&[&[0u16][..], &[1]][..], &[&[0, 1]]] {
        let shared = shared();
        let mut workers: Vec<Intake> = layout.iter().map(|parts| Intake::new(&shared, parts, 1_000)).collect();
        let mut take = |part: u16, offset: i64, appended: i64, value: i64| {
            let text = format!(r#"{{"source":"s","kind":"air","time":{appended},"values":{{"t":{value}}}}}"#);
            let record = Record::plain(part, offset, appended, Some(text.as_bytes()));
            let mut out = Outbox::default();
            let worker = layout.iter().position(|parts| parts.contains(&part)).expect("a worker");
            workers[worker].set_timeline(Arc::clone(&timeline));
            workers[worker].take_known(&shared, std::iter::once(record), i64::MAX, std::iter::empty(), &mut out);
            workers[worker].settle(&shared, "x");
            out.alerts.iter().map(|alert| (alert.transition, alert.seq)).collect::<Vec<_>>()
        };
        assert!(take(0, 0, 100_000, 1).is_empty());
        assert_eq!(take(1, 0, 100_000, 31), [(Transition::Raised, 1)]);
        assert_eq!(take(1, 1, 200_000, 31), [(Transition::Cleared, 2)], "the rule is gone");
        assert!(take(0, 1, 200_000, 1).is_empty());
        assert_eq!(shared.metrics.misrouted.get(), 2);
    }
}
