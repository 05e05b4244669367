//! What `archive` promises, on a real broker and a real engine.

mod life;
mod log;
mod rejects;

use crate::support::{Archive, City, count, query};
use gridwarden_bus::topics::{OBSERVATIONS, REPORTS, ensure};
use gridwarden_bus::{Message, Producer, ProducerOptions};
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::{parts::Parts, wait};
use std::time::{Duration, Instant};

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

/// A value and its headers.
type Sent<'a> = (Option<String>, &'a [(&'a str, &'a [u8])]);

/// Sends without waiting for each; all are acknowledged when this returns. (partition, offset) in order.
async fn send(producer: &Producer, topic: &str, records: &[Sent<'_>]) -> Vec<(i32, i64)> {
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

/// The sum of a metric's samples; 0 when there is none.
fn figure(metrics: &str, name: &str) -> i64 {
    let is_of = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
    let value = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok()).expect("a number");
    metrics.lines().filter(is_of).map(|line| value(line) as i64).sum()
}

/// Conservation: what was read is somewhere.
pub(crate) fn assert_conserved(metrics: &str) {
    let of = |name: &str| figure(metrics, &format!("gridwarden_archive_{name}"));
    let kept =
        of("accepted_total") + of("late_total") + of("rejected_total") + of("duplicate_total") + of("marker_total");
    assert_eq!(of("read_total"), kept + of("in_flight_records"), "{metrics}");
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

    // All is there: nothing to read, and it says so.
    let archive = Archive::start(&parts, &city).await;
    wait::until_async("no lag", SOON, || async {
        let metrics = archive.metrics().await;
        let known = metrics.contains("gridwarden_archive_lag_records{topic=\"observations.v1\"} 0");
        if known { Ok(()) } else { Err(metrics) }
    })
    .await;
    good(&producer, 4100, 4101).await;
    until_rows(&parts, "observations", 4101).await;
    // The lag is looked at every two seconds: for longer than two looks it never shows what was archived long ago.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        let lag = figure(&archive.metrics().await, "gridwarden_archive_lag_records");
        assert!(lag <= 1, "{lag} behind");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let metrics = archive.metrics().await;
    assert_eq!(figure(&metrics, "gridwarden_archive_read_total"), 1, "{metrics}");
    assert_eq!(figure(&metrics, "gridwarden_archive_lag_records"), 0, "{metrics}");
    archive.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_historical_and_registered_records_are_placed_as_they_should() {
    let (parts, producer) = made("archive_placed").await;
    let city = City::make("archive_placed");
    city.publish(&producer).await;
    let old = now_ms() - 30 * 86_400_000;
    let fixed = format!(r#"{{"source":"fixed","kind":"air","time":{},"values":{{"pm25":1}}}}"#, now_ms());
    let lost = fixed.replace("fixed", "unknown");
    let records: [Sent<'_>; 4] = [
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
    assert_conserved(&metrics);
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
