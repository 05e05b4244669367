//! What the gateway promises once Kafka is there: what it said 202 to stands in the topic, once, as it was sent.

use gridwarden_bus::topics::{self, ensure};
use gridwarden_bus::{Assignment, From, KafkaConfig, Reader, ReaderOptions, headers};
use gridwarden_domain::city::{Feed, Intake};
use gridwarden_domain::crs::Crs;
use gridwarden_gateway::config::{Config, DEFAULTS};
use gridwarden_runtime::health::Health;
use gridwarden_runtime::secrets::Secret;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_runtime::{config, http as shell};
use gridwarden_tests::http::Client;
use gridwarden_tests::{parts, wait};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const JSON: &str = "application/json";

struct Served {
    kafka: KafkaConfig,
    base: String,
    shutdown: Shutdown,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.trigger("test over");
    }
}

impl Served {
    async fn start(test: &str) -> Self {
        let kafka = parts::kafka(test);
        ensure(&kafka, &[]).await.expect("topics");
        let mut own: Config = config::load_with("gateway", DEFAULTS, None, []).expect("defaults");
        own.kafka = kafka.clone();
        own.auth.admin_token = Some(Secret::literal("root"));
        let feeds = [Feed {
            name: "air".into(),
            token_sha256: Some(format!("{:x}", HexDigest(Sha256::digest(b"air token").into()))),
            may: vec![Intake::Observations, Intake::Reports],
            crs: Crs::Wgs84,
            historical: false,
        }];
        let routes = gridwarden_gateway::gateway(&own, &feeds, Health::new("gateway")).expect("gateway");
        let listener = shell::bind("127.0.0.1:0".parse().expect("address")).await.expect("port");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        let shutdown = Shutdown::new();
        tokio::spawn(shell::serve(listener, routes, shutdown.clone()));
        Self { kafka, base, shutdown }
    }

    fn client(&self, token: &str) -> Client {
        Client::new(&self.base, Some(token))
    }

    /// Every record of a topic: (key, payload, feed), in no order across partitions.
    fn records(&self, topic: &str) -> Vec<(String, Value, Option<String>)> {
        let partitions = gridwarden_bus::topic_meta(&self.kafka, topic).expect("meta").partitions;
        let from = |partition| Assignment { topic: topic.to_owned(), partition, from: From::Beginning };
        let assignments: Vec<_> = (0..partitions).map(from).collect();
        let options = ReaderOptions { partition_ends: true, ..ReaderOptions::named("test") };
        let mut reader = Reader::open(&self.kafka, &assignments, &options).expect("reader");
        let (mut found, mut ended) = (Vec::new(), std::collections::BTreeSet::new());
        wait::until("the ends of all partitions", SOON, || {
            let batch = reader.poll(1000, Duration::from_millis(200)).expect("poll");
            for record in batch.records() {
                let key = String::from_utf8(record.key.expect("key").to_vec()).expect("text");
                let payload = serde_json::from_slice(record.payload.expect("payload")).expect("json");
                let feed = record.header(headers::FEED).map(|name| String::from_utf8_lossy(name).into_owned());
                found.push((key, payload, feed));
            }
            ended.extend(batch.ends().iter().map(|end| end.partition));
            (ended.len() == assignments.len()).then_some(())
        });
        found
    }
}

struct HexDigest([u8; 32]);

impl std::fmt::LowerHex for HexDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn observation(source: &str) -> Value {
    json!({"source": source, "kind": "air", "time": 1_700_000_000_000i64, "values": {"pm25": 12.5}})
}

fn report() -> Value {
    let class = json!({"catalogue": "c", "kind": "event", "code": "1"});
    json!({"channel": "citizen", "class": class, "time": 1_700_000_000_000i64})
}

async fn accepted(client: &Client, path: &str, body: &Value, headers: &[(&str, &str)]) -> Value {
    let (status, text) = client.post(path, JSON, body.to_string(), headers).await.expect("answer");
    assert_eq!(status, 202, "{text}");
    serde_json::from_str(&text).expect("json")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_stands_in_the_topic_as_it_was_sent() {
    let gateway = Served::start("gateway_ack").await;
    let (air, admin) = (gateway.client("air token"), gateway.client("root"));
    let told = accepted(&air, "/v1/observations", &observation("air-1"), &[]).await;
    assert_eq!(told["accepted"], 1);
    assert_eq!(told["records"][0]["offset"], 0, "{told}");
    accepted(&admin, "/v1/observations", &observation("air-2"), &[]).await;
    let mut found = gateway.records(topics::OBSERVATIONS);
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let wanted = [
        ("air-1".to_owned(), observation("air-1"), Some("air".to_owned())),
        ("air-2".to_owned(), observation("air-2"), None),
    ];
    assert_eq!(found, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_takes_its_good_lines_and_tells_of_the_others() {
    let gateway = Served::start("gateway_batch").await;
    let mut lines: Vec<String> = (0..2000).map(|n| observation(&format!("air-{n}")).to_string()).collect();
    lines[7] = "{\"source\":\"a\"".into();
    lines[1500] = json!({"source": "b", "kind": "air", "time": 1, "position": {"lon": 200, "lat": 0}}).to_string();
    let answer =
        gateway.client("air token").post("/v1/observations/batch", "application/x-ndjson", lines.join("\n"), &[]);
    let (status, text) = answer.await.expect("answer");
    assert_eq!(status, 202, "{text}");
    let told: Value = serde_json::from_str(&text).expect("json");
    assert_eq!(told["accepted"], 1998);
    let rejected: Vec<_> =
        told["rejected"].as_array().expect("lines").iter().map(|each| (&each["line"], &each["code"])).collect();
    assert_eq!(rejected, [(&json!(8), &json!("malformed")), (&json!(1501), &json!("invalid_position"))], "{told}");
    assert_eq!(gateway.records(topics::OBSERVATIONS).len(), 1998);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_makes_one_record_however_often_and_at_once_it_comes() {
    let gateway = Served::start("gateway_key").await;
    let (client, key) = (gateway.client("air token"), [("idempotency-key", "k-1")]);
    let body = observation("air-1");
    let many = (0..8).map(|_| {
        let (client, body) = (client.clone(), body.clone());
        tokio::spawn(async move { accepted(&client, "/v1/observations", &body, &key).await })
    });
    let mut answers = Vec::new();
    for each in many.collect::<Vec<_>>() {
        answers.push(each.await.expect("task"));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(gateway.records(topics::OBSERVATIONS).len(), 1);
    let (status, text) =
        client.post("/v1/observations", JSON, observation("air-2").to_string(), &key).await.expect("answer");
    assert_eq!(status, 422, "{text}");
    // Another feed's key is another key.
    accepted(&gateway.client("root"), "/v1/observations", &observation("air-2"), &key).await;
    assert_eq!(gateway.records(topics::OBSERVATIONS).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_without_id_gets_one_that_follows_its_key() {
    let gateway = Served::start("gateway_report").await;
    let client = gateway.client("air token");
    let told = accepted(&client, "/v1/reports", &report(), &[("idempotency-key", "r-1")]).await;
    let id = told["id"].as_str().expect("id").to_owned();
    assert_eq!(id, gridwarden_gateway::check::id_of("air", "r-1"));
    let other = accepted(&client, "/v1/reports", &report(), &[]).await;
    assert_ne!(other["id"], told["id"]);
    let own = json!({"id": "own-7", "channel": "officer", "class": report()["class"], "time": 1_700_000_000_000i64});
    assert_eq!(accepted(&client, "/v1/reports", &own, &[]).await["id"], "own-7");
    let found = gateway.records(topics::REPORTS);
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|(key, payload, feed)| payload["id"] == key.as_str() && feed.as_deref() == Some("air")));
    assert!(found.iter().any(|(key, ..)| *key == id));
}
