//! Receivers that answer as told and remember what they had, and dispatch running in this process.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, serve::ListenerExt};
use gridwarden_dispatch::Config;
use gridwarden_dispatch::signature::{self, Signed, SigningSecret, TOLERANCE_S};
use gridwarden_domain::alert::{Alert, Subject, Transition};
use gridwarden_domain::identity::{RecordId, TopicId};
use gridwarden_domain::rule::Severity;
use gridwarden_domain::text::Text;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::secrets::Secret;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_tests::parts::{Parts, folder};
use gridwarden_tests::wait;
use serde_json::Value;
use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SOON: Duration = Duration::from_secs(30);

/// Id of a test's alert.
pub fn id(number: u32) -> String {
    format!("{number:032x}")
}

/// A transition: raised when `seq` is odd, cleared when even.
pub fn alert(number: u32, seq: u32) -> Alert {
    Alert {
        id: id(number),
        seq,
        transition: if seq % 2 == 1 { Transition::Raised } else { Transition::Cleared },
        generation: 0,
        rule: "r".into(),
        rule_version: 1,
        kind: "threshold".into(),
        severity: Severity::Major,
        title: Text { en: "High".into(), zh: "高".into() },
        subject: Subject::Entity("air-1".into()),
        time: 1_800_000_000_000 + i64::from(seq),
        raised_at: 1_800_000_000_001,
        appended_at: 1_800_000_000_100,
        cause: RecordId { topic_id: TopicId(1), partition: 0, offset: i64::from(number) },
        position: None,
        areas: Vec::new(),
        metric: None,
        value: None,
        level: None,
        simulated: true,
    }
}

/// How a receiver answers.
pub struct Answer {
    status: u16,
    delay: Duration,
}

impl Answer {
    /// At once with a status.
    pub fn status(status: u16) -> Self {
        Self { status, delay: Duration::ZERO }
    }

    /// Yes, but late.
    pub fn after(delay: Duration) -> Self {
        Self { status: 200, delay }
    }
}

struct Desk {
    answer: Box<dyn Fn(usize) -> Answer + Send + Sync>,
    seen: Mutex<Vec<String>>,
    refused: AtomicUsize,
    connections: AtomicUsize,
}

/// A receiver.
pub struct Receiver {
    desk: Arc<Desk>,
    port: u16,
}

impl Receiver {
    /// Starts one; `answer` is told how often it had the same message before.
    pub async fn start(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let (seen, refused, connections) = (Mutex::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let desk = Arc::new(Desk { answer: Box::new(answer), seen, refused, connections });
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("port");
        let port = listener.local_addr().expect("address").port();
        let counting = Arc::clone(&desk);
        let listener = listener.tap_io(move |_| {
            counting.connections.fetch_add(1, Ordering::Relaxed);
        });
        let routes = Router::new().fallback(receive).with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { desk, port }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ids of the verified messages it had, in order.
    pub fn seen(&self) -> Vec<String> {
        self.desk.seen.lock().expect("lock").clone()
    }

    /// Messages that did not verify.
    pub fn refused(&self) -> usize {
        self.desk.refused.load(Ordering::Relaxed)
    }

    /// Connections made to it.
    pub fn connections(&self) -> usize {
        self.desk.connections.load(Ordering::Relaxed)
    }
}

async fn receive(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp, signatures) =
        (header(signature::ID), header(signature::TIMESTAMP), header(signature::SIGNATURE));
    let message = Signed { id, timestamp, signatures, body: &body };
    let secret = SigningSecret::parse(SECRET).expect("secret");
    if secret.verify(&message, now_ms() / 1000, TOLERANCE_S).is_err() {
        desk.refused.fetch_add(1, Ordering::Relaxed);
        return StatusCode::UNAUTHORIZED;
    }
    let event: Value = serde_json::from_slice(&body).expect("json");
    assert_eq!(id, format!("{}.{}", event["data"]["id"].as_str().expect("id"), event["data"]["seq"]));
    let earlier = {
        let mut seen = desk.seen.lock().expect("lock");
        let earlier = seen.iter().filter(|each| *each == id).count();
        seen.push(id.to_owned());
        earlier
    };
    let answer = (desk.answer)(earlier);
    tokio::time::sleep(answer.delay).await;
    StatusCode::from_u16(answer.status).expect("status")
}

/// dispatch, running in this process.
pub struct Dispatch {
    parts: Parts,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    base: String,
    client: reqwest::Client,
}

impl Dispatch {
    /// Starts it with these endpoints (private addresses allowed for http only) and waits until it is ready.
    pub async fn start(
        test: &str,
        parts: &Parts,
        endpoints: &[(&str, String)],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let city = folder(&format!("dispatch_{test}")).join("city");
        std::fs::create_dir_all(&city).expect("folder");
        let mut text = String::from("name = { en = \"Test\" }\ntimezone = \"UTC\"\n");
        for (id, url) in endpoints {
            let private = url.starts_with("http:");
            writeln!(
                text,
                "[[endpoints]]\nid = \"{id}\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\nallow_private = {private}"
            )
            .expect("text");
        }
        std::fs::write(city.join("city.toml"), text).expect("city.toml");
        let mut config = gridwarden_dispatch::config(None).expect("defaults");
        config.kafka = parts.kafka.clone();
        config.clickhouse = parts.clickhouse.clone();
        config.city.folder = city;
        config.auth.admin_token = Some(Secret::literal("root"));
        config.webhooks.schedule_s = vec![0, 1, 1, 1];
        config.webhooks.jitter = 0.0;
        change(&mut config);
        let free =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("port");
        config.http.listen = free;
        let (shutdown, base) = (Shutdown::new(), format!("http://{free}"));
        let task = tokio::spawn(gridwarden_dispatch::run(config, shutdown.clone()));
        let client = reqwest::Client::builder().no_proxy().build().expect("client");
        let own = Self { parts: parts.clone(), shutdown, task, base, client };
        wait::until_async("dispatch is ready", SOON, || async {
            let answer =
                own.client.get(format!("{}/readyz", own.base)).send().await.map_err(|error| error.to_string())?;
            if answer.status() == 200 { Ok(()) } else { Err(answer.text().await.unwrap_or_default()) }
        })
        .await;
        own
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.base)).bearer_auth("root").send().await.expect("answer")
    }

    /// A text answer.
    pub async fn text(&self, path: &str) -> String {
        self.get(path).await.text().await.expect("text")
    }

    /// A JSON answer.
    pub async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path).await).expect("json")
    }

    /// The status of an answer to somebody without a token.
    pub async fn status_without_token(&self, path: &str) -> u16 {
        self.client.get(format!("{}{path}", self.base)).send().await.expect("answer").status().as_u16()
    }

    /// Waits until `/v1/deliveries` is as wanted.
    pub async fn until_deliveries(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        wait::until_async(what, SOON, || async {
            let answer = self.json("/v1/deliveries").await;
            let all = answer["deliveries"].as_array().expect("list").clone();
            if wanted(&all) { Ok(all) } else { Err(answer.to_string()) }
        })
        .await
    }

    /// Waits until ClickHouse answers a query so.
    pub async fn until_query(&self, what: &str, sql: &str, wanted: &str) {
        let url = format!("{}/?database={}", self.parts.clickhouse.url, self.parts.clickhouse.database);
        wait::until_async(what, SOON, || async {
            let answer = self.client.post(&url).body(sql.to_owned()).send().await.map_err(|error| error.to_string())?;
            let text = answer.text().await.map_err(|error| error.to_string())?;
            if text.trim() == wanted { Ok(()) } else { Err(text) }
        })
        .await;
    }

    /// Opens the live stream.
    pub async fn stream(&self, last: Option<&str>) -> Stream {
        let mut request = self.client.get(format!("{}/v1/alerts/stream", self.base)).bearer_auth("root");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("answer");
        assert_eq!(response.status(), 200);
        Stream { response, text: String::new() }
    }

    /// Ends it; it must end well and in time, with streams open and attempts under way.
    pub async fn stop(self) {
        self.shutdown.trigger("test");
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("dispatch ends within 10 s");
        ended.expect("task").expect("dispatch ends well");
    }
}

/// An event of the live stream.
pub struct Event {
    /// `event:`.
    pub kind: String,
    /// `id:`.
    pub id: String,
    /// `data:`.
    pub data: Value,
}

/// An open live stream.
pub struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    /// The next event.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
                };
                let (kind, id, data) = (field("event:"), field("id:"), field("data:"));
                self.text = rest.to_owned();
                if !kind.is_empty() {
                    return Event { kind, id, data: serde_json::from_str(&data).expect("json") };
                }
                continue;
            }
            let chunk =
                tokio::time::timeout(SOON, self.response.chunk()).await.expect("an event in time").expect("stream");
            self.text.push_str(std::str::from_utf8(&chunk.expect("the stream ended")).expect("text"));
        }
    }
}
