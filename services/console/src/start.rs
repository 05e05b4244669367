//! console's story from start to end.

use crate::api::{self, Api};
use crate::atlas::Atlas;
use crate::config::Config;
use crate::live::{Hub, Ticker};
use crate::metrics::Metrics;
use crate::pages;
use crate::relay::Relay;
use crate::tile_shelf::TileShelf;
use crate::world::{CityFacts, World};
use anyhow::{Context, Result, bail};
use gridwarden_bus::control::ControlReader;
use gridwarden_bus::{BusError, KafkaConfig, topics};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::http::{self as shell, Problem};
use gridwarden_runtime::shutdown::{Shutdown, Tasks};
use gridwarden_runtime::telemetry;
use gridwarden_store::read::Reader;
use std::sync::Arc;
use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(1);
/// How often the layers in force are compared with the atlas.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Runs console until the shutdown.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<()> {
    let city = CityFacts::read(&config.city.folder)?;
    let registry = telemetry::registry("console");
    let metrics = Metrics::new(&registry).context("metrics")?;
    let health = Health::new("console");
    let listener = shell::bind(config.http.listen).await?;
    let world = Arc::new(World::new(city, Reader::new(&config.clickhouse)));
    let hub = Arc::new(Hub::new(config.live.buffer, config.limits.maps));
    let relay =
        Relay::new(&config.stream, config.auth.admin_token.as_ref()).context("the HTTP client cannot be made")?;
    let api = Api {
        world: Arc::clone(&world),
        hub: Arc::clone(&hub),
        relay: Arc::new(relay),
        shelf: Arc::new(TileShelf::new(config.tiles.keep)),
        auth: config.auth.clone(),
        lasting: config.session.into(),
        limits: config.limits,
        metrics: metrics.clone(),
    };
    if config.auth.admin_token.is_none() {
        tracing::warn!("auth.admin_token is not set: the API answers 401 to everybody who is no viewer");
    }
    let unknown = || async { Problem::not_found("there is no page at this address") };
    let routes = pages::secured(api::router(api).merge(pages::router()).fallback(unknown));
    let routes = shell::status_router(health.clone(), registry).merge(routes);

    let mut tasks = Tasks::new(&shutdown);
    let serving = shell::serve(listener, routes, shutdown.clone());
    tasks.spawn("http", async move { serving.await.context("the HTTP server stopped") });
    health.set_part("clickhouse", false, "not asked yet");
    let every = Duration::from_millis(u64::from(config.live.tick_ms.max(100)));
    let ticker = Ticker::new(Arc::clone(&world), hub, health.clone(), metrics, every);
    tasks.spawn("ticker", ticker.run(shutdown.clone()));
    tasks.spawn("atlas", follow(config.kafka, world, health, shutdown));
    tasks.finish().await
}

/// Follows the control topics and keeps the atlas at what is in force.
async fn follow(kafka: KafkaConfig, world: Arc<World>, health: Health, shutdown: Shutdown) -> Result<()> {
    let Some(control) = control(&kafka, &health, &shutdown).await? else { return Ok(()) };
    world.follow(control);
    while !shutdown.is_triggered() {
        if let Some(why) = world.control_failure() {
            bail!("the control topics cannot be followed: {why}");
        }
        if let Some(timeline) = world.timeline() {
            let set = Arc::clone(timeline.layers_at(now_ms()));
            let old = world.atlas.load_full();
            if !old.shows(&set) {
                let built = tokio::task::spawn_blocking(move || Atlas::build(&set, &old)).await;
                let atlas = built.context("building the atlas was cut off")?;
                tracing::info!(layers = atlas.sheets.len(), "atlas built");
                world.atlas.store(Arc::new(atlas));
            }
            health.set_ready(true, "");
        }
        shutdown.sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Opens the control topics, waiting for Kafka as long as it is not there. `None` when the shutdown came first.
async fn control(kafka: &KafkaConfig, health: &Health, shutdown: &Shutdown) -> Result<Option<Arc<ControlReader>>> {
    loop {
        let own = kafka.clone();
        let opened = tokio::task::spawn_blocking(move || {
            gridwarden_bus::topic_meta(&own, topics::LAYERS)?;
            ControlReader::start(&own)
        });
        let error = match opened.await.context("opening the control topics was cut off")? {
            Ok(control) => {
                health.set_part("kafka", true, "");
                return Ok(Some(Arc::new(control)));
            }
            Err(error) => error,
        };
        if !error.is_transient() && !matches!(error, BusError::UnknownTopic { .. }) {
            return Err(error).context("the control topics cannot be opened");
        }
        health.set_part("kafka", false, &error.to_string());
        tracing::warn!(%error, "waiting for kafka");
        if !shutdown.sleep(PAUSE).await {
            return Ok(None);
        }
    }
}
