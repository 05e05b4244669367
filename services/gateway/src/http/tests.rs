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
    let routes = crate::gateway(&own, &feeds, Health::new("gateway")).expect("gateway");
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

#[tokio::test]
async fn types_methods_and_paths_are_problems_too() {
    let gateway = served(|_| {}).await;
    assert_eq!(problem(gateway.post("/v1/observations", "text/plain", GOOD)).await.0, 415);
    assert_eq!(problem(gateway.post("/v1/observations/batch", "application/json", GOOD)).await.0, 415);
    assert_eq!(problem(gateway.observation(GOOD).header("content-encoding", "br")).await.0, 415);
    assert_eq!(problem(gateway.client.get(format!("{}/v1/observations", gateway.base))).await.0, 405);
    assert_eq!(problem(gateway.client.get(format!("{}/v2", gateway.base))).await.0, 404);
    assert_eq!(problem(gateway.observation(GOOD).header("idempotency-key", "x".repeat(256))).await.0, 400);
    let openapi = gateway.client.get(format!("{}/openapi.json", gateway.base)).send().await.expect("answer");
    assert_eq!(openapi.status(), 200);
    assert_eq!(openapi.json::<Value>().await.expect("json")["openapi"], "3.1.0");
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
    let metrics = gateway.client.get(format!("{}/metrics", gateway.base)).send().await.expect("answer");
    let text = metrics.text().await.expect("text");
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
    let in_flight = format!("{}/metrics", gateway.base);
    while !gateway
        .client
        .get(&in_flight)
        .send()
        .await
        .expect("answer")
        .text()
        .await
        .expect("text")
        .contains("in_flight 1")
    {
        tokio::task::yield_now().await;
    }
    let again = || gateway.observation(GOOD).header("idempotency-key", "k");
    // The gauge is counted before the key is claimed, so the very first answers may still be the claim's own.
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
