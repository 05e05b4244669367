//! Rules that come, change and go while alerts are open; holds.

use super::*;
use gridwarden_bus::topics::RULES;
use gridwarden_runtime::clock::now_ms;

fn hot(version: u32, level: u32) -> String {
    format!(
        r#"{{"id":"hot","version":{version},"title":{{"en":"Hot"}},"severity":"major",
            "threshold":{{"value":"t","side":"above","level":{level},"clear":50}}}}"#
    )
}

/// A change is in force for what is appended two seconds later, and not before.
async fn in_force() {
    tokio::time::sleep(Duration::from_millis(2_100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_changes_or_goes_clears_what_it_raised_two_seconds_after_it_was_told() {
    const TEST: &str = "stream_rules";
    let parts = Parts::named(TEST);
    let first = hot(1, 90);
    let (producer, city) = made(TEST, &parts, &[("hot", first.as_str())]).await;
    let stream = Stream::start(&parts, &city).await;
    let begin = now_ms();
    let mut time = begin;
    let mut next = async |value: f64| {
        time += 1;
        observe(&producer, "s", time, 0.5, value).await;
        time
    };
    let raised = next(95.0).await;
    publish_rule(&producer, "hot", Some(&hot(2, 97))).await;
    next(95.0).await;
    in_force().await;
    // No longer over the level; the rule that raised is gone.
    next(95.0).await;
    let again = next(98.0).await;
    publish_rule(&producer, "hot", None).await;
    in_force().await;
    next(98.0).await;
    next(99.0).await;
    let found = until_alerts(&parts, &stream, 4).await;

    let (up, down) = (Transition::Raised, Transition::Cleared);
    let transitions: Vec<_> = found.iter().map(|alert| (alert.transition, alert.seq, alert.rule_version)).collect();
    assert_eq!(transitions.iter().filter(|said| **said == (up, 1, 1) || **said == (down, 2, 1)).count(), 2);
    assert_eq!(transitions.iter().filter(|said| **said == (up, 1, 2) || **said == (down, 2, 2)).count(), 2);
    for version in [1, 2] {
        let of = |transition| {
            let found = found.iter().find(|alert| alert.rule_version == version && alert.transition == transition);
            found.expect("both")
        };
        assert_eq!(of(up).id, of(down).id);
        assert_eq!(of(up).time, if version == 1 { raised } else { again });
        // The record that cleared is the first appended two seconds after the change or later.
        let changed = rule_changes(&parts).await[version as usize];
        assert!(of(down).appended_at >= changed + 2_000 && of(up).appended_at < changed + 2_000);
    }
    assert_ne!(found[0].id, found.iter().find(|alert| alert.rule_version != found[0].rule_version).expect("two").id);
    stream.stop().await;

    // Once more from the beginning: nothing new to say, whatever is in force by now.
    let stream = Stream::with_workers(&parts, &city, 1).await;
    stream.until("gridwarden_stream_alerts_known_total", 4.0).await;
    stream.until_conserved(6).await;
    assert_eq!(stream.figure("gridwarden_stream_alerts_total").await, 4.0);
    stream.stop().await;
}

/// When each record of the rules' topic was appended.
async fn rule_changes(parts: &Parts) -> Vec<i64> {
    let kafka = parts.kafka.clone();
    let read = move || read_all(&kafka, RULES, |record| record.appended_ms);
    tokio::task::spawn_blocking(read).await.expect("task")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_raised_by_the_partitions_own_clock_when_the_entity_falls_silent() {
    const TEST: &str = "stream_hold";
    let parts = Parts::named(TEST);
    let rule = r#"{"id":"held","version":1,"title":{"en":"Held"},"severity":"major",
        "threshold":{"value":"t","side":"above","level":90,"hold_s":2}}"#;
    let (producer, city) = made(TEST, &parts, &[("held", rule)]).await;
    let file = city.folder.join("city.toml");
    let text = std::fs::read_to_string(&file).expect("city.toml");
    std::fs::write(&file, text.replace("[[feeds]]", "[limits]\nlateness_s = 1\nmax_age_days = 7\n[[feeds]]"))
        .expect("limits");
    let stream = Stream::start(&parts, &city).await;
    let begin = now_ms();
    // One that falls silent, one whose next value comes too late to undo it, one that ends in time.
    observe(&producer, "silent", begin, 0.5, 95.0).await;
    observe(&producer, "slow", begin, 0.5, 95.0).await;
    observe(&producer, "slow", begin + 5_000, 0.5, 1.0).await;
    observe(&producer, "quick", begin, 0.5, 95.0).await;
    observe(&producer, "quick", begin + 1_000, 0.5, 1.0).await;
    let found = until_alerts(&parts, &stream, 2).await;
    let (up, down) = (Transition::Raised, Transition::Cleared);
    assert_eq!(said(&found, "held"), [(begin + 2_000, up, 1), (begin + 5_000, down, 2)]);
    // Another voice in the silent one's partition shows that its time has come: same key, another source.
    wait::until_async("the hold to be due", SOON, || async {
        let text = observation("voice", now_ms(), 0.5, 1.0);
        producer.send(OBSERVATIONS, Some(b"silent"), Some(text.as_bytes()), &[]).await.expect("acknowledged");
        let raised = stream.figure("gridwarden_stream_alerts_total").await;
        if raised >= 3.0 { Ok(()) } else { Err(raised.to_string()) }
    })
    .await;
    let found = until_alerts(&parts, &stream, 3).await;
    let silent = found.iter().find(|alert| said_of(alert) == "silent").expect("raised");
    assert_eq!((silent.transition, silent.time, silent.value), (up, begin + 2_000, Some(95.0)));
    assert!(silent.appended_at >= begin + 3_000, "raised by a record a second of lateness after it was due");
    stream.stop().await;
}

fn said_of(alert: &Alert) -> &str {
    match &alert.subject {
        gridwarden_domain::alert::Subject::Entity(id) => id,
        other => panic!("{other:?} is no entity"),
    }
}
