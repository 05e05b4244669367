//! What `stream` promises, on a real broker and a real engine.

mod away;
mod backtest;
mod bucket;
mod checkpoint;
mod cluster;
mod oracle;
mod past;
mod protobuf;
mod rebuilt;
mod recompute;
mod replays;
mod restart;
mod rules;
mod shelf;
mod sketches;

pub(crate) use bucket::bucket_keeps_a_stream;

use crate::support::{City, count, told};
use gridwarden_bus::topics::{ALERTS, OBSERVATIONS, RULES, ensure};
use gridwarden_bus::{
    Assignment, From, KafkaConfig, Message, Producer, ProducerOptions, Reader, ReaderOptions, Record, topic_meta,
};
use gridwarden_domain::alert::{Alert, Transition};
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_tests::metrics::sum;
use gridwarden_tests::parts::{Parts, free_address};
use gridwarden_tests::wait;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);
/// How long the end of a service may take.
const END: Duration = Duration::from_secs(10);

/// A stream for tests of other services.
pub(crate) async fn running(parts: &Parts, city: &City) -> Stream {
    Stream::start(parts, city).await
}

/// The stream, running in this process.
pub(crate) struct Stream {
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    base: String,
}

impl Stream {
    async fn start(parts: &Parts, city: &City) -> Self {
        Self::with_workers(parts, city, 2).await
    }

    async fn with_workers(parts: &Parts, city: &City, workers: usize) -> Self {
        // No checkpoint within a test's time: a restart reads from the log's beginning.
        Self::with_checkpoints(parts, city, workers, 3_600_000).await
    }

    async fn with_checkpoints(parts: &Parts, city: &City, workers: usize, every_ms: u64) -> Self {
        Self::with(parts, city, |config| {
            config.checkpoints.every_ms = every_ms;
            config.stream.workers = workers;
        })
        .await
    }

    pub(crate) async fn with(parts: &Parts, city: &City, change: impl FnOnce(&mut gridwarden_stream::Config)) -> Self {
        let mut config = gridwarden_stream::config(None).expect("defaults");
        config.kafka = parts.kafka.clone();
        config.clickhouse = parts.clickhouse.clone();
        config.city.folder = city.folder.clone();
        config.checkpoints.folder = city.folder.with_file_name("checkpoints").display().to_string();
        config.crashes.folder = city.folder.with_file_name("crashes");
        config.stream.first_ms = 200;
        config.stream.write_ms = 200;
        config.stream.minutes_ms = 200;
        config.http.listen = free_address();
        change(&mut config);
        let base = format!("http://{}", config.http.listen);
        let shutdown = Shutdown::new();
        let task = tokio::spawn(told("stream", gridwarden_stream::run(config, shutdown.clone())));
        Self { shutdown, task, base }
    }

    async fn get(&self, path: &str) -> String {
        match reqwest::get(format!("{}{path}", self.base)).await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    /// The sum over all labels of a figure.
    async fn figure(&self, name: &str) -> f64 {
        sum(&self.get("/metrics").await, name)
    }

    async fn until(&self, name: &str, at_least: f64) {
        wait::until_async(&format!("{name} to reach {at_least}"), SOON, || async {
            let figure = self.figure(name).await;
            if figure >= at_least { Ok(()) } else { Err(figure.to_string()) }
        })
        .await;
    }

    /// Waits until all is read and counted, and what was read is somewhere.
    async fn until_conserved(&self, records: u64) -> String {
        wait::until_async(&format!("{records} records counted"), SOON, || async {
            let metrics = self.get("/metrics").await;
            let of = |name: &str| sum(&metrics, &format!("gridwarden_stream_records_{name}_total"));
            let kept = of("accepted") + of("duplicate") + of("late") + of("rejected") + of("marker");
            if of("read") == records as f64 && kept == of("read") { Ok(metrics) } else { Err(metrics) }
        })
        .await
    }

    /// Ends it; it must end well and in time.
    pub(crate) async fn stop(self) {
        let begun = Instant::now();
        self.shutdown.trigger("test");
        let ended = tokio::time::timeout(END, self.task).await.expect("it ends within 10 s");
        ended.expect("task").expect("it ends well");
        assert!(begun.elapsed() < END);
    }
}

async fn topics(parts: &Parts) -> Producer {
    ensure(&parts.kafka, &[]).await.expect("topics");
    Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer")
}

/// Topics, rules, and the small city, in force.
async fn made(test: &str, parts: &Parts, rules: &[(&str, &str)]) -> (Producer, City) {
    let producer = topics(parts).await;
    for (id, rule) in rules {
        publish_rule(&producer, id, Some(rule)).await;
    }
    let city = City::make(test);
    city.publish(&producer).await;
    (producer, city)
}

async fn publish_rule(producer: &Producer, id: &str, rule: Option<&str>) {
    producer.send(RULES, Some(id.as_bytes()), rule.map(str::as_bytes), &[]).await.expect("rule");
}

fn observation(source: &str, time: i64, lon: f64, value: f64) -> String {
    format!(
        r#"{{"source":"{source}","kind":"air","time":{time},"position":{{"lon":{lon},"lat":0.5}},"values":{{"t":{value}}}}}"#
    )
}

async fn observe(producer: &Producer, source: &str, time: i64, lon: f64, value: f64) {
    let text = observation(source, time, lon, value);
    producer.send(OBSERVATIONS, Some(source.as_bytes()), Some(text.as_bytes()), &[]).await.expect("acknowledged");
}

/// Sends (key, value) without waiting for each; all are acknowledged when this returns.
async fn send(producer: &Producer, topic: &str, records: &[(String, String)]) {
    let mut deliveries = Vec::new();
    for (key, text) in records {
        let (key, payload) = (Some(key.as_bytes()), Some(text.as_bytes()));
        let message = Message { topic, key, payload, headers: &[], partition: None };
        deliveries.push(producer.submit(&message).await.expect("queued"));
    }
    for delivery in deliveries {
        delivery.await.expect("acknowledged");
    }
}

/// Everything a topic holds now.
fn read_all<T>(kafka: &KafkaConfig, topic: &str, mut take: impl FnMut(&Record<'_>) -> T) -> Vec<T> {
    let partitions = topic_meta(kafka, topic).expect("topic").partitions;
    let all: Vec<Assignment> = (0..partitions)
        .map(|partition| Assignment { topic: topic.to_owned(), partition, from: From::Beginning })
        .collect();
    let mut reader = Reader::open(kafka, &all, &ReaderOptions::named("test")).expect("reader");
    let end: i64 = reader.end_offsets().expect("ends").iter().sum();
    let mut found = Vec::new();
    wait::until(&format!("all of {topic}"), SOON, || {
        let batch = reader.poll(10_000, Duration::from_millis(100)).expect("poll");
        found.extend(batch.records().map(|record| take(&record)));
        (found.len() as i64 >= end).then_some(())
    });
    found
}

fn alerts(kafka: &KafkaConfig) -> Vec<Alert> {
    // Records without value are fences.
    let read = |record: &Record<'_>| record.payload.map(|payload| serde_json::from_slice(payload).expect("an alert"));
    read_all(kafka, ALERTS, read).into_iter().flatten().collect()
}

async fn alerts_of(parts: &Parts) -> Vec<Alert> {
    let kafka = parts.kafka.clone();
    tokio::task::spawn_blocking(move || alerts(&kafka)).await.expect("task")
}

/// Waits for so many transitions, and sees that there are no more.
async fn until_alerts(parts: &Parts, stream: &Stream, count: usize) -> Vec<Alert> {
    stream.until("gridwarden_stream_alert_seconds_count", count as f64).await;
    let found = alerts_of(parts).await;
    assert_eq!(found.len(), count, "{found:#?}");
    found
}

/// What was said of a rule, in order of event time.
fn said(alerts: &[Alert], rule: &str) -> Vec<(i64, Transition, u32)> {
    let of_rule = alerts.iter().filter(|alert| alert.rule == rule);
    let mut said: Vec<_> = of_rule.map(|alert| (alert.time, alert.transition, alert.seq)).collect();
    said.sort_by_key(|(time, _, seq)| (*time, *seq));
    said
}

async fn until_count(parts: &Parts, sql: &str, wanted: u64) {
    wait::until_async(sql, SOON, || async {
        let found = count(parts, sql).await;
        if found == wanted { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}
