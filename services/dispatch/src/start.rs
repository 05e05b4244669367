//! dispatch's story from start to end.

use crate::board::Board;
use crate::config::Config;
use crate::courier::{Courier, Office};
use crate::endpoint::Target;
use crate::http::{self, Api};
use crate::intake;
use crate::ledger::Ledger;
use crate::ledger_log::{self, LedgerLog};
use crate::metrics::Metrics;
use crate::retry::Schedule;
use crate::router::{Router, Way};
use crate::sender::Sender;
use crate::status::Status;
use crate::storm::Storms;
use crate::storm_table::{self, Pending};
use crate::tables::{self, Tables};
use crate::watch;
use anyhow::{Context, Result};
use gridwarden_bus::{BusError, KafkaConfig, Producer, ProducerOptions, topics};
use gridwarden_runtime::city;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::http as shell;
use gridwarden_runtime::shutdown::{Shutdown, Tasks};
use gridwarden_runtime::telemetry;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

const PAUSE: Duration = Duration::from_secs(1);
/// Batches read ahead of the router.
const AHEAD: usize = 4;
/// Jobs on the way to a courier.
const INBOX: usize = 256;

/// Runs dispatch until the shutdown.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<()> {
    let folder = &config.city.folder;
    let targets = Target::all(&city::head(folder)?.endpoints, folder)
        .with_context(|| format!("{}", folder.join("city.toml").display()))?;
    let registry = telemetry::registry("dispatch");
    let metrics = Metrics::new(&registry).context("metrics")?;
    let health = Health::new("dispatch");
    let listener = shell::bind(config.http.listen).await?;
    let board = Arc::new(Board::new(now_ms(), config.stream.keep));
    let producer = Producer::new(&config.kafka, &ProducerOptions::named("gridwarden-dispatch"))?;
    let log = LedgerLog::new(producer, Arc::clone(&board));
    let office = office(&config, &metrics, &log, &shutdown)?;
    let writer = tables::writer(&config.clickhouse, &registry)?;
    let endpoints: Endpoints = targets.into_iter().map(|target| (Arc::new(target), Arc::default())).collect();

    let mut tasks = Tasks::new(&shutdown);
    let api = Api {
        board: Arc::clone(&board),
        endpoints: Arc::new(endpoints.clone()),
        auth: config.auth.clone(),
        metrics: metrics.clone(),
        heartbeat: Duration::from_secs(u64::from(config.stream.heartbeat_s)),
    };
    let routes = shell::status_router(health.clone(), registry).merge(http::router(api));
    let serving = shell::serve(listener, routes, shutdown.clone());
    tasks.spawn("http", async move { serving.await.context("the HTTP server stopped") });

    if let Some(ledger) = ledger(&config.kafka, &health, &shutdown).await? {
        tracing::info!(endpoints = endpoints.len(), deliveries = ledger.len(), "ledger read");
        board.begin(ledger);
        let ways = couriers(&endpoints, &board, &office, &mut tasks);
        let max_age_ms = i64::from(config.webhooks.deliver_max_age_s) * 1000;
        tasks.spawn("kafka watch", watch::run(config.kafka.clone(), health.clone(), shutdown.clone()));
        let storms = Storms::new(config.storms.per_minute);
        let pending = Arc::new(Pending::default());
        let (stands, rows, figures, ending) = (Arc::clone(&pending), writer.clone(), metrics.clone(), shutdown.clone());
        tasks.spawn("storm table", storm_table::run(stands, rows, figures, ending));
        let caught_up = false;
        let router =
            Router { board, ways, log, metrics: metrics.clone(), max_age_ms, health, storms, pending, caught_up };
        let (sender, inbox) = mpsc::channel(AHEAD);
        tasks.spawn("router", router.run(inbox));
        let (kafka, figures, ending) = (config.kafka.clone(), metrics.clone(), shutdown.clone());
        tasks.thread("alerts", move || intake::run(&kafka, &figures, &sender, &ending))?;
        let tables = Tables { writer, metrics, handle: Handle::current(), shutdown };
        tasks.thread("tables", move || tables.run(&config.kafka))?;
    }
    tasks.finish().await
}

/// Reads the ledger, waiting for Kafka and its topics as long as they are not there. `None` when the shutdown came first.
async fn ledger(kafka: &KafkaConfig, health: &Health, shutdown: &Shutdown) -> Result<Option<Ledger>> {
    loop {
        let (own, ending) = (kafka.clone(), shutdown.clone());
        let read = tokio::task::spawn_blocking(move || {
            gridwarden_bus::topic_meta(&own, topics::ALERTS)?;
            ledger_log::read(&own, &ending)
        });
        // Asking blocks for as long as Kafka is silent; the end of the process does not wait for it.
        let read = tokio::select! {
            read = read => read.context("reading the ledger was cut off")?,
            () = shutdown.wait() => return Ok(None),
        };
        let error = match read {
            Ok(ledger) => {
                health.set_part("kafka", true, "");
                return Ok(ledger);
            }
            Err(error) => error,
        };
        if !error.is_transient() && !matches!(error, BusError::UnknownTopic { .. }) {
            return Err(error).context("the ledger cannot be read");
        }
        health.set_part("kafka", false, &error.to_string());
        tracing::warn!(%error, "waiting for kafka");
        if !shutdown.sleep(PAUSE).await {
            return Ok(None);
        }
    }
}

fn office(config: &Config, metrics: &Metrics, log: &LedgerLog, shutdown: &Shutdown) -> Result<Office> {
    let webhooks = &config.webhooks;
    let timeout = Duration::from_secs(u64::from(webhooks.timeout_s));
    Ok(Office {
        sender: Sender::new(timeout, webhooks.concurrency).context("the HTTP client cannot be made")?,
        schedule: Arc::new(Schedule::new(&webhooks.schedule_s, webhooks.jitter)),
        log: log.clone(),
        metrics: metrics.clone(),
        concurrency: webhooks.concurrency,
        queue: webhooks.queue,
        shutdown: shutdown.clone(),
    })
}

type Endpoints = Vec<(Arc<Target>, Arc<Status>)>;

fn couriers(endpoints: &Endpoints, board: &Board, office: &Office, tasks: &mut Tasks) -> Vec<Way> {
    let mut ways = Vec::new();
    for (target, status) in endpoints {
        if board.is_gone(&target.id) {
            status.set_gone();
        }
        office.metrics.gone.with_label_values(&[&target.id]).set(i64::from(status.is_gone()));
        let (jobs, inbox) = mpsc::channel(INBOX);
        let courier = Courier::new(Arc::clone(target), Arc::clone(status), office.clone());
        tasks.spawn("courier", courier.run(inbox));
        ways.push(Way { target: Arc::clone(target), jobs });
    }
    ways
}
