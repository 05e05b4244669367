//! The archive dies, its neighbours go away, it is told to end.

use super::{SOON, figure, good, made, observation, send, until_rows};
use crate::support::{Archive, City, count};
use gridwarden_bus::topics::{OBSERVATIONS, REJECTS, ensure};
use gridwarden_bus::{KafkaConfig, Offsets, Producer, ProducerOptions};
use gridwarden_embedded::clickhouse::ClickHouseProcess;
use gridwarden_embedded::kafka::KafkaProcess;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::parts::{self, Parts};
use gridwarden_tests::role::{Ground, Role};
use gridwarden_tests::wait;
use std::time::{Duration, Instant};

/// The archive as a process of its own, for SIGKILL.
fn start(test: &str, parts: &Parts, city: &City) -> Role {
    let settings = [("GRIDWARDEN_ARCHIVE__BLOCK_ROWS", "500"), ("GRIDWARDEN_ARCHIVE__BLOCK_MS", "100")];
    Ground { test, parts, city: &city.folder }.start("archive", &[], &settings)
}

/// Its largest resident memory so far, in MiB.
fn most_memory(archive: &Role) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", archive.pid())).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") / 1024
}

/// What was acknowledged is there once, however often the archive dies while it works.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_loses_nothing_and_shows_nothing_twice() {
    const TEST: &str = "archive_killed";
    let (parts, producer) = made(TEST).await;
    let city = City::make(TEST);
    city.publish(&producer).await;
    let feeding = tokio::spawn({
        let producer = producer.clone();
        async move {
            for round in 0..60u32 {
                good(&producer, round * 500, (round + 1) * 500).await;
                let bad: Vec<_> = (0..20).map(|_| (Some("{".to_owned()), &[][..])).collect();
                send(&producer, OBSERVATIONS, &bad).await;
            }
        }
    });
    let rows = async || count(&parts, "SELECT count() FROM observations_rows").await;
    let mut before = 0;
    for kill in 1..=8u64 {
        let archive = start(TEST, &parts, &city);
        // Each time at another moment between two blocks, or inside of one.
        let aim = before + 700 * kill;
        wait::until_async("some rows more", SOON, || async {
            let now = rows().await;
            if now >= aim.min(29_000) { Ok(()) } else { Err(format!("{now} of {aim}")) }
        })
        .await;
        drop(archive);
        before = rows().await;
    }
    feeding.await.expect("fed");
    let archive = start(TEST, &parts, &city);
    until_rows(&parts, "observations", 30_000).await;
    until_rows(&parts, "rejects", 1200).await;
    drop(archive);
    assert_eq!(count(&parts, "SELECT uniqExact(id) FROM observations").await, 30_000, "nothing is lost");
    let places = "SELECT uniqExact(topic_id, partition, offset) FROM";
    assert_eq!(count(&parts, &format!("{places} observations")).await, 30_000);
    assert_eq!(count(&parts, &format!("{places} rejects")).await, 1200);
    // A block that was on its way when the process died may be there twice below the view: one at a time, eight deaths.
    let twice = rows().await - 30_000;
    assert!(twice <= 8 * 500, "{twice} rows are there twice");
    // In the topic a reject may stand again, under its key.
    let ends: i64 = ends_of(&parts.kafka, REJECTS, 3).await.iter().sum();
    assert!((1200..=1200 + 8 * 500).contains(&ends), "{ends} rejects in the topic");
}

async fn ends_of(kafka: &KafkaConfig, topic: &'static str, partitions: i32) -> Vec<i64> {
    let kafka = kafka.clone();
    let ask = move || {
        let all: Vec<_> = (0..partitions).map(|partition| (topic, partition)).collect();
        Offsets::open(&kafka).expect("client").ends(&all).expect("ends")
    };
    tokio::task::spawn_blocking(ask).await.expect("thread")
}

/// The shortest retention of what the archive reads, in seconds.
const WEEK_S: i64 = 604_800;

async fn loss_in(archive: &Archive) -> i64 {
    figure(&archive.metrics().await, "gridwarden_archive_loss_in_seconds")
}

#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_away_is_said_and_caught_up() {
    let (mut parts, producer) = made("archive_away").await;
    let city = City::make("archive_away");
    city.publish(&producer).await;
    let options = parts::clickhouse_options("archive_away");
    let mut engine = ClickHouseProcess::start(&options).expect("ClickHouse starts");
    parts.clickhouse = parts::config_of(&engine.url(), "archive_away");
    let archive = Archive::start(&parts, &city).await;
    good(&producer, 0, 500).await;
    until_rows(&parts, "observations", 500).await;
    for round in 1..=2u32 {
        engine.kill();
        good(&producer, round * 500, (round + 1) * 500).await;
        wait::until_async("the archive to say that ClickHouse is away", SOON, || async {
            let said = archive.readiness().await;
            if said.contains("clickhouse") { Ok(()) } else { Err(said) }
        })
        .await;
        engine = ClickHouseProcess::start(&options).expect("ClickHouse starts again");
        until_rows(&parts, "observations", u64::from(round + 1) * 500).await;
    }
    archive.until_ready().await;
    wait::until_async("nothing to wait", SOON, || async {
        let left = loss_in(&archive).await;
        if left == WEEK_S { Ok(()) } else { Err(format!("{left} s")) }
    })
    .await;
    // What waits grows old, and is told when retention comes near it.
    engine.kill();
    good(&producer, 1500, 1600).await;
    wait::until_async("less time than a week", SOON, || async {
        let left = loss_in(&archive).await;
        if (WEEK_S - 600..WEEK_S).contains(&left) { Ok(()) } else { Err(format!("{left} s")) }
    })
    .await;
    let _engine = ClickHouseProcess::start(&options).expect("ClickHouse starts again");
    until_rows(&parts, "observations", 1600).await;
    archive.stop().await;
    assert_eq!(count(&parts, "SELECT uniqExact(id) FROM observations").await, 1600);
}

/// What a service may hold at most, with whatever waits for it.
const LIMIT_MIB: u64 = 512;

/// Back-pressure: while ClickHouse takes nothing, what was read stays small, however much waits in Kafka.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_stays_in_kafka() {
    const TEST: &str = "archive_backlog";
    const RECORDS: u32 = 120_000;
    let (mut parts, producer) = made(TEST).await;
    let city = City::make(TEST);
    city.publish(&producer).await;
    let options = parts::clickhouse_options(TEST);
    let engine = ClickHouseProcess::start(&options).expect("ClickHouse starts");
    parts.clickhouse = parts::config_of(&engine.url(), TEST);
    good(&producer, 0, 500).await;
    let archive = start(TEST, &parts, &city);
    until_rows(&parts, "observations", 500).await;
    drop(engine);
    // 240 MB of which the archive may hold a part.
    let note = "n".repeat(1900);
    let time = now_ms();
    let mut deliveries = Vec::with_capacity(RECORDS as usize);
    for number in 0..RECORDS {
        let text = observation(number, time).replacen('{', &format!(r#"{{"attributes":{{"note":"{note}"}},"#), 1);
        let key = format!("k{}", number % 13);
        let message = gridwarden_bus::Message {
            topic: OBSERVATIONS,
            key: Some(key.as_bytes()),
            payload: Some(text.as_bytes()),
            ..Default::default()
        };
        deliveries.push(producer.submit(&message).await.expect("queued"));
    }
    for delivery in deliveries {
        delivery.await.expect("acknowledged");
    }
    // Reading has come to its end when memory has: three looks, half a second apart, at the same height.
    let mut heights = Vec::new();
    wait::until("reading to stop", SOON, || {
        std::thread::sleep(Duration::from_millis(500));
        heights.push(most_memory(&archive));
        heights
            .iter()
            .rev()
            .take(3)
            .all(|height| Some(height) == heights.last())
            .then_some(())
            .filter(|()| heights.len() > 3)
    });
    let most = most_memory(&archive);
    assert!(most < LIMIT_MIB, "{most} MiB");
    let _engine = ClickHouseProcess::start(&options).expect("ClickHouse starts again");
    until_rows(&parts, "observations", u64::from(RECORDS) + 500).await;
    let most = most_memory(&archive);
    assert!(most < LIMIT_MIB, "{most} MiB while catching up");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_time_while_kafka_is_away() {
    const TEST: &str = "archive_kafka_away";
    let mut parts = Parts::named(TEST);
    let options = parts::kafka_options(TEST);
    let broker = KafkaProcess::start(options.clone()).expect("Kafka starts");
    parts.kafka = KafkaConfig::plain(&broker.bootstrap());
    ensure(&parts.kafka, &[]).await.expect("topics");
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer");
    let city = City::make(TEST);
    city.publish(&producer).await;
    good(&producer, 0, 500).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 500).await;
    // Dropping is SIGKILL.
    drop(broker);
    wait::until_async("the archive to say that Kafka is away", SOON, || async {
        let said = archive.readiness().await;
        if said.contains("kafka") { Ok(()) } else { Err(said) }
    })
    .await;
    archive.stop().await;
    // While it prepares, too.
    let archive = Archive::start(&parts, &city).await;
    wait::until_async("the archive to wait for Kafka", SOON, || async {
        let said = archive.readiness().await;
        if said.contains("kafka") { Ok(()) } else { Err(said) }
    })
    .await;
    archive.stop().await;
    let broker = KafkaProcess::start(options).expect("Kafka starts again");
    let archive = Archive::start(&parts, &city).await;
    good(&producer, 500, 600).await;
    until_rows(&parts, "observations", 600).await;
    archive.stop().await;
    broker.stop().expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_time_while_clickhouse_takes_nothing() {
    const TEST: &str = "archive_takes_nothing";
    let (mut parts, producer) = made(TEST).await;
    let city = City::make(TEST);
    city.publish(&producer).await;
    let options = parts::clickhouse_options(TEST);
    let engine = ClickHouseProcess::start(&options).expect("ClickHouse starts");
    parts.clickhouse = parts::config_of(&engine.url(), TEST);
    let archive = Archive::start(&parts, &city).await;
    good(&producer, 0, 500).await;
    until_rows(&parts, "observations", 500).await;
    drop(engine);
    good(&producer, 500, 9000).await;
    wait::until_async("the archive to say that ClickHouse is away", SOON, || async {
        let said = archive.readiness().await;
        if said.contains("clickhouse") { Ok(()) } else { Err(said) }
    })
    .await;
    let begun = Instant::now();
    archive.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let _engine = ClickHouseProcess::start(&options).expect("ClickHouse starts again");
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 9000).await;
    archive.stop().await;
    assert_eq!(count(&parts, "SELECT uniqExact(id) FROM observations").await, 9000);
}
