//! A historical feed: its own clock, no age limit, and an end.

use super::*;
use gridwarden_bus::topics::REPORTS;
use gridwarden_runtime::clock::now_ms;

const PAST: [(&str, &[u8]); 1] = [("feed", b"past")];
/// 2020-01-01T00:00:00Z.
const BEGIN: i64 = 1_577_836_800_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_historical_feed_closes_its_windows_by_its_own_clock_and_all_of_them_at_its_end() {
    const TEST: &str = "stream_past";
    let parts = Parts::named(TEST);
    let (producer, city) = made(TEST, &parts, &[]).await;
    let stream = Stream::start(&parts, &city).await;
    let report = |id: i64, time: i64| {
        format!(
            r#"{{"id":"{id}","channel":"citizen","class":{{"catalogue":"c","kind":"event","code":"01"}},"time":{time},"area":"a"}}"#
        )
    };
    let partitions = topic_meta(&parts.kafka, REPORTS).expect("topic").partitions;
    let past = async |id: i64, time: i64, partition: i32| {
        let text = report(id, time);
        let (key, payload) = (Some(&b"k"[..]), Some(text.as_bytes()));
        let message = Message { topic: REPORTS, key, payload, headers: &PAST, partition: Some(partition) };
        producer.submit(&message).await.expect("queued").await.expect("acknowledged");
    };
    // An hour, a report in every minute of every partition.
    for minute in 0..60i64 {
        for partition in 0..partitions {
            past(minute * 100 + i64::from(partition), BEGIN + minute * 60_000, partition).await;
        }
    }
    // The same without its feed is too old to be live; a live one is none of the past's business.
    producer.send(REPORTS, Some(b"old"), Some(report(-1, BEGIN).as_bytes()), &[]).await.expect("acknowledged");
    producer.send(REPORTS, Some(b"now"), Some(report(-2, now_ms()).as_bytes()), &[]).await.expect("acknowledged");
    let sums = "SELECT sum(count) FROM area_metrics WHERE metric = 'reports.01' AND window_s = 60 AND code = 'C'";
    let past_sums = format!("{sums} AND window_start < '2021-01-01'");
    let all = partitions as u64 * 60;
    until_count(&parts, &past_sums, all).await;
    // Everything but the last minute is behind the feed's own clock: the slowest partition has come to 00:59:00 less 10 s.
    until_count(&parts, &format!("{past_sums} AND closed"), all - partitions as u64 * 2).await;
    until_count(&parts, &format!("{sums} AND window_start > '2021-01-01'"), 1).await;

    for partition in 0..partitions {
        let message = Message {
            topic: REPORTS,
            key: None,
            payload: None,
            headers: &[("end", b"past")],
            partition: Some(partition),
        };
        producer.submit(&message).await.expect("queued").await.expect("acknowledged");
    }
    until_count(&parts, &format!("{past_sums} AND closed"), all).await;
    // Played once more: the ids are known, the figures stay.
    for partition in 0..partitions {
        past(i64::from(partition), BEGIN, partition).await;
    }
    let metrics = stream.until_conserved(all + 2 + 2 * partitions as u64).await;
    let of = |name: &str| sum(&metrics, &format!("gridwarden_stream_records_{name}_total"));
    assert_eq!([of("late"), of("duplicate"), of("marker")], [1.0, f64::from(partitions), f64::from(partitions)]);
    until_count(&parts, &past_sums, all).await;
    stream.stop().await;
}
