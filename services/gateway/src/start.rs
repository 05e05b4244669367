//! The gateway's story from start to end.

use crate::config::Config;
use crate::feeds::Feeds;
use crate::http::{Gateway, router};
use crate::idempotency::Answers;
use crate::limits::Gates;
use crate::metrics::Metrics;
use crate::writer::Writer;
use anyhow::{Context, Result};
use axum::Router;
use gridwarden_bus::{KafkaConfig, topics};
use gridwarden_domain::city::{CityFile, Feed};
use gridwarden_runtime::health::Health;
use gridwarden_runtime::http as shell;
use gridwarden_runtime::shutdown::{Shutdown, Tasks};
use gridwarden_runtime::telemetry;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often Kafka is asked for while it is away, and while it is there.
const ASK_AWAY: Duration = Duration::from_secs(1);
const ASK_THERE: Duration = Duration::from_secs(15);

/// Runs the gateway until the shutdown.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<()> {
    let feeds = feeds(&config.city.folder)?;
    let health = Health::new("gateway");
    let routes = gateway(&config, &feeds, health.clone())?;
    let listener = shell::bind(config.http.listen).await?;
    tracing::info!(feeds = feeds.len(), "feeds read");
    let mut tasks = Tasks::new(&shutdown);
    let serving = shell::serve(listener, routes, shutdown.clone());
    tasks.spawn("http", async move { serving.await.context("the HTTP server stopped") });
    tasks.spawn("kafka watch", watch(config.kafka, health, shutdown));
    tasks.finish().await
}

/// The routes of a gateway for these feeds. Kafka is connected to when the first record comes.
pub fn gateway(config: &Config, feeds: &[Feed], health: Health) -> Result<Router> {
    let registry = telemetry::registry("gateway");
    let metrics = Metrics::new(&registry).context("metrics")?;
    let feeds = Feeds::new(config.auth.admin_token.as_ref(), feeds)?;
    let acknowledge = Duration::from_secs(u64::from(config.limits.acknowledge_s.max(1)));
    let writer = Writer::new(&config.kafka, acknowledge, metrics.clone(), health.clone())?;
    let ttl_ms = i64::from(config.idempotency.ttl_s) * 1000;
    let gateway = Gateway {
        gates: Gates::new(&config.limits, feeds.count()),
        feeds,
        limits: config.limits.clone(),
        answers: Answers::new(config.idempotency.keep, ttl_ms),
        idempotency: config.idempotency.clone(),
        writer,
        metrics,
    };
    Ok(router(Arc::new(gateway), shell::status_router(health, registry)))
}

fn feeds(folder: &Path) -> Result<Vec<Feed>> {
    let path = folder.join("city.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let city: CityFile = toml::from_str(&text).with_context(|| format!("{} is not understood", path.display()))?;
    Ok(city.feeds)
}

/// Ready when Kafka answers and has the topics.
async fn watch(kafka: KafkaConfig, health: Health, shutdown: Shutdown) -> Result<()> {
    health.set_part("kafka", false, "not asked yet");
    health.set_ready(true, "");
    loop {
        let own = kafka.clone();
        let asked = tokio::task::spawn_blocking(move || {
            gridwarden_bus::topic_meta(&own, topics::OBSERVATIONS)?;
            gridwarden_bus::topic_meta(&own, topics::REPORTS)
        });
        let pause = match asked.await.context("asking Kafka was cut off")? {
            Ok(_) => {
                health.set_part("kafka", true, "");
                ASK_THERE
            }
            Err(error) => {
                health.set_part("kafka", false, &error.to_string());
                ASK_AWAY
            }
        };
        if !shutdown.sleep(pause).await {
            return Ok(());
        }
    }
}
