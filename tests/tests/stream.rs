//! What `stream` promises, on a real broker and a real engine.

use crate::support::{City, count, query};
use gridwarden_bus::topics::{ALERTS, OBSERVATIONS, REPORTS, RULES, ensure};
use gridwarden_bus::{Assignment, From, KafkaConfig, Producer, ProducerOptions, Reader, ReaderOptions, topic_meta};
use gridwarden_domain::alert::{Alert, Transition};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_tests::{parts::Parts, wait};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// The stream, running in this process.
struct Stream {
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    base: String,
}

impl Stream {
    async fn start(parts: &Parts, city: &City) -> Self {
        let mut config = gridwarden_stream::config(None).expect("defaults");
        config.kafka = parts.kafka.clone();
        config.clickhouse = parts.clickhouse.clone();
        config.city.folder = city.folder.clone();
        config.stream.workers = 2;
        config.stream.write_ms = 200;
        let free =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("port");
        config.http.listen = free;
        let shutdown = Shutdown::new();
        let task = tokio::spawn(gridwarden_stream::run(config, shutdown.clone()));
        Self { shutdown, task, base: format!("http://{free}") }
    }

    /// The sum over all labels of a counter.
    async fn figure(&self, name: &str) -> f64 {
        let Ok(answer) = reqwest::get(format!("{}/metrics", self.base)).await else { return -1.0 };
        let text = answer.text().await.unwrap_or_default();
        let of_name = |line: &&str| line.starts_with(&format!("{name} ")) || line.starts_with(&format!("{name}{{"));
        text.lines().filter(of_name).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    async fn until(&self, name: &str, at_least: f64) {
        wait::until_async(&format!("{name} to reach {at_least}"), SOON, || async {
            let figure = self.figure(name).await;
            if figure >= at_least { Ok(()) } else { Err(figure.to_string()) }
        })
        .await;
    }

    async fn stop(self) {
        self.shutdown.trigger("test");
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("it ends within 10 s");
        ended.expect("task").expect("it ends well");
    }
}

async fn made(test: &str) -> (Parts, Producer, City) {
    let parts = Parts::named(test);
    ensure(&parts.kafka, &[]).await.expect("topics");
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer");
    let rules = [
        r#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"major","select":{"kinds":["air"]},
            "threshold":{"value":"t","side":"above","level":90,"clear":80}}"#,
        r#"{"id":"in-b","version":1,"title":{"en":"In b"},"severity":"minor",
            "fence":{"shape":{"area":{"layer":"grid","code":"b"}},"on":"enter"}}"#,
    ];
    for (id, rule) in ["hot", "in-b"].into_iter().zip(rules) {
        producer.send(RULES, Some(id.as_bytes()), Some(rule.as_bytes()), &[]).await.expect("rule");
    }
    let city = City::make(test);
    city.publish(&producer).await;
    (parts, producer, city)
}

async fn observe(producer: &Producer, source: &str, time: i64, lon: f64, value: u32) {
    let text = format!(
        r#"{{"source":"{source}","kind":"air","time":{time},"position":{{"lon":{lon},"lat":0.5}},"values":{{"t":{value}}}}}"#
    );
    producer.send(OBSERVATIONS, Some(source.as_bytes()), Some(text.as_bytes()), &[]).await.expect("acknowledged");
}

fn alerts(kafka: &KafkaConfig) -> Vec<Alert> {
    let partitions = topic_meta(kafka, ALERTS).expect("topic").partitions;
    let all: Vec<Assignment> = (0..partitions)
        .map(|partition| Assignment { topic: ALERTS.to_owned(), partition, from: From::Beginning })
        .collect();
    let mut reader = Reader::open(kafka, &all, &ReaderOptions::named("test")).expect("reader");
    let end: i64 = reader.end_offsets().expect("ends").iter().sum();
    let mut found = Vec::new();
    wait::until("all alerts", SOON, || {
        for record in reader.poll(1000, Duration::from_millis(100)).expect("poll").records() {
            found.push(serde_json::from_slice(record.payload.expect("alert")).expect("an alert"));
        }
        (found.len() as i64 >= end).then_some(())
    });
    found
}

async fn until_count(parts: &Parts, sql: &str, wanted: u64) {
    wait::until_async(sql, SOON, || async {
        let found = count(parts, sql).await;
        if found == wanted { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_alerts_and_latest_states_come_of_events_and_stay_the_same_after_a_restart() {
    let (parts, producer, city) = made("stream_whole").await;
    let begin = now_ms();
    for number in 0..300u32 {
        let source = format!("s{}", number % 20);
        observe(&producer, &source, begin + i64::from(number), 0.5 + f64::from(number % 2), number % 60).await;
    }
    // Over the level, still over the clearing level, under it; then into the fence and out of it.
    for (step, value) in (0i64..).zip([95, 85, 79]) {
        observe(&producer, "hot", begin + step, 0.5, value).await;
    }
    for (step, lon) in (0i64..).zip([0.5, 1.5, 1.6, 0.5]) {
        observe(&producer, "mover", begin + step, lon, 1).await;
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
    stream.until("gridwarden_stream_alert_seconds_count", 4.0).await;
    let raised = alerts(&parts.kafka);
    let said = |rule: &str| -> Vec<(u32, Transition, i64)> {
        let of_rule = raised.iter().filter(|alert| alert.rule == rule);
        of_rule.map(|alert| (alert.seq, alert.transition, alert.time - begin)).collect()
    };
    assert_eq!(said("hot"), [(1, Transition::Raised, 0), (2, Transition::Cleared, 2)]);
    assert_eq!(said("in-b").iter().filter(|said| said.1 == Transition::Raised).count(), 1, "{:?}", said("in-b"));
    assert_eq!(raised.len(), 4, "20 sensors stay where they are");
    assert_eq!(stream.figure("gridwarden_stream_records_rejected_total").await, 1.0);
    stream.stop().await;

    // Again from the log's beginning: the same rows, no alert twice.
    let all = "SELECT * EXCEPT (closed) FROM area_metrics ORDER BY ALL";
    let before = query(&parts, all).await;
    let stream = Stream::start(&parts, &city).await;
    stream.until("gridwarden_stream_alerts_known_total", 4.0).await;
    stream.until("gridwarden_store_rows_total", 22.0).await;
    assert_eq!(query(&parts, all).await, before);
    assert_eq!(alerts(&parts.kafka).len(), 4);
    stream.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_window_says_so_and_takes_what_comes_late() {
    let (parts, producer, city) = made("stream_late").await;
    // A window that the watermark has passed already: lateness is 10 s.
    let old = now_ms() - 120_000;
    observe(&producer, "s", old, 0.5, 1).await;
    let stream = Stream::start(&parts, &city).await;
    let closed = "SELECT sum(count) FROM area_metrics WHERE metric = 'air' AND level = 'city' AND closed";
    until_count(&parts, closed, 2).await;
    observe(&producer, "t", old, 0.5, 1).await;
    until_count(&parts, closed, 4).await;
    // Later than anything remembered: counted, not in the windows.
    observe(&producer, "t", old - 800_000, 0.5, 1).await;
    stream.until("gridwarden_stream_records_too_late_for_windows_total", 1.0).await;
    assert_eq!(count(&parts, closed).await, 4);
    stream.stop().await;
}
