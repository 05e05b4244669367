//! What cannot be taken: in `rejects.v1` and in ClickHouse, with reason, origin and the original bytes.

use super::{Sent, good, made, observation, send, until_rows};
use crate::support::{Archive, City, count, query};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gridwarden_bus::topics::{OBSERVATIONS, REJECTS, REPORTS};
use gridwarden_bus::{Assignment, Delivery, From, KafkaConfig, Message, Producer, Reader, ReaderOptions, topic_meta};
use gridwarden_domain::identity::TopicId;
use gridwarden_domain::reject::Reject;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::parts::Parts;
use gridwarden_tests::wait;
use gridwarden_tests::wire::Wire;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/domain/tests/malformed/cases.jsonl");

/// A malformed message and what must be said of it.
#[derive(Clone, Debug, Deserialize)]
struct Case {
    name: String,
    target: String,
    #[serde(default)]
    payload: String,
    #[serde(default)]
    base64: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
    code: String,
    field: String,
    #[serde(default)]
    detail: Option<String>,
    #[serde(skip)]
    feed: Option<&'static [u8]>,
    /// A record without value.
    #[serde(skip)]
    absent: bool,
}

impl Case {
    fn made(name: &str, payload: String, code: &str, field: &str) -> Self {
        Self {
            name: name.to_owned(),
            target: "observation".to_owned(),
            payload,
            base64: None,
            content_type: None,
            code: code.to_owned(),
            field: field.to_owned(),
            detail: None,
            feed: None,
            absent: false,
        }
    }

    fn topic(&self) -> &'static str {
        match self.target.as_str() {
            "observation" => OBSERVATIONS,
            "report" => REPORTS,
            other => panic!("{}: unknown target {other}", self.name),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.base64 {
            Some(text) => STANDARD.decode(text).expect("base64"),
            None => self.payload.clone().into_bytes(),
        }
    }

    async fn submit(&self, producer: &Producer) -> Delivery {
        let bytes = self.bytes();
        let mut headers = Vec::new();
        headers.extend(self.content_type.as_ref().map(|kind| ("content-type", kind.as_bytes())));
        headers.extend(self.feed.map(|feed| ("feed", feed)));
        let payload = (!self.absent).then_some(&bytes[..]);
        let message = Message { topic: self.topic(), key: Some(b"k"), payload, headers: &headers, partition: None };
        producer.submit(&message).await.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// Every kind of the contract, and those that are made here: from the future, too long, without value, a spoilt header.
fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(CORPUS).expect("the corpus");
    let mut cases: Vec<Case> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    assert!(cases.len() > 150, "{} cases", cases.len());
    let fine = observation(1, now_ms());
    let long = format!("{}{}", fine, " ".repeat(1 << 20));
    cases.push(Case::made("from the future", observation(1, now_ms() + 600_000), "future_time", "time"));
    cases.push(Case::made("above a mebibyte", long, "too_large", ""));
    cases.push(Case { absent: true, ..Case::made("without value", String::new(), "empty_payload", "") });
    cases.push(Case { feed: Some(b"\xff\xfe"), ..Case::made("a spoilt header", fine, "not_utf8", "header feed") });
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_malformed_input_is_rejected_with_its_reason() {
    let (parts, producer) = made("archive_malformed").await;
    let city = City::make("archive_malformed");
    city.publish(&producer).await;
    let begun = now_ms();
    let mut sent = Vec::new();
    let mut deliveries = Vec::new();
    for case in cases() {
        let delivery = case.submit(&producer).await;
        deliveries.push((case, delivery));
    }
    for (case, delivery) in deliveries {
        let place = delivery.await.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        sent.push((case, place));
    }
    // Between them and after them what is fine is taken, and the end of a feed leaves a marker.
    send(&producer, OBSERVATIONS, &[(None, &[("end", b"past")]), (Some(observation(7, now_ms())), &[])]).await;
    let all = sent.len() as u64;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "rejects", all).await;
    until_rows(&parts, "observations", 1).await;
    let metrics = archive.metrics().await;
    super::assert_conserved(&metrics);
    assert_eq!(super::figure(&metrics, "gridwarden_archive_rejected_total"), i64::try_from(all).expect("count"));
    archive.stop().await;
    // A second start finds them and writes none again, neither here nor there.
    let archive = Archive::start(&parts, &city).await;
    good(&producer, 0, 10).await;
    until_rows(&parts, "observations", 11).await;
    archive.stop().await;
    assert_eq!(count(&parts, "SELECT count() FROM rejects_rows").await, all);
    assert_eq!(count(&parts, "SELECT count() FROM markers_rows WHERE feed = 'past'").await, 1);
    let in_topic = rejects_of(&parts.kafka).await;
    assert_eq!((in_topic.len() as u64, in_topic.values().map(Vec::len).sum::<usize>() as u64), (all, all));
    let rows = rows(&parts).await;
    for (case, place) in &sent {
        let reject = the_reject(&parts, &in_topic, case.topic(), *place);
        let name = &case.name;
        let reason = &reject.reason;
        assert_eq!((reason.code.as_str(), &*reason.field), (&*case.code, &*case.field), "{name}: {reason}");
        if let Some(detail) = &case.detail {
            assert!(reason.detail.contains(detail.as_str()), "{name}: {reason}");
        }
        assert_eq!(STANDARD.decode(&reject.payload_base64).expect("base64"), case.bytes(), "{name}");
        assert!((begun..=now_ms()).contains(&reject.first_seen), "{name}: first seen {}", reject.first_seen);
        assert!((begun - 60_000..=reject.first_seen).contains(&reject.appended_at), "{name}: {}", reject.appended_at);
        assert_row(&rows, reject, &case.bytes());
    }
}

/// The one reject of a record.
fn the_reject<'r>(
    parts: &Parts,
    in_topic: &'r BTreeMap<String, Vec<Reject>>,
    topic: &str,
    (partition, offset): (i32, i64),
) -> &'r Reject {
    let id = id_of(parts, topic);
    let key = format!("{id}/{partition}/{offset}");
    let rejects = in_topic.get(&key).unwrap_or_else(|| panic!("no reject {key}"));
    let [reject] = &rejects[..] else { panic!("{} rejects {key}", rejects.len()) };
    let origin = &reject.origin;
    assert_eq!((origin.topic_id, origin.partition, origin.offset), (id, partition, offset));
    assert_eq!(reject.topic, topic);
    reject
}

fn id_of(parts: &Parts, topic: &str) -> TopicId {
    static KNOWN: std::sync::Mutex<BTreeMap<String, TopicId>> = std::sync::Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().expect("lock");
    *known.entry(parts.kafka.full_name(topic)).or_insert_with(|| topic_meta(&parts.kafka, topic).expect("meta").id)
}

/// Every row of `rejects`, by key.
async fn rows(parts: &Parts) -> BTreeMap<String, Value> {
    let sql = "SELECT concat(replaceAll(toString(topic_id), '-', ''), '/', toString(partition), '/', toString(offset)) AS key, \
               topic, code, field, detail, toUnixTimestamp64Milli(appended_at) AS appended, \
               toUnixTimestamp64Milli(first_seen) AS seen, toUInt32(length(payload)) AS bytes, \
               hex(SHA256(payload)) AS digest FROM rejects FORMAT JSONEachRow \
               SETTINGS output_format_json_quote_64bit_integers = 0";
    let text = query(parts, sql).await;
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        (row["key"].as_str().expect("key").to_owned(), row)
    };
    text.lines().map(row).collect()
}

/// The row of a reject says the same as the topic, and holds the whole message.
fn assert_row(rows: &BTreeMap<String, Value>, reject: &Reject, bytes: &[u8]) {
    let (origin, reason) = (&reject.origin, &reject.reason);
    let key = format!("{}/{}/{}", origin.topic_id, origin.partition, origin.offset);
    let row = rows.get(&key).unwrap_or_else(|| panic!("no row {key}"));
    let digest = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    // The topic's sentence may go on to say what was cut there; the row is never cut.
    let detail = reason.detail.split(" (the first ").next().expect("a first part");
    let expected = json!({
        "key": key, "topic": reject.topic, "code": reason.code.as_str(), "field": reason.field, "detail": detail,
        "appended": reject.appended_at, "seen": reject.first_seen, "bytes": bytes.len(), "digest": digest,
    });
    assert_eq!(*row, expected);
}

/// Bytes that neither lz4 nor anything else makes shorter.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn long_and_binary_messages_are_kept_and_a_cut_is_told() {
    let (parts, producer) = made("archive_long").await;
    let city = City::make("archive_long");
    city.publish(&producer).await;
    let pattern = |length: usize| (0..length).map(|at| (at % 256) as u8).collect::<Vec<u8>>();
    // The topic's limit is of compressed bytes: the longest here are far above a mebibyte.
    let messages = [noise(900_000), pattern(3_000_000), pattern(12_000_000), pattern(13_000_000), vec![0, 0xff, b'\n']];
    let mut places = Vec::new();
    for message in &messages {
        let key = Some(&b"k"[..]);
        let sent = Message { topic: OBSERVATIONS, key, payload: Some(message), ..Message::default() };
        places.push(producer.submit(&sent).await.expect("queued").await.expect("acknowledged"));
    }
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "rejects", messages.len() as u64).await;
    // From here on the topic takes less than the table says.
    let mut wire = Wire::connect(&parts.kafka.bootstrap);
    wire.set(&parts.kafka.full_name(REJECTS), "max.message.bytes", "500000");
    let late = noise(900_001);
    let place = producer.send(OBSERVATIONS, Some(b"k"), Some(&late), &[]).await.expect("acknowledged");
    until_rows(&parts, "rejects", messages.len() as u64 + 1).await;
    archive.stop().await;
    let in_topic = rejects_of(&parts.kafka).await;
    let rows = rows(&parts).await;
    for (message, place) in messages.iter().zip(&places) {
        let reject = the_reject(&parts, &in_topic, OBSERVATIONS, *place);
        let kept = STANDARD.decode(&reject.payload_base64).expect("base64");
        let most = message.len().min(12_000_000);
        assert!(kept == message[..most], "{} bytes of {} are kept", kept.len(), message.len());
        assert_eq!(reject.reason.detail.contains("bytes are kept here"), most < message.len(), "{}", reject.reason);
        assert_row(&rows, reject, message);
    }
    let reject = the_reject(&parts, &in_topic, OBSERVATIONS, place);
    let kept = STANDARD.decode(&reject.payload_base64).expect("base64");
    assert!(kept.len() > 100_000 && kept == late[..kept.len()], "{} bytes are kept", kept.len());
    let note = format!("(the first {} of 900001 bytes are kept here)", kept.len());
    assert!(reject.reason.detail.ends_with(&note), "{}", reject.reason);
    assert_row(&rows, reject, &late);
}

/// Kafka has the reject, then the process dies before ClickHouse has its row: it is written again, under the same key.
#[tokio::test(flavor = "multi_thread")]
async fn a_reject_whose_row_is_missing_is_written_again_under_its_key() {
    let (parts, producer) = made("archive_reject_again").await;
    let city = City::make("archive_reject_again");
    city.publish(&producer).await;
    let bad: Vec<Sent<'_>> = (0..20).map(|_| (Some("{".to_owned()), &[][..])).collect();
    send(&producer, REPORTS, &bad).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "rejects", 20).await;
    archive.stop().await;
    let lost = "ALTER TABLE rejects_rows DELETE WHERE offset = 0 SETTINGS mutations_sync = 2";
    query(&parts, lost).await;
    let left = count(&parts, "SELECT count() FROM rejects_rows").await;
    assert!(left < 20, "the test deleted nothing");
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "rejects", 20).await;
    archive.stop().await;
    let in_topic = rejects_of(&parts.kafka).await;
    assert_eq!(in_topic.len(), 20, "a reader that knows a key knows a repeat");
    for (key, rejects) in &in_topic {
        let expected = if rejects[0].origin.offset == 0 { 2 } else { 1 };
        assert_eq!(rejects.len(), expected, "{key}");
        assert!(rejects.iter().all(|reject| reject.reason == rejects[0].reason), "{key}");
    }
}

/// Everything in `rejects.v1`, by key.
async fn rejects_of(kafka: &KafkaConfig) -> BTreeMap<String, Vec<Reject>> {
    let kafka = kafka.clone();
    let work = move || {
        let all: Vec<_> = (0..3)
            .map(|partition| Assignment { topic: REJECTS.to_owned(), partition, from: From::Beginning })
            .collect();
        let options = ReaderOptions { partition_ends: true, ..ReaderOptions::named("test") };
        let mut reader = Reader::open(&kafka, &all, &options).expect("reader");
        let (mut rejects, mut ends) = (BTreeMap::<String, Vec<Reject>>::new(), 0);
        wait::until("the end of the rejects", SOON, || {
            let batch = reader.poll(1000, Duration::from_millis(200)).expect("poll");
            for record in batch.records() {
                let key = String::from_utf8(record.key.unwrap_or_default().to_vec()).expect("key");
                let reject = serde_json::from_slice(record.payload.unwrap_or_default()).expect("a reject");
                rejects.entry(key).or_default().push(reject);
            }
            ends += batch.ends().len();
            (ends >= 3).then_some(())
        });
        rejects
    };
    tokio::task::spawn_blocking(work).await.expect("thread")
}
