//! dispatch running in this process, and what it is asked.

use super::receiver::SECRET;
use gridwarden_dispatch::Config;
use gridwarden_domain::alert::{Alert, Subject, Transition};
use gridwarden_domain::identity::{RecordId, TopicId};
use gridwarden_domain::rule::{Certainty, Severity, Urgency};
use gridwarden_domain::text::Text;
use gridwarden_runtime::secrets::Secret;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_tests::parts::{Parts, folder, free_address};
use gridwarden_tests::wait;
use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

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
        urgency: Urgency::default(),
        certainty: Certainty::default(),
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
        evidence: Vec::new(),
        storm_per_minute: Some(u32::MAX),
        simulated: true,
    }
}

/// A city folder with these endpoints; private addresses are allowed for http only.
pub fn city(test: &str, endpoints: &[(&str, String)]) -> PathBuf {
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
    city
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
        let mut config = gridwarden_dispatch::config(None).expect("defaults");
        config.kafka = parts.kafka.clone();
        config.clickhouse = parts.clickhouse.clone();
        config.city.folder = city(test, endpoints);
        config.auth.admin_token = Some(Secret::literal("root"));
        config.webhooks.schedule_s = vec![0, 1, 1, 1];
        config.webhooks.jitter = 0.0;
        change(&mut config);
        let free = free_address();
        config.http.listen = free;
        let (shutdown, base) = (Shutdown::new(), format!("http://{free}"));
        let task = tokio::spawn(gridwarden_dispatch::run(config, shutdown.clone()));
        let client = reqwest::Client::builder().no_proxy().build().expect("client");
        let own = Self { parts: parts.clone(), shutdown, task, base, client };
        own.until_ready(true).await;
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

    /// Waits until it is ready, or is not.
    pub async fn until_ready(&self, ready: bool) -> String {
        // Asking a broker that is away takes a while.
        wait::until_async("its readiness", SOON * 2, || async {
            let answer = self.client.get(format!("{}/readyz", self.base)).send().await;
            let answer = answer.map_err(|error| error.to_string())?;
            let is = answer.status() == 200;
            let text = answer.text().await.unwrap_or_default();
            if is == ready { Ok(text) } else { Err(text) }
        })
        .await
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
    /// The next event; comments are passed over.
    pub async fn next(&mut self) -> Event {
        loop {
            let block = self.block().await;
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
            };
            let (kind, id, data) = (field("event:"), field("id:"), field("data:"));
            if !kind.is_empty() {
                return Event { kind, id, data: serde_json::from_str(&data).expect("json") };
            }
        }
    }

    /// The next lines up to a blank one.
    pub async fn block(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return block;
            }
            let chunk =
                tokio::time::timeout(SOON, self.response.chunk()).await.expect("an event in time").expect("stream");
            self.text.push_str(std::str::from_utf8(&chunk.expect("the stream ended")).expect("text"));
        }
    }
}
