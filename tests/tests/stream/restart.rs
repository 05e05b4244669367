//! A restarted stream reads again and says the same.

use super::*;
use crate::support::query;
use gridwarden_bus::topics::REPORTS;
use gridwarden_runtime::clock::now_ms;

const RULES: [(&str, &str); 2] = [
    (
        "hot",
        r#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"major","select":{"kinds":["air"]},
            "threshold":{"value":"t","side":"above","level":90,"clear":80}}"#,
    ),
    (
        "in-b",
        r#"{"id":"in-b","version":1,"title":{"en":"In b"},"severity":"minor",
            "fence":{"shape":{"area":{"layer":"grid","code":"b"}},"on":"enter"}}"#,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn windows_alerts_and_latest_states_come_of_events_and_stay_the_same_after_a_restart() {
    const TEST: &str = "stream_whole";
    let parts = Parts::named(TEST);
    let (producer, city) = made(TEST, &parts, &RULES).await;
    let begin = now_ms();
    for number in 0..300u32 {
        let source = format!("s{}", number % 20);
        let (lon, value) = (0.5 + f64::from(number % 2), f64::from(number % 60));
        observe(&producer, &source, begin + i64::from(number), lon, value).await;
    }
    // Over the level, still over the clearing level, under it; then into the fence and out of it.
    for (step, value) in (0i64..).zip([95.0, 85.0, 79.0]) {
        observe(&producer, "hot", begin + step, 0.5, value).await;
    }
    for (step, lon) in (0i64..).zip([0.5, 1.5, 1.6, 0.5]) {
        observe(&producer, "mover", begin + step, lon, 1.0).await;
    }
    let report = format!(
        r#"{{"id":"r","channel":"citizen","class":{{"catalogue":"c","kind":"event","code":"01"}},"time":{begin},"area":"a"}}"#
    );
    producer.send(REPORTS, Some(b"r"), Some(report.as_bytes()), &[]).await.expect("report");
    producer.send(OBSERVATIONS, Some(b"x"), Some(b"{"), &[]).await.expect("malformed");

    let stream = Stream::start(&parts, &city).await;
    let total = "SELECT sum(count) FROM area_metrics WHERE metric = 'air' AND window_s = 10";
    until_count(&parts, &format!("{total} AND level = 'city'"), 307).await;
    until_count(&parts, &format!("{total} AND level = 'cell'"), 307).await;
    let minutes = "SELECT sum(count) FROM area_metrics WHERE metric = 'air.t' AND window_s = 60 AND level = 'city'";
    until_count(&parts, minutes, 307).await;
    until_count(
        &parts,
        "SELECT toUInt64(sum(sum)) FROM area_metrics WHERE metric = 'air.t' AND window_s = 10 AND code = 'b'",
        (0..300u64).filter(|number| number % 2 == 1).map(|number| number % 60).sum::<u64>() + 2,
    )
    .await;
    until_count(&parts, "SELECT sum(count) FROM area_metrics WHERE metric = 'reports.01' AND window_s = 10", 2).await;
    until_count(&parts, "SELECT count() FROM entity_latest", 22).await;
    let mover = "SELECT area_codes[1], value_names[1] FROM entity_latest WHERE source = 'mover'";
    assert_eq!(query(&parts, mover).await.trim(), "a\tt");
    let raised = until_alerts(&parts, &stream, 4).await;
    let (up, down) = (Transition::Raised, Transition::Cleared);
    assert_eq!(said(&raised, "hot"), [(begin, up, 1), (begin + 2, down, 2)]);
    assert_eq!(said(&raised, "in-b"), [(begin + 1, up, 1), (begin + 3, down, 2)], "20 sensors stay where they are");
    assert_eq!(stream.figure("gridwarden_stream_records_rejected_total").await, 1.0);
    stream.until_conserved(309).await;
    // Two workers: all is read, so both have the shortest retention, a week.
    stream.until("gridwarden_stream_loss_in_seconds", 2.0 * 604_800.0).await;
    stream.stop().await;

    // Again from the log's beginning, by another number of workers: the same rows, no alert twice.
    let all = "SELECT * EXCEPT (closed) FROM area_metrics ORDER BY ALL";
    let before = query(&parts, all).await;
    for workers in [1, 3] {
        let stream = Stream::with_workers(&parts, &city, workers).await;
        stream.until("gridwarden_stream_alerts_known_total", 4.0).await;
        stream.until("gridwarden_store_rows_total", 22.0).await;
        assert_eq!(query(&parts, all).await, before);
        assert_eq!(alerts_of(&parts).await.len(), 4);
        stream.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_window_says_so_and_takes_what_comes_late() {
    const TEST: &str = "stream_late";
    let parts = Parts::named(TEST);
    let (producer, city) = made(TEST, &parts, &[]).await;
    // A window that the watermark has passed already: lateness is 10 s.
    let old = now_ms() - 120_000;
    observe(&producer, "s", old, 0.5, 1.0).await;
    let stream = Stream::start(&parts, &city).await;
    let closed = "SELECT sum(count) FROM area_metrics WHERE metric = 'air' AND level = 'city' AND closed";
    until_count(&parts, closed, 2).await;
    observe(&producer, "t", old, 0.5, 1.0).await;
    until_count(&parts, closed, 4).await;
    // Later than anything remembered: counted, not in the windows.
    observe(&producer, "t", old - 800_000, 0.5, 1.0).await;
    stream.until("gridwarden_stream_records_too_late_for_windows_total", 1.0).await;
    assert_eq!(count(&parts, closed).await, 4);
    stream.stop().await;
}
