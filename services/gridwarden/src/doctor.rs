//! `gridwarden doctor`: looks at this machine, and at a broker and a ClickHouse when told where, and says what is wrong and
//! what to do about it. It changes nothing.

mod machine;
mod running;

use crate::output::answer;
use crate::up::plan;
use crate::up::ports::Ports;
use anyhow::{Result, bail};
use gridwarden_bus::{KafkaConfig, topics};
use gridwarden_store::ClickHouseConfig;
use gridwarden_store::read::{Accounted, Reader};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a broker or ClickHouse may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Arguments of `doctor`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DoctorArgs {
    /// Data folder of `up` to look at, and at what runs on it
    #[arg(long)]
    data: Option<PathBuf>,
    /// Kafka to look at, host:port[,host:port]
    #[arg(long)]
    kafka: Option<String>,
    /// Setting for librdkafka, as `security.protocol=SSL`; may be given several times
    #[arg(long = "kafka-property", value_name = "NAME=VALUE", value_parser = property)]
    kafka_properties: Vec<(String, String)>,
    /// Put before every topic name
    #[arg(long, default_value = "")]
    topic_prefix: String,
    /// ClickHouse to look at, http://host:port
    #[arg(long)]
    clickhouse: Option<String>,
    /// Database in it
    #[arg(long, default_value = "gridwarden")]
    database: String,
    /// User of ClickHouse
    #[arg(long, default_value = "")]
    user: String,
    /// Password of ClickHouse
    #[arg(long, env = "GRIDWARDEN_CLICKHOUSE__PASSWORD", default_value = "", hide_env_values = true)]
    password: String,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    state: State,
    what: String,
    detail: String,
}

impl Finding {
    fn new(state: State, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { state, what: what.into(), detail: detail.into() }
    }

    fn line(&self) -> String {
        let state = match self.state {
            State::Ok => "ok  ",
            State::Warn => "warn",
            State::Fail => "fail",
        };
        format!("{state}  {}: {}", self.what, self.detail.replace('\n', " "))
    }
}

/// Looks at everything; an error when something failed.
pub(crate) async fn run(args: DoctorArgs) -> Result<()> {
    let mut findings = platform(args.data.as_deref()).await?;
    if let Some(bootstrap) = &args.kafka {
        let kafka = KafkaConfig {
            topic_prefix: args.topic_prefix.clone(),
            properties: args.kafka_properties.iter().cloned().collect(),
            ..KafkaConfig::plain(bootstrap)
        };
        findings.extend(broker(kafka).await);
    }
    if let Some(url) = &args.clickhouse {
        let clickhouse = ClickHouseConfig {
            url: url.clone(),
            database: args.database.clone(),
            user: args.user.clone(),
            password: args.password.clone(),
        };
        findings.extend(store(&clickhouse).await);
    }
    for finding in &findings {
        answer(&finding.line());
    }
    let failed = findings.iter().filter(|finding| finding.state == State::Fail).count();
    if failed > 0 {
        bail!("{failed} of {} checks failed", findings.len());
    }
    Ok(())
}

/// This machine, and what runs on the data folder.
async fn platform(data: Option<&Path>) -> Result<Vec<Finding>> {
    let cache = plan::cache()?;
    let Some(data) = data else { return Ok(machine::findings(&cache, None, Some(&Ports::fixed()))) };
    let ports = running::ports(data);
    let up = running::up(data);
    // Ports of an `up` that runs are its own.
    let wanted = ports.as_ref().ok().filter(|_| up.is_none());
    let mut findings = machine::findings(&cache, Some(data), wanted);
    findings.extend(running::findings(data, up, ports).await?);
    Ok(findings)
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it is not NAME=VALUE".to_owned()),
    }
}

async fn broker(kafka: KafkaConfig) -> Vec<Finding> {
    let what = format!("kafka {}", kafka.bootstrap);
    let asked = tokio::task::spawn_blocking(move || topics::inspect(&kafka, &[])).await;
    let found = match asked {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return vec![Finding::new(State::Fail, what, error.to_string())],
        Err(error) => return vec![Finding::new(State::Fail, what, error.to_string())],
    };
    let mut findings = vec![Finding::new(State::Ok, what, "it answers")];
    if found.is_empty() {
        findings.push(Finding::new(State::Ok, "topics", "all are there as the table says, with LogAppendTime"));
    }
    findings.extend(found.into_iter().map(|it| {
        let state = if it.fatal { State::Fail } else { State::Warn };
        Finding::new(state, format!("topic {}", it.topic), it.detail)
    }));
    findings
}

async fn store(clickhouse: &ClickHouseConfig) -> Vec<Finding> {
    let what = format!("clickhouse {}", clickhouse.url);
    let fail = |what: String, why: String| Finding::new(State::Fail, what, why);
    match tokio::time::timeout(ANSWER_LIMIT, gridwarden_store::ping(clickhouse)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return vec![fail(what, error.to_string())],
        Err(_) => return vec![fail(what, format!("it does not answer within {ANSWER_LIMIT:?}"))],
    }
    let tables = match gridwarden_store::pending(clickhouse).await {
        Ok(pending) if pending.is_empty() => Finding::new(State::Ok, "migrations", "all are applied"),
        Ok(pending) => fail(
            "migrations".to_owned(),
            format!("not applied: {}; `gridwarden up` or the archive applies them", pending.join(", ")),
        ),
        Err(error) => fail("migrations".to_owned(), format!("database {}: {error}", clickhouse.database)),
    };
    let mut findings = vec![Finding::new(State::Ok, what, "it answers")];
    if tables.state == State::Ok {
        findings.extend(conservation(clickhouse).await);
    }
    findings.push(tables);
    findings
}

/// Whether everything that was read in the last hour is something.
async fn conservation(clickhouse: &ClickHouseConfig) -> Vec<Finding> {
    let said = match Reader::new(clickhouse).accounted().await {
        Ok(said) => said,
        Err(error) => return vec![Finding::new(State::Fail, "conservation", error.to_string())],
    };
    let finding = |said: Accounted| {
        let what = format!("conservation of {} {}", said.stage, said.process);
        let Accounted { read, unaccounted, .. } = said;
        match unaccounted {
            0 => Finding::new(State::Ok, what, format!("{read} records read, all of them accounted for")),
            _ => Finding::new(State::Fail, what, format!("{unaccounted} of {read} records read are not accounted for")),
        }
    };
    said.into_iter().map(finding).collect()
}
