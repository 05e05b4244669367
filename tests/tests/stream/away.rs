//! ClickHouse away, Kafka away, and an end in time all the same.

use super::*;
use gridwarden_embedded::clickhouse::ClickHouseProcess;
use gridwarden_embedded::kafka::KafkaProcess;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::parts;

const HOT: (&str, &str) = (
    "hot",
    r#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"major",
        "threshold":{"value":"t","side":"above","level":90}}"#,
);

#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_may_be_away_alerts_go_on_and_windows_come_later() {
    const TEST: &str = "stream_without_clickhouse";
    let options = parts::clickhouse_options(TEST);
    let url = format!("http://{}", options.engine.listen);
    let parts = Parts { kafka: parts::kafka(TEST), clickhouse: parts::config_of(&url, TEST) };
    let (producer, city) = made(TEST, &parts, &[HOT]).await;
    // Not there when the stream starts.
    let stream = Stream::start(&parts, &city).await;
    let begin = now_ms();
    observe(&producer, "s", begin, 0.5, 95.0).await;
    until_alerts(&parts, &stream, 1).await;
    let start = async |options| {
        let started = tokio::task::spawn_blocking(move || ClickHouseProcess::start(&options)).await.expect("task");
        started.expect("ClickHouse starts")
    };
    let mut engine = start(options.clone()).await;
    let sums = "SELECT sum(count) FROM area_metrics WHERE metric = 'air' AND window_s = 10 AND code = 'C'";
    until_count(&parts, sums, 1).await;
    // Killed, and gone for a while.
    engine.kill();
    drop(engine);
    observe(&producer, "s", begin + 1, 0.5, 1.0).await;
    observe(&producer, "s", begin + 2, 0.5, 95.0).await;
    until_alerts(&parts, &stream, 3).await;
    let engine = start(options).await;
    until_count(&parts, sums, 3).await;
    until_count(&parts, "SELECT count() FROM entity_latest WHERE value_numbers = [95]", 1).await;
    drop(engine);
    // And gone again at the end.
    observe(&producer, "s", begin + 3, 0.5, 1.0).await;
    until_alerts(&parts, &stream, 4).await;
    stream.stop().await;
}

/// `CKP-6`: windows nobody takes lie in checkpoints, not in memory; through a restart, too.
#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_may_be_away_for_long_and_memory_stays_bounded() {
    const TEST: &str = "stream_long_without_clickhouse";
    const KINDS: usize = 600;
    const PANES: usize = 60;
    let options = parts::clickhouse_options(TEST);
    let url = format!("http://{}", options.engine.listen);
    let parts = Parts { kafka: parts::kafka(TEST), clickhouse: parts::config_of(&url, TEST) };
    let (producer, city) = made(TEST, &parts, &[HOT]).await;
    let small = |config: &mut gridwarden_stream::Config| {
        config.checkpoints.every_ms = 200;
        config.stream.windows_mib = 2;
        config.stream.workers = 2;
    };
    let bytes = async |stream: &Stream| stream.figure("gridwarden_stream_window_bytes").await;
    let bounded = async |stream: &Stream| {
        stream.until("gridwarden_stream_windows_lent_total", 10.0).await;
        wait::until_async("two workers with a MiB each, and what is open", SOON, || async {
            let held = bytes(stream).await;
            if held < 3_500_000.0 { Ok(()) } else { Err(held.to_string()) }
        })
        .await;
    };
    let stream = Stream::with(&parts, &city, small).await;
    let begin = now_ms() - 10_000 * PANES as i64;
    let one = |number: usize| {
        let (kind, time) = (number % KINDS, begin + 10_000 * (number / KINDS) as i64);
        let text = observation(&format!("s{kind}"), time, 0.5, 1.0);
        (format!("s{kind}"), text.replace("\"air\"", &format!("\"kind{kind}\"")))
    };
    send(&producer, OBSERVATIONS, &(0..KINDS * PANES).map(one).collect::<Vec<_>>()).await;
    stream.until_conserved((KINDS * PANES) as u64).await;
    bounded(&stream).await;
    // For windows that are lent, and rules go on.
    let late: Vec<(String, String)> = (KINDS * 20..KINDS * 21).map(one).collect();
    send(&producer, OBSERVATIONS, &late).await;
    observe(&producer, "hot", now_ms(), 0.5, 95.0).await;
    until_alerts(&parts, &stream, 1).await;
    stream.until("gridwarden_stream_records_read_total", (KINDS * (PANES + 1) + 1) as f64).await;
    let written = stream.figure("gridwarden_stream_checkpoints_total").await;
    stream.until("gridwarden_stream_checkpoints_total", written + 2.0).await;
    stream.stop().await;
    let stream = Stream::with(&parts, &city, small).await;
    bounded(&stream).await;
    let engine = tokio::task::spawn_blocking(move || ClickHouseProcess::start(&options)).await.expect("task");
    let engine = engine.expect("ClickHouse starts");
    for window_s in [10, 60] {
        let sum = format!(
            "SELECT sum(count) FROM area_metrics WHERE level = 'city' AND window_s = {window_s} AND metric LIKE 'kind%' \
             AND metric NOT LIKE '%.%'"
        );
        until_count(&parts, &sum, (KINDS * (PANES + 1)) as u64).await;
    }
    assert!(
        stream.figure("gridwarden_stream_windows_back_total").await > 3.0,
        "what did not fit into the queue was read back"
    );
    assert_eq!(stream.figure("gridwarden_stream_records_read_total").await, 0.0, "not from the log");
    stream.stop().await;
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_may_be_away_the_reason_is_shown_and_it_goes_on_where_it_was() {
    const TEST: &str = "stream_without_kafka";
    let options = parts::kafka_options(TEST);
    let start = async |options| {
        let started = tokio::task::spawn_blocking(move || KafkaProcess::start(options)).await.expect("task");
        started.expect("Kafka starts")
    };
    let mut broker = start(options.clone()).await;
    let parts = Parts { kafka: KafkaConfig::plain(&broker.bootstrap()), clickhouse: parts::clickhouse(TEST) };
    let (producer, city) = made(TEST, &parts, &[HOT]).await;
    let stream = Stream::start(&parts, &city).await;
    let begin = now_ms();
    observe(&producer, "s", begin, 0.5, 95.0).await;
    until_alerts(&parts, &stream, 1).await;
    broker.process().kill();
    drop(broker);
    wait::until_async("the reason", SOON, || async {
        let readiness = stream.get("/readyz").await;
        let told = readiness.contains("\"kafka\"") && readiness.contains("control topics are known up to");
        if told { Ok(()) } else { Err(readiness) }
    })
    .await;
    let broker = start(options).await;
    observe(&producer, "s", begin + 1, 0.5, 1.0).await;
    until_alerts(&parts, &stream, 2).await;
    let sums = "SELECT sum(count) FROM area_metrics WHERE metric = 'air' AND window_s = 10 AND code = 'C'";
    until_count(&parts, sums, 2).await;
    wait::until_async("readiness", SOON, || async {
        let readiness = stream.get("/readyz").await;
        if readiness.contains("\"ok\":true") { Ok(()) } else { Err(readiness) }
    })
    .await;
    // Alerts that wait for a broker that never comes back do not hold up the end.
    observe(&producer, "s", begin + 2, 0.5, 95.0).await;
    drop(broker);
    stream.stop().await;
    // Nor does one that is not there at the beginning.
    let stream = Stream::start(&parts, &city).await;
    wait::until_async("the reason", SOON, || async {
        let readiness = stream.get("/readyz").await;
        if readiness.contains("kafka") { Ok(()) } else { Err(readiness) }
    })
    .await;
    stream.stop().await;
}
