//! The API over real sockets, without a broker: everything that is decided before Kafka, and what is said when Kafka is away.

use crate::config::{Config, DEFAULTS};
use gridwarden_domain::city::{Feed, Intake};
use gridwarden_domain::crs::Crs;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::secrets::Secret;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_runtime::{config, http as shell};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(20);

const GOOD: &str = r#"{"source":"air-1","kind":"air","time":1700000000000,"values":{"pm25":12.5}}"#;

struct Served {
    base: String,
    client: Client,
    shutdown: Shutdown,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.trigger("test over");
    }
}

/// A gateway whose Kafka is a port nobody listens on.
async fn served(change: impl FnOnce(&mut Config)) -> Served {
    let mut own: Config = config::load_with("gateway", DEFAULTS, None, []).expect("defaults");
    own.auth.admin_token = Some(Secret::literal("root"));
    own.kafka.bootstrap = "127.0.0.1:1".into();
    own.limits.acknowledge_s = 1;
    change(&mut own);
    let feed = |name: &str, may: &[Intake]| Feed {
        name: name.into(),
        token_sha256: Some(hex::encode(Sha256::digest(name.as_bytes()))),
        may: may.to_vec(),
        crs: Crs::Wgs84,
        historical: false,
    };
    let feeds = [feed("air", &[Intake::Observations]), feed("app", &[Intake::Reports])];
    let routes = crate::gateway(&own, &feeds, Health::new("gateway")).expect("gateway").routes;
    let listener = shell::bind("127.0.0.1:0".parse().expect("address")).await.expect("port");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    let shutdown = Shutdown::new();
    tokio::spawn(shell::serve(listener, routes, shutdown.clone()));
    Served { base, client: Client::builder().no_proxy().build().expect("client"), shutdown }
}

impl Served {
    fn post(&self, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.base)).header("content-type", kind);
        request.bearer_auth("root").body(body)
    }

    fn observation(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.post("/v1/observations", "application/json", body)
    }

    async fn metrics(&self) -> String {
        let answer = self.client.get(format!("{}/metrics", self.base)).send().await.expect("answer");
        answer.text().await.expect("text")
    }

    /// Waits until the figures hold a line.
    async fn until_metrics(&self, line: &str) {
        let all = async {
            while !self.metrics().await.lines().any(|each| each == line) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(SOON, all).await.unwrap_or_else(|_| panic!("{line} never came"));
    }

    /// A connection of one's own, for what no client of HTTP does.
    async fn raw(&self, text: &str) -> TcpStream {
        let address = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.expect("connection");
        stream.write_all(text.as_bytes()).await.expect("written");
        stream
    }

    fn batch(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.post("/v1/observations/batch", "application/x-ndjson", body)
    }
}

async fn problem(request: RequestBuilder) -> (u16, Value) {
    told(request.send().await.expect("answer")).await
}

/// An error answer, which must be a problem after RFC 9457.
async fn told(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json", "status {status}");
    let body: Value = response.json().await.expect("json");
    assert_eq!(body["status"], status);
    assert!(body["title"].is_string() && body["type"].is_string());
    (status, body)
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let gateway = served(|_| {}).await;
    let path =
        |path: &str| gateway.client.post(format!("{}{path}", gateway.base)).header("content-type", "application/json");
    let response = path("/v1/observations").body(GOOD).send().await.expect("answer");
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(told(response).await.0, 401);
    assert_eq!(problem(path("/v1/observations").bearer_auth("nobody").body(GOOD)).await.0, 401);
    assert_eq!(problem(path("/v1/observations").bearer_auth("app").body(GOOD)).await.0, 403);
    assert_eq!(problem(path("/v1/reports").bearer_auth("air").body("{}")).await.0, 403);
    // Allowed, so it comes as far as the body.
    assert_eq!(problem(path("/v1/observations").bearer_auth("air").body("{}")).await.0, 400);
}

#[tokio::test]
async fn a_bad_observation_names_its_field() {
    let gateway = served(|_| {}).await;
    let cases = [
        (json!({"kind": "air", "time": 1}).to_string(), "source"),
        (json!({"source": "a", "kind": "air", "time": "soon"}).to_string(), "time"),
        (
            json!({"source": "a", "kind": "air", "time": 1, "position": {"lon": 1, "lat": 91}}).to_string(),
            "position.lat",
        ),
        (json!({"source": "a", "kind": "air", "time": 9_999_999_999_999i64}).to_string(), "time"),
        ("{".to_owned(), ""),
    ];
    for (body, field) in cases {
        let (status, told) = problem(gateway.observation(body.clone())).await;
        assert_eq!((status, told["errors"][0]["field"].as_str()), (400, Some(field)), "{body}: {told}");
        assert!(told["errors"][0]["detail"].as_str().is_some_and(|text| !text.is_empty()));
    }
    let (status, told) = problem(gateway.post("/v1/reports", "application/json", "{}")).await;
    assert_eq!(status, 400, "{told}");
}

#[tokio::test]
async fn a_batch_of_bad_lines_is_refused_line_by_line() {
    let gateway = served(|_| {}).await;
    let body = "{}\n\nnot json\n{\"source\":\"a\",\"kind\":\"air\",\"time\":1,\"values\":{\"x\":\"y\"}}\n";
    let (status, told) = problem(gateway.batch(body)).await;
    assert_eq!(status, 400, "{told}");
    let lines: Vec<_> = told["rejected"].as_array().expect("lines").iter().map(|each| each["line"].as_u64()).collect();
    assert_eq!(lines, [Some(1), Some(3), Some(4)]);
    assert_eq!(told["rejected"][1]["code"], "malformed");
    assert_eq!(problem(gateway.batch("\n \n")).await.0, 400);
}

#[tokio::test]
async fn limits_are_kept() {
    let gateway = served(|config| {
        config.limits.single_bytes = 1_000;
        config.limits.batch_bytes = 10_000;
        config.limits.batch_lines = 3;
    })
    .await;
    assert_eq!(problem(gateway.observation("x".repeat(1_001))).await.0, 413);
    assert_eq!(problem(gateway.observation("x".repeat(4 << 20))).await.0, 413);
    assert_eq!(problem(gateway.batch("{}\n".repeat(4))).await.0, 413);
    let (status, told) = problem(gateway.batch("x".repeat(1_001))).await;
    assert_eq!((status, told["rejected"][0]["code"].as_str()), (400, Some("too_large")));
    let (status, _) = problem(gateway.observation("x").header("content-encoding", "gzip")).await;
    assert_eq!(status, 400);
    let chunked =
        reqwest::Body::wrap_stream(futures::stream::iter((0..50).map(|_| Ok::<_, std::io::Error>("x".repeat(100)))));
    assert_eq!(problem(gateway.observation(chunked)).await.0, 413);
}

/// The head of a POST by hand.
fn head(path: &str, token: &str, kind: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn who_is_refused_while_still_sending_gets_the_answer_and_no_reset() {
    const LONG: usize = 8 << 20;
    let gateway = served(|_| {}).await;
    let (single, batch) = ("/v1/observations", "/v1/observations/batch");
    let refused = [
        (head(batch, "nobody", "application/x-ndjson", LONG), 401),
        (head("/v1/reports", "air", "application/json", LONG), 403),
        (head(single, "air", "application/json", LONG), 413),
        (head(batch, "air", "text/csv", LONG), 415),
    ];
    for (head, wanted) in refused {
        // A plain client: it reads nothing before it has sent everything.
        let mut stream = gateway.raw(&head).await;
        stream.write_all("x".repeat(LONG).as_bytes()).await.expect("all of it is taken");
        let mut answer = String::new();
        tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await.expect("in time").expect("no reset");
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted} ")), "{wanted}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let gateway = served(|config| config.limits.body_timeout_s = 1).await;
    let mut slow = gateway.raw(&format!("{}{{", head("/v1/observations", "air", "application/json", 100))).await;
    let mut answer = String::new();
    tokio::time::timeout(SOON, slow.read_to_string(&mut answer)).await.expect("in time").expect("answer");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("application/problem+json") && answer.contains("did not arrive within 1 s"), "{answer}");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    let gateway = served(|config| config.limits.in_flight_per_feed = 1).await;
    // One goes in the middle of its body, one while Kafka is waited for.
    for (length, body) in [(100, "{"), (GOOD.len(), GOOD)] {
        let gone = gateway.raw(&format!("{}{body}", head("/v1/observations", "air", "application/json", length))).await;
        gateway.until_metrics("gridwarden_gateway_in_flight 1").await;
        drop(gone);
        gateway.until_metrics("gridwarden_gateway_in_flight 0").await;
    }
    // The record of the second is still on its way; its place is free once Kafka was waited for.
    gateway.until_metrics("gridwarden_gateway_unacknowledged_total 1").await;
    let air = gateway.client.post(format!("{}/v1/observations", gateway.base)).bearer_auth("air");
    let next = air.header("content-type", "application/json").body("{}");
    assert_eq!(problem(next).await.0, 400, "a place was not given back");
}

#[tokio::test]
async fn types_methods_and_paths_are_problems_too() {
    let gateway = served(|_| {}).await;
    let (status, told) = problem(gateway.post("/v1/observations", "text/plain", GOOD)).await;
    assert_eq!((status, &told["errors"][0]["field"]), (415, &json!("content-type")), "{told}");
    assert_eq!(problem(gateway.post("/v1/observations/batch", "application/json", GOOD)).await.0, 415);
    assert_eq!(problem(gateway.observation(GOOD).header("content-encoding", "br")).await.0, 415);
    let wrong = gateway.client.get(format!("{}/v1/observations", gateway.base)).send().await.expect("answer");
    assert_eq!(wrong.headers()["allow"], "POST");
    assert_eq!(self::told(wrong).await.0, 405);
    assert_eq!(problem(gateway.client.get(format!("{}/v2", gateway.base))).await.0, 404);
    for keys in [vec!["x".repeat(256)], vec![String::new()], vec!["a".to_owned(), "b".to_owned()]] {
        let request =
            keys.iter().fold(gateway.observation(GOOD), |request, key| request.header("idempotency-key", key));
        let (status, told) = problem(request).await;
        assert_eq!((status, &told["errors"][0]["field"]), (400, &json!("Idempotency-Key")), "{keys:?}");
    }
    let openapi = gateway.client.get(format!("{}/openapi.json", gateway.base)).send().await.expect("answer");
    assert_eq!(openapi.status(), 200);
    let document = openapi.json::<Value>().await.expect("json");
    let paths = document["paths"].as_object().expect("paths");
    assert_eq!(paths.len(), 3);
    for (path, methods) in paths {
        assert_eq!(methods.as_object().expect("methods").keys().collect::<Vec<_>>(), ["post"], "{path}");
        let asked = gateway.client.post(format!("{}{path}", gateway.base));
        assert_eq!(problem(asked).await.0, 401, "{path} is described but not there");
    }
}

#[tokio::test]
async fn without_kafka_nothing_is_acknowledged() {
    let gateway = served(|_| {}).await;
    for request in [gateway.observation(GOOD), gateway.batch(format!("{GOOD}\n{GOOD}\n{{}}"))] {
        let response = request.header("idempotency-key", "k").send().await.expect("answer");
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(told(response).await.0, 503);
    }
    // A failed request does not use its key up: another body is no mismatch.
    let other = GOOD.replace("air-1", "air-2");
    assert_eq!(problem(gateway.observation(other).header("idempotency-key", "k")).await.0, 503);
    let text = gateway.metrics().await;
    assert!(text.contains("gridwarden_gateway_unacknowledged_total 4"), "{text}");
    assert!(text.contains(r#"gridwarden_gateway_requests_total{route="/v1/observations",status="503"} 2"#), "{text}");
}

#[tokio::test]
async fn one_key_at_a_time_and_one_body_per_key() {
    let gateway = served(|config| {
        config.limits.acknowledge_s = 4;
        config.idempotency.wait_s = 0;
    })
    .await;
    let first = tokio::spawn(problem(gateway.observation(GOOD).header("idempotency-key", "k")));
    // Its body was read, so it stands at Kafka's door; the claim of its key is a few instructions away.
    gateway.until_metrics(&format!("gridwarden_gateway_body_bytes_total {}", GOOD.len())).await;
    let again = || gateway.observation(GOOD).header("idempotency-key", "k");
    assert_eq!(problem(again()).await.0, 409);
    let other = gateway.observation(GOOD.replace("air-1", "air-2")).header("idempotency-key", "k");
    assert_eq!(problem(other).await.0, 422);
    assert_eq!(first.await.expect("task").0, 503);
}

#[tokio::test]
async fn too_much_at_once_is_told_with_a_time_to_come_back() {
    let gateway = served(|config| {
        config.limits.acknowledge_s = 3;
        config.limits.in_flight_per_feed = 1;
    })
    .await;
    let first = tokio::spawn(problem(gateway.observation(GOOD)));
    let second = problem(gateway.observation(GOOD)).await;
    let first = first.await.expect("task");
    let mut both = [first.0, second.0];
    both.sort_unstable();
    assert_eq!(both, [429, 503]);
}
