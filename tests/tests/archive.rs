//! What `archive` promises, on a real broker and a real engine.

use crate::support::{Archive, City, count, query};
use gridwarden_bus::topics::{OBSERVATIONS, REJECTS, REPORTS, ensure};
use gridwarden_bus::{
    Assignment, From, KafkaConfig, Message, Producer, ProducerOptions, Reader, ReaderOptions, topic_meta,
};
use gridwarden_domain::reject::Reject;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::{parts::Parts, wait};
use std::collections::BTreeMap;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

async fn made(test: &str) -> (Parts, Producer) {
    let parts = Parts::named(test);
    ensure(&parts.kafka, &[]).await.expect("topics");
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer");
    (parts, producer)
}

fn observation(number: u32, time: i64) -> String {
    let (lon, lat) = (0.5 + f64::from(number % 2), 0.5);
    format!(
        r#"{{"id":"{number}","source":"s{}","kind":"air","time":{time},"position":{{"lon":{lon},"lat":{lat}}},"values":{{"pm25":{number}}}}}"#,
        number % 13
    )
}

fn report(id: &str, place: &str) -> String {
    let class = r#"{"catalogue":"c","kind":"event","code":"01"}"#;
    format!(r#"{{"id":"{id}","channel":"citizen","class":{class},"time":{},{place}"description":"a hole"}}"#, now_ms())
}

/// Sends without waiting for each; all are acknowledged when this returns. (partition, offset) in order.
async fn send(producer: &Producer, topic: &str, records: &[(Option<String>, &[(&str, &[u8])])]) -> Vec<(i32, i64)> {
    let mut deliveries = Vec::new();
    for (number, (payload, headers)) in records.iter().enumerate() {
        let key = format!("k{}", number % 13);
        let message = Message {
            topic,
            key: Some(key.as_bytes()),
            payload: payload.as_ref().map(String::as_bytes),
            headers,
            partition: None,
        };
        deliveries.push(producer.submit(&message).await.expect("queued"));
    }
    let mut places = Vec::new();
    for delivery in deliveries {
        places.push(delivery.await.expect("acknowledged"));
    }
    places
}

async fn good(producer: &Producer, from: u32, to: u32) {
    let time = now_ms();
    let records: Vec<_> = (from..to).map(|number| (Some(observation(number, time)), &[][..])).collect();
    send(producer, OBSERVATIONS, &records).await;
}

async fn until_rows(parts: &Parts, table: &str, rows: u64) {
    wait::until_async(&format!("{rows} rows in {table}"), SOON, || async {
        let found = count(parts, &format!("SELECT count() FROM {table}")).await;
        if found == rows { Ok(()) } else { Err(format!("{found} rows")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_a_row_once_however_often_it_starts() {
    let (parts, producer) = made("archive_once").await;
    let city = City::make("archive_once");
    city.publish(&producer).await;
    good(&producer, 0, 3000).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 3000).await;
    archive.stop().await;
    good(&producer, 3000, 5000).await;
    for _ in 0..2 {
        let archive = Archive::start(&parts, &city).await;
        until_rows(&parts, "observations", 5000).await;
        archive.stop().await;
    }
    assert_eq!(count(&parts, "SELECT count() FROM observations_rows").await, 5000, "nothing was inserted twice");
    let wrong = "SELECT count() FROM observations WHERE value_names != ['pm25'] OR value_numbers[1] != toUInt32(id) \
                 OR area_codes != [if(toUInt32(id) % 2 = 0, 'a', 'b'), 'C'] OR area_layers != ['grid', 'grid'] OR late";
    assert_eq!(count(&parts, wrong).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_in_the_middle_is_filled_and_nothing_else() {
    let (parts, producer) = made("archive_middle").await;
    let city = City::make("archive_middle");
    city.publish(&producer).await;
    good(&producer, 0, 4000).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 4000).await;
    archive.stop().await;
    // As if a block had been lost: rows of two partitions, in the middle.
    let holes = "ALTER TABLE observations_rows DELETE WHERE partition < 6 AND offset % 50 BETWEEN 10 AND 19 \
                 SETTINGS mutations_sync = 2";
    query(&parts, holes).await;
    let left = count(&parts, "SELECT count() FROM observations_rows").await;
    assert!(left < 4000, "the test deleted nothing");
    good(&producer, 4000, 4100).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 4100).await;
    archive.stop().await;
    assert_eq!(count(&parts, "SELECT count() FROM observations_rows").await, 4100);
    assert_eq!(count(&parts, "SELECT uniqExact(id) FROM observations").await, 4100);
}

/// Malformed in every way the contract names, and how each is told.
fn malformed() -> Vec<(Option<String>, &'static [(&'static str, &'static [u8])], &'static str)> {
    let now = now_ms();
    let with = |position: &str| format!(r#"{{"source":"s","kind":"air","time":{now},"position":{position}}}"#);
    vec![
        (None, &[], "empty_payload"),
        (Some("{".to_owned()), &[], "malformed"),
        (Some(format!(r#"{{"kind":"air","time":{now}}}"#)), &[], "missing_field"),
        (Some(r#"{"source":"s","kind":"air","time":[]}"#.to_owned()), &[], "wrong_type"),
        (Some(r#"{"source":"s","kind":"air","time":"yesterday"}"#.to_owned()), &[], "invalid_time"),
        (Some(observation(1, now + 600_000)), &[], "future_time"),
        (Some(with(r#"{"lon":1,"lat":91}"#)), &[], "invalid_position"),
        (Some(observation(1, now)), &[("content-type", b"application/x-protobuf")], "unsupported_encoding"),
        (Some(observation(1, now)), &[("feed", b"\xff\xfe")], "not_utf8"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_are_in_their_topic_and_in_clickhouse_with_reason_and_origin() {
    let (parts, producer) = made("archive_rejects").await;
    let city = City::make("archive_rejects");
    city.publish(&producer).await;
    let cases = malformed();
    let records: Vec<_> = cases.iter().map(|(payload, headers, _)| (payload.clone(), *headers)).collect();
    let places = send(&producer, OBSERVATIONS, &records).await;
    send(&producer, OBSERVATIONS, &[(None, &[("end", b"past")]), (Some(observation(7, now_ms())), &[])]).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "rejects", cases.len() as u64).await;
    until_rows(&parts, "observations", 1).await;
    archive.stop().await;
    let archive = Archive::start(&parts, &city).await;
    good(&producer, 0, 10).await;
    until_rows(&parts, "observations", 11).await;
    archive.stop().await;
    assert_eq!(
        count(&parts, "SELECT count() FROM rejects_rows").await,
        cases.len() as u64,
        "once, also after a restart"
    );
    assert_eq!(count(&parts, "SELECT count() FROM markers_rows WHERE feed = 'past'").await, 1);

    let topic_id = topic_meta(&parts.kafka, OBSERVATIONS).expect("meta").id;
    let in_topic = rejects_of(&parts.kafka).await;
    assert_eq!(in_topic.len(), cases.len());
    for ((payload, _, code), (partition, offset)) in cases.iter().zip(&places) {
        let key = format!("{topic_id}/{partition}/{offset}");
        let reject = in_topic.get(&key).unwrap_or_else(|| panic!("no reject {key} ({code})"));
        assert_eq!(reject.reason.code.as_str(), *code, "{payload:?}: {}", reject.reason);
        assert_eq!((reject.origin.partition, reject.origin.offset), (*partition, *offset));
        use base64::Engine;
        let bytes = base64::engine::general_purpose::STANDARD.decode(&reject.payload_base64).expect("base64");
        assert_eq!(bytes, payload.clone().unwrap_or_default().into_bytes());
        let row = format!(
            "SELECT count() FROM rejects WHERE partition = {partition} AND offset = {offset} AND code = '{code}' \
             AND topic = 'observations.v1' AND hex(payload) = '{}' AND detail != ''",
            bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>()
        );
        assert_eq!(count(&parts, &row).await, 1, "{code}");
    }
}

async fn rejects_of(kafka: &KafkaConfig) -> BTreeMap<String, Reject> {
    let kafka = kafka.clone();
    let work = move || {
        let all: Vec<_> = (0..3)
            .map(|partition| Assignment { topic: REJECTS.to_owned(), partition, from: From::Beginning })
            .collect();
        let options = ReaderOptions { partition_ends: true, ..ReaderOptions::named("test") };
        let mut reader = Reader::open(&kafka, &all, &options).expect("reader");
        let (mut rejects, mut ends) = (BTreeMap::new(), 0);
        wait::until("the end of the rejects", SOON, || {
            let batch = reader.poll(1000, Duration::from_millis(200)).expect("poll");
            for record in batch.records() {
                let key = String::from_utf8(record.key.unwrap_or_default().to_vec()).expect("key");
                rejects.insert(key, serde_json::from_slice(record.payload.unwrap_or_default()).expect("a reject"));
            }
            ends += batch.ends().len();
            (ends == 3).then_some(())
        });
        rejects
    };
    tokio::task::spawn_blocking(work).await.expect("thread")
}

#[tokio::test(flavor = "multi_thread")]
async fn late_historical_and_registered_records_are_placed_as_they_should() {
    let (parts, producer) = made("archive_placed").await;
    let city = City::make("archive_placed");
    city.publish(&producer).await;
    let old = now_ms() - 30 * 86_400_000;
    let fixed = format!(r#"{{"source":"fixed","kind":"air","time":{},"values":{{"pm25":1}}}}"#, now_ms());
    let lost = fixed.replace("fixed", "unknown");
    let records: [(Option<String>, &[(&str, &[u8])]); 4] = [
        (Some(observation(0, old)), &[]),
        (Some(observation(1, old)), &[("feed", b"past")]),
        (Some(fixed), &[]),
        (Some(lost), &[]),
    ];
    send(&producer, OBSERVATIONS, &records).await;
    let reports = [
        (Some(report("p", r#""position":{"lon":1.5,"lat":0.5},"#)), &[][..]),
        (Some(report("c", r#""area":"grid/a","#)), &[]),
        (Some(report("n", "")), &[]),
    ];
    send(&producer, REPORTS, &reports).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 4).await;
    until_rows(&parts, "reports", 3).await;
    let metrics = archive.metrics().await;
    archive.stop().await;
    let is = async |condition: &str| count(&parts, &format!("SELECT count() FROM {condition}")).await;
    assert_eq!(is("observations WHERE id = '0' AND late AND feed = ''").await, 1);
    assert_eq!(is("observations WHERE id = '1' AND NOT late AND feed = 'past'").await, 1);
    assert_eq!(is("observations WHERE source = 'fixed' AND lon = 1.5 AND area_codes = ['b', 'C']").await, 1);
    assert_eq!(is("observations WHERE source = 'unknown' AND lon IS NULL AND empty(area_codes)").await, 1);
    assert_eq!(is("reports WHERE id = 'p' AND area_codes = ['b', 'C'] AND channel = 'citizen'").await, 1);
    assert_eq!(is("reports WHERE id = 'c' AND area_codes = ['a', 'C'] AND class_code = '01'").await, 1);
    assert_eq!(is("reports WHERE id = 'n' AND empty(area_codes)").await, 1);
    for line in [
        "gridwarden_archive_nowhere_total{table=\"observations\"} 1",
        "gridwarden_archive_nowhere_total{table=\"reports\"} 1",
        "gridwarden_archive_late_total{table=\"observations\"} 1",
        "gridwarden_archive_accepted_total{table=\"observations\"} 3",
        "gridwarden_archive_read_total{topic=\"reports.v1\"} 3",
        "gridwarden_archive_in_flight_records 0",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_away_is_said_and_caught_up() {
    use gridwarden_embedded::clickhouse::ClickHouseProcess;
    use gridwarden_tests::parts;
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
    archive.stop().await;
    assert_eq!(count(&parts, "SELECT uniqExact(id) FROM observations").await, 1500);
}
