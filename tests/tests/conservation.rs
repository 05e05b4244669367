//! `CON-1`: what stream and archive have read is accounted for, in figures, in a table and for `doctor`; a breach is found.

use crate::support::{Archive, City, query};
use gridwarden_bus::topics::{OBSERVATIONS, ensure};
use gridwarden_bus::{Producer, ProducerOptions};
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::parts::Parts;
use gridwarden_tests::{binary, wait};
use std::process::Output;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

async fn doctor(parts: &Parts) -> Output {
    let (url, database) = (parts.clickhouse.url.clone(), parts.clickhouse.database.clone());
    let run = move || binary::run(&["doctor", "--clickhouse", &url, "--database", &database]);
    tokio::task::spawn_blocking(run).await.expect("task")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_accounted_for_and_a_breach_is_found() {
    const TEST: &str = "conservation";
    let parts = Parts::named(TEST);
    ensure(&parts.kafka, &[]).await.expect("topics");
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer");
    let city = City::make(TEST);
    city.publish(&producer).await;
    let archive = Archive::start(&parts, &city).await;
    archive.until_ready().await;
    let stream = crate::stream::running(&parts, &city).await;
    // Good, repeated, late, malformed.
    for number in 0..30 {
        let (time, id) = (now_ms() - if number % 10 == 0 { 8 * 86_400_000 } else { 0 }, number / 2);
        let text = match number % 7 {
            0 => "{".to_owned(),
            _ => format!(r#"{{"id":"{id}","source":"s","kind":"air","time":{time},"values":{{"t":1}}}}"#),
        };
        producer.send(OBSERVATIONS, Some(b"s"), Some(text.as_bytes()), &[]).await.expect("acknowledged");
    }
    let last = "SELECT stage, argMax((read, accepted, duplicate, late, rejected, marker, in_flight, unaccounted), at) \
        FROM conservation GROUP BY stage ORDER BY stage FORMAT TSV";
    let expected = "archive\t(30,23,0,2,5,0,0,0)\nstream\t(30,14,9,2,5,0,0,0)";
    wait::until_async("both have written what they read", SOON, || async {
        let said = query(&parts, last).await;
        if said.trim() == expected { Ok(()) } else { Err(said) }
    })
    .await;
    assert!(archive.metrics().await.contains("gridwarden_archive_unaccounted_records 0"));
    let output = doctor(&parts).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.matches("30 records read, all of them accounted for").count() == 2,
        "{said}"
    );

    // A process that has lost a record.
    query(&parts, "INSERT INTO stream_counts_rows SELECT 'broken', now64(3), 30, 20, 0, 2, 7, 0, 0").await;
    let output = doctor(&parts).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = said.contains("fail  conservation of stream broken: 1 of 30 records read are not accounted for");
    assert!(told && !output.status.success(), "{said}");
    stream.stop().await;
    archive.stop().await;
}
