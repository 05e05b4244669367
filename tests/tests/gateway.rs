//! What the gateway promises: what it said 202 to stands in the topic, once, as it was sent; what Kafka has not acknowledged it
//! does not say 202 to.

use gridwarden_bus::topics::{self, ensure};
use gridwarden_bus::{Assignment, From, KafkaConfig, Reader, ReaderOptions, headers};
use gridwarden_domain::city::{Feed, Intake};
use gridwarden_domain::crs::Crs;
use gridwarden_domain::decode::protobuf_of;
use gridwarden_embedded::kafka::KafkaProcess;
use gridwarden_gateway::config::{Config, DEFAULTS};
use gridwarden_runtime::health::Health;
use gridwarden_runtime::secrets::Secret;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_runtime::{config, http as shell};
use gridwarden_tests::http::Client;
use gridwarden_tests::{metrics, parts, wait};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;
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
        Self::over(parts::kafka(test), |_| {}).await
    }

    async fn over(kafka: KafkaConfig, change: impl FnOnce(&mut Config)) -> Self {
        ensure(&kafka, &[]).await.expect("topics");
        let mut own: Config = config::load_with("gateway", DEFAULTS, None, []).expect("defaults");
        own.kafka = kafka.clone();
        own.auth.admin_token = Some(Secret::literal("root"));
        change(&mut own);
        let feed = |name: &str, crs| Feed {
            name: name.into(),
            token_sha256: Some(hex(&Sha256::digest(format!("{name} token")))),
            may: vec![Intake::Observations, Intake::Reports],
            crs,
            historical: false,
        };
        let feeds = [feed("air", Crs::Wgs84), feed("taxi", Crs::Gcj02)];
        let routes = gridwarden_gateway::gateway(&own, &feeds, Health::new("gateway")).expect("gateway").routes;
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
                let feed = record.headers().get(headers::FEED).map(|name| String::from_utf8_lossy(name).into_owned());
                found.push((key, payload, feed));
            }
            ended.extend(batch.ends().iter().map(|end| end.partition));
            (ended.len() == assignments.len()).then_some(())
        });
        found
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

/// gzip of the plainest kind: one stored block, so that two packings of the same bytes can be made to differ.
fn gzip(bytes: &[u8], made_at: u32) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short");
    let crc = !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    let mut packed = vec![0x1f, 0x8b, 8, 0];
    packed.extend(made_at.to_le_bytes());
    packed.extend([0, 255, 1]);
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(bytes);
    packed.extend(crc.to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
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

/// Protobuf is passed on as it came, and says so to whoever reads it.
#[tokio::test(flavor = "multi_thread")]
async fn an_observation_in_protobuf_stands_in_the_topic_as_it_was_sent() {
    let gateway = Served::start("gateway_protobuf").await;
    let payload = protobuf_of(&serde_json::from_value(observation("air-1")).expect("an observation"));
    let post = async |kind: &str, body: Vec<u8>| {
        let request = reqwest::Client::new().post(format!("{}/v1/observations", gateway.base));
        let answer = request.bearer_auth("air token").header("content-type", kind).body(body).send().await;
        let answer = answer.expect("answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    let (status, told) = post("application/x-protobuf", payload.clone()).await;
    assert_eq!(status, 202, "{told}");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let number = |name: &str| told["records"][0][name].as_i64().expect("a number");
    let (partition, from) = (i32::try_from(number("partition")).expect("a partition"), From::Offset(number("offset")));
    let place = Assignment { topic: topics::OBSERVATIONS.to_owned(), partition, from };
    let mut reader = Reader::open(&gateway.kafka, &[place], &ReaderOptions::named("test")).expect("reader");
    wait::until("the record", SOON, || {
        let batch = reader.poll(10, Duration::from_millis(200)).expect("poll");
        let record = batch.records().next()?;
        assert_eq!(record.payload, Some(&payload[..]));
        assert_eq!(record.key, Some(&b"air-1"[..]));
        assert_eq!(record.headers().get(headers::CONTENT_TYPE), Some(&b"application/x-protobuf"[..]));
        assert_eq!(record.headers().get(headers::FEED), Some(&b"air"[..]));
        Some(())
    });
    let (status, told) = post("application/x-protobuf", payload.split_at(6).0.to_vec()).await;
    assert!(status == 400 && told.contains("Protobuf"), "{status}: {told}");
    assert_eq!(post(JSON, payload.clone()).await.0, 400);
    assert_eq!(post("application/avro", payload).await.0, 415);
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
    let (status, text) = air.get("/metrics").await.expect("answer");
    assert_eq!((status, metrics::faults(&text)), (200, Vec::new()), "{text}");
    assert!(text.contains(r#"gridwarden_gateway_records_total{feed="air",kind="observations"} 1"#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_in_a_system_nobody_knows_is_refused_with_that_reason() {
    let gateway = Served::start("gateway_crs").await;
    let (air, taxi) = (gateway.client("air token"), gateway.client("taxi token"));
    let position = json!({"lon": 121.5, "lat": 31.2});
    let observed = |crs: Option<&str>| {
        let mut body = observation("taxi-1");
        body["position"] = position.clone();
        body["crs"] = crs.into();
        body.to_string()
    };
    let cases = [
        (&air, Some("EPSG:4326"), "unknown reference system `EPSG:4326`"),
        (&taxi, Some("gcj-02"), "unknown reference system `gcj-02`"),
    ];
    for (client, crs, why) in cases {
        let (status, text) = client.post("/v1/observations", JSON, observed(crs), &[]).await.expect("answer");
        let told: Value = serde_json::from_str(&text).expect("json");
        assert_eq!((status, &told["errors"][0]), (400, &json!({"field": "crs", "detail": why})), "{text}");
        let (_, text) =
            client.post("/v1/observations/batch", "application/x-ndjson", observed(crs), &[]).await.expect("answer");
        let told: Value = serde_json::from_str(&text).expect("json");
        let wanted = json!({"line": 1, "field": "crs", "code": "unsupported_crs", "detail": why});
        assert_eq!(told["rejected"], json!([wanted]), "{text}");
    }
    // What is converted is taken as it came: who reads it converts it.
    for (source, body) in [("taxi-1", observed(Some("BD-09"))), ("taxi-2", observed(None))] {
        let (status, text) = taxi.post("/v1/observations", JSON, body, &[]).await.expect("answer");
        assert_eq!(status, 202, "{source}: {text}");
    }
    assert_eq!(gateway.records(topics::OBSERVATIONS).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_is_away_nothing_is_acknowledged_and_the_same_request_passes_once_it_is_back() {
    let options = parts::kafka_options("gateway_kafka_away");
    let broker = KafkaProcess::start(options.clone()).expect("Kafka starts");
    let kafka = KafkaConfig::plain(&broker.bootstrap());
    let gateway = Served::over(kafka, |config| config.limits.acknowledge_s = 3).await;
    let (client, key) = (gateway.client("air token"), [("idempotency-key", "k-1")]);
    accepted(&client, "/v1/observations", &observation("air-0"), &[]).await;
    // Dropping is SIGKILL.
    drop(broker);
    let batch = || format!("{}\n{}\n", observation("air-1"), observation("air-2"));
    let send = || client.post("/v1/observations/batch", "application/x-ndjson", batch(), &key);
    let (status, text) = send().await.expect("answer");
    let told: Value = serde_json::from_str(&text).expect("json");
    assert_eq!((status, &told["status"]), (503, &json!(503)), "{text}");
    assert!(told["detail"].as_str().is_some_and(|words| words.contains("nothing counts as taken")), "{text}");
    let broker = KafkaProcess::start(options).expect("Kafka starts again");
    let taken = wait::until_async("the same request is taken", SOON * 3, || async {
        let (status, text) = send().await?;
        if status == 202 { Ok(text) } else { Err(text) }
    })
    .await;
    assert_eq!(serde_json::from_str::<Value>(&taken).expect("json"), json!({"accepted": 2, "rejected": []}));
    // From now on the answer is known, and no further record is made.
    let before = gateway.records(topics::OBSERVATIONS).len();
    assert_eq!(send().await.expect("answer"), (202, taken));
    let found = gateway.records(topics::OBSERVATIONS);
    assert_eq!(found.len(), before);
    for source in ["air-0", "air-1", "air-2"] {
        assert!(found.iter().any(|(key, ..)| key == source), "{source} is not in the topic");
    }
    drop(gateway);
    tokio::task::spawn_blocking(|| broker.stop()).await.expect("thread").expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_packed_anew_is_the_same_body() {
    let gateway = Served::start("gateway_gzip").await;
    let client = gateway.client("air token");
    let headers = [("idempotency-key", "k-1"), ("content-encoding", "gzip")];
    let text = observation("air-1").to_string();
    let mut answers = Vec::new();
    for made_at in [1, 2] {
        let packed = gzip(text.as_bytes(), made_at);
        answers.push(client.post("/v1/observations", JSON, packed, &headers).await.expect("answer"));
    }
    // Packed or not is no difference either.
    answers.push(client.post("/v1/observations", JSON, text, &headers[..1]).await.expect("answer"));
    assert!(answers.iter().all(|answer| answer.0 == 202 && *answer == answers[0]), "{answers:?}");
    let found = gateway.records(topics::OBSERVATIONS);
    assert_eq!(found, [("air-1".to_owned(), observation("air-1"), Some("air".to_owned()))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_takes_its_good_lines_and_tells_of_the_others() {
    let gateway = Served::start("gateway_batch").await;
    let mut lines: Vec<String> = (0..2000).map(|n| observation(&format!("air-{n}")).to_string()).collect();
    lines[7] = "{\"source\":\"a\"".into();
    lines[1500] = json!({"source": "b", "kind": "air", "time": 1, "position": {"lon": 200, "lat": 0}}).to_string();
    let client = gateway.client("air token");
    let answer = client.post("/v1/observations/batch", "application/x-ndjson", lines.join("\n"), &[]).await;
    let (status, text) = answer.expect("answer");
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
    assert_eq!(id, gridwarden_gateway::check::id_of("air", "r-1", report().to_string().as_bytes()));
    let other = accepted(&client, "/v1/reports", &report(), &[]).await;
    assert_ne!(other["id"], told["id"]);
    let own = json!({"id": "own-7", "channel": "officer", "class": report()["class"], "time": 1_700_000_000_000i64});
    assert_eq!(accepted(&client, "/v1/reports", &own, &[]).await["id"], "own-7");
    let found = gateway.records(topics::REPORTS);
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|(key, payload, feed)| payload["id"] == key.as_str() && feed.as_deref() == Some("air")));
    assert!(found.iter().any(|(key, ..)| *key == id));
}
