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
