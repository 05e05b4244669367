//! A record that makes a process panic: after two crashes it is left out, told, and the rest is counted.

use crate::support::{City, count, query};
use gridwarden_bus::topics::{OBSERVATIONS, ensure};
use gridwarden_bus::{Message, Producer, ProducerOptions};
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::parts::{Parts, folder};
use gridwarden_tests::role::{Ground, Role};
use gridwarden_tests::{binary, wait};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
/// Every good record, in a window of the city.
const COUNTED: &str = "SELECT sum(count) FROM area_metrics WHERE metric = 'air' AND window_s = 10 AND code = 'C'";
/// The exit code of a process that found a bug of its own.
const PANICKED: i32 = 101;
const GOOD: u64 = 400;

struct Town<'t> {
    test: &'t str,
    parts: &'t Parts,
    city: &'t City,
}

impl Town<'_> {
    /// A service as a process of its own: a panic ends it.
    fn start(&self, role: &'static str, crashes: &Path) -> Role {
        let checkpoints = crashes.with_extension("checkpoints").display().to_string();
        let crashes = crashes.display().to_string();
        let mut settings = vec![("GRIDWARDEN_CRASHES__FOLDER", crashes.as_str())];
        if role == "stream" {
            settings.push(("GRIDWARDEN_CHECKPOINTS__FOLDER", &checkpoints));
            settings.push(("GRIDWARDEN_CHECKPOINTS__EVERY_MS", "200"));
        }
        Ground { test: self.test, parts: self.parts, city: &self.city.folder }.start(role, &[], &settings)
    }
}

fn observation(number: u64) -> String {
    let (source, time) = (number % 40, now_ms());
    format!(
        r#"{{"source":"s{source}","kind":"air","time":{time},"position":{{"lon":0.5,"lat":0.5}},"values":{{"t":{number}}}}}"#
    )
}

/// Good records in every partition, and in their midst one that asks for a panic of whoever reads it.
async fn send(producer: &Producer) -> (i32, i64) {
    let mut poison = None;
    for number in 0..=GOOD {
        let (text, key) = (observation(number), format!("s{}", number % 40));
        let bad = number == GOOD / 2;
        let headers: &[(&str, &[u8])] = if bad { &[("test-fault", b"everywhere")] } else { &[] };
        let message = Message {
            topic: OBSERVATIONS,
            key: Some(key.as_bytes()),
            payload: Some(text.as_bytes()),
            headers,
            partition: None,
        };
        let place = producer.submit(&message).await.expect("queued").await.expect("acknowledged");
        poison = if bad { Some(place) } else { poison };
    }
    poison.expect("it was sent")
}

fn crashes(test: &str, role: &str) -> PathBuf {
    folder(test).join(format!("crashes-{role}"))
}

/// Starts it twice: it ends in a panic each time, and says so.
async fn crash_twice(town: &Town<'_>, role: &'static str) {
    for round in 1..=2 {
        let code = town.start(role, &crashes(town.test, role)).ended(SOON).await;
        assert_eq!(code, Some(PANICKED), "{role}, start {round}");
        let notes = std::fs::read_dir(crashes(town.test, role)).expect("folder").count();
        assert_eq!(notes, round, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_makes_processes_panic_is_left_out_and_the_rest_counts() {
    const TEST: &str = "poison";
    let parts = Parts::named(TEST);
    ensure(&parts.kafka, &[]).await.expect("topics");
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer");
    let city = City::make(TEST);
    city.publish(&producer).await;
    let (partition, offset) = send(&producer).await;
    let town = Town { test: TEST, parts: &parts, city: &city };

    crash_twice(&town, "archive").await;
    let mut archive = town.start("archive", &crashes(TEST, "archive"));
    archive.until("rejected_total{code=\"poison\"}", 1.0).await;
    until_rows(&parts, "observations", GOOD).await;
    let sql = "SELECT code, partition, offset, field, payload = '' FROM rejects";
    assert_eq!(query(&parts, sql).await.trim(), format!("poison\t{partition}\t{offset}\t\t0"));

    crash_twice(&town, "stream").await;
    // Not its own count of what it accepted: what came before a checkpoint of the two that crashed is not read again.
    let mut stream = town.start("stream", &crashes(TEST, "stream"));
    stream.until("records_rejected_total{code=\"poison\"}", 1.0).await;
    until_is(&parts, COUNTED, GOOD).await;
    stream.stop().await;

    // Named, it is sent again: another record, with nothing in it that asks for a panic.
    let place = format!("{OBSERVATIONS}/{partition}/{offset}");
    let mut replay = binary::gridwarden();
    replay.args(["rejects", "replay", &place, "--kafka", &parts.kafka.bootstrap]);
    replay.args(["--topic-prefix", &parts.kafka.topic_prefix, "--clickhouse", &parts.clickhouse.url]);
    replay.args(["--database", &parts.clickhouse.database]);
    let output = tokio::task::spawn_blocking(move || replay.output()).await.expect("thread").expect("it starts");
    assert!(output.status.success(), "{}", binary::stderr(&output));
    until_rows(&parts, "observations", GOOD + 1).await;
    archive.stop().await;
    assert_eq!(count(&parts, "SELECT count() FROM rejects").await, 1);
}

/// Who shares the folder need not find out by itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_service_found_out_the_other_knows() {
    const TEST: &str = "poison_shared";
    let parts = Parts::named(TEST);
    ensure(&parts.kafka, &[]).await.expect("topics");
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer");
    let city = City::make(TEST);
    city.publish(&producer).await;
    send(&producer).await;
    let town = Town { test: TEST, parts: &parts, city: &city };
    let shared = crashes(TEST, "both");
    for role in ["stream", "archive"] {
        assert_eq!(town.start(role, &shared).ended(SOON).await, Some(PANICKED), "{role}");
    }
    let stream = town.start("stream", &shared);
    until_is(&parts, COUNTED, GOOD).await;
    let archive = town.start("archive", &shared);
    until_rows(&parts, "observations", GOOD).await;
    until_rows(&parts, "rejects", 1).await;
    stream.stop().await;
    archive.stop().await;
}

async fn until_rows(parts: &Parts, table: &str, rows: u64) {
    until_is(parts, &format!("SELECT count() FROM {table}"), rows).await;
}

async fn until_is(parts: &Parts, sql: &str, wanted: u64) {
    wait::until_async(sql, SOON, || async {
        let found = count(parts, sql).await;
        if found == wanted { Ok(()) } else { Err(format!("{found}, not {wanted}")) }
    })
    .await;
}
