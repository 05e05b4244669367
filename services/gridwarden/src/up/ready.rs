//! Whether everything answers, and the ready file that says where.

use super::plan::Plan;
use crate::output::progress;
use anyhow::{Context, Result};
use gridwarden_embedded::kafka;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How often a person is told what is still waited for.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Waits for the broker and the engine.
pub(super) async fn engines(plan: &Plan<'_>) -> Result<()> {
    let began = Instant::now();
    let port = plan.ports.port("kafka");
    let broker = async {
        let mut patience = Patience::new("kafka");
        while !tokio::task::spawn_blocking(move || kafka::answers(port)).await.unwrap_or(false) {
            patience.wait("it does not answer").await;
        }
        progress(&format!("kafka answers after {:.1} s", began.elapsed().as_secs_f64()));
        anyhow::Ok(())
    };
    let engine = async {
        until_ok("clickhouse", &format!("{}/ping", plan.ports.url("clickhouse"))).await?;
        progress(&format!("clickhouse answers after {:.1} s", began.elapsed().as_secs_f64()));
        Ok(())
    };
    tokio::try_join!(broker, engine).map(|_| ())
}

/// Waits until every role says it is ready.
pub(super) async fn roles(plan: &Plan<'_>) -> Result<()> {
    for (role, url) in plan.ports.roles() {
        until_ok(role.name(), &format!("{url}/readyz")).await?;
        progress(&format!("{} is ready", role.name()));
    }
    Ok(())
}

/// Asks until the answer is 200. There is no limit: reading a long log takes as long as it takes, and it is told.
async fn until_ok(name: &str, url: &str) -> Result<()> {
    let client = client()?;
    let mut patience = Patience::new(name);
    while let Err(why) = ask(&client, url).await {
        patience.wait(&why).await;
    }
    Ok(())
}

/// A client for questions to our own children.
pub(crate) fn client() -> Result<reqwest::Client> {
    reqwest::Client::builder().timeout(ANSWER_LIMIT).no_proxy().build().context("no HTTP client")
}

/// Asks once; why not, when the answer is not 200.
pub(crate) async fn ask(client: &reqwest::Client, url: &str) -> Result<(), String> {
    match client.get(url).send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(problems(&answer.text().await.unwrap_or_default())),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

/// Waits between two questions, and tells now and then what for.
struct Patience<'a> {
    name: &'a str,
    said: Instant,
}

impl<'a> Patience<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, said: Instant::now() }
    }

    async fn wait(&mut self, why: &str) {
        if self.said.elapsed() >= SAY_EVERY {
            progress(&format!("waiting for {}: {why}", self.name));
            self.said = Instant::now();
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// The reasons in an answer of `/readyz`.
fn problems(text: &str) -> String {
    let status: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let problems = status.as_ref().and_then(|status| status.get("problems")?.as_object());
    let words: Vec<_> =
        problems.into_iter().flatten().filter_map(|(part, why)| Some(format!("{part}: {}", why.as_str()?))).collect();
    if words.is_empty() { "it is not ready".to_owned() } else { words.join(", ") }
}

#[derive(Serialize)]
struct ReadyFile<'a> {
    kafka: String,
    clickhouse: String,
    gateway: String,
    console: String,
    metrics: BTreeMap<&'static str, String>,
    token: &'a str,
}

/// The ready file's text.
pub(super) fn file(plan: &Plan<'_>) -> Result<String> {
    let ready = ReadyFile {
        kafka: plan.ports.address("kafka").to_string(),
        clickhouse: plan.ports.url("clickhouse"),
        gateway: plan.ports.url("gateway"),
        console: plan.ports.url("console"),
        metrics: plan.ports.roles().map(|(role, url)| (role.name(), url)).collect(),
        token: &plan.token,
    };
    Ok(serde_json::to_string(&ready)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told() {
        let text = r#"{"service":"x","ok":false,"problems":{"kafka":"no broker","service":"starting"}}"#;
        assert_eq!(problems(text), "kafka: no broker, service: starting");
        assert_eq!(problems("<html>"), "it is not ready");
    }
}
