//! The gateway's story from start to end.

use crate::config::Config;
use crate::feeds::Feeds;
use crate::http::{Gateway, router};
use crate::idempotency::{Answers, Keep};
use crate::limits::Gates;
use crate::metrics::Metrics;
use crate::writer::Writer;
use anyhow::{Context, Result, bail};
use axum::Router;
use gridwarden_bus::{KafkaConfig, topics};
use gridwarden_domain::city::Feed;
use gridwarden_runtime::city;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::http as shell;
use gridwarden_runtime::shutdown::{Shutdown, Tasks};
use gridwarden_runtime::telemetry;
use std::sync::Arc;
use std::time::Duration;

/// How often Kafka is asked for while it is away, and while it is there.
const ASK_AWAY: Duration = Duration::from_secs(1);
const ASK_THERE: Duration = Duration::from_secs(15);

/// Runs the gateway until the shutdown.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<()> {
    let feeds = city::head(&config.city.folder)?.feeds;
    let health = Health::new("gateway");
    let Parts { routes, writer } = gateway(&config, &feeds, health.clone())?;
    let listener = shell::bind(config.http.listen).await?;
    tracing::info!(feeds = feeds.len(), "feeds read");
    let mut tasks = Tasks::new(&shutdown);
    let serving = shell::serve(listener, routes, shutdown.clone());
    tasks.spawn("http", async move { serving.await.context("the HTTP server stopped") });
    tasks.spawn("kafka watch", watch(config.kafka, writer, health, shutdown));
    tasks.finish().await
}

/// A gateway that is not served yet.
pub struct Parts {
    /// Its routes.
    pub routes: Router,
    /// Its way to Kafka.
    pub writer: Writer,
}

/// The parts of a gateway for these feeds. Kafka is connected to when the first record comes.
pub fn gateway(config: &Config, feeds: &[Feed], health: Health) -> Result<Parts> {
    let registry = telemetry::registry("gateway");
    let metrics = Metrics::new(&registry).context("metrics")?;
    let feeds = Feeds::new(config.auth.admin_token.as_ref(), feeds)?;
    let acknowledge = Duration::from_secs(u64::from(config.limits.acknowledge_s));
    let writer = Writer::new(&config.kafka, acknowledge, metrics.clone(), health.clone())?;
    let remembered = &config.idempotency;
    let keep = Keep {
        answers: remembered.keep,
        bytes: (remembered.keep_mib as usize) << 20,
        ttl_ms: i64::from(remembered.ttl_s) * 1000,
    };
    let gateway = Gateway {
        gates: Gates::new(&config.limits, feeds.count()),
        feeds,
        limits: config.limits.clone(),
        answers: Answers::new(keep),
        idempotency: config.idempotency.clone(),
        writer: writer.clone(),
        metrics,
    };
    let routes = router(Arc::new(gateway), shell::status_router(health, registry));
    Ok(Parts { routes, writer })
}

/// Ready when Kafka answers and has the topics. Fails, so that the process begins anew, when the producer is past help.
async fn watch(kafka: KafkaConfig, writer: Writer, health: Health, shutdown: Shutdown) -> Result<()> {
    health.set_part("kafka", false, "not asked yet");
    health.set_ready(true, "");
    loop {
        if let Some(why) = writer.fatal() {
            bail!("the producer cannot go on: {why}");
        }
        let own = kafka.clone();
        let asked = tokio::task::spawn_blocking(move || {
            gridwarden_bus::topic_meta(&own, topics::OBSERVATIONS)?;
            gridwarden_bus::topic_meta(&own, topics::REPORTS)
        });
        // Asking blocks for as long as Kafka is silent; the end of the process does not wait for it.
        let asked = tokio::select! {
            asked = asked => asked.context("asking Kafka was cut off")?,
            () = shutdown.wait() => return Ok(()),
        };
        let pause = match asked {
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
