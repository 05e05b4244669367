//! What must be in place before the roles start: the city, topics, tables, control topics in force.

use super::UpArgs;
use super::folder::Folder;
use super::plan::Plan;
use super::ports::Ports;
use crate::output::progress;
use crate::publish;
use crate::simulate::city::{self, CityOptions};
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gridwarden_bus::{sources::mapped_topics, topics};
use gridwarden_runtime::city::City;
use gridwarden_runtime::clock;
use std::path::PathBuf;
use std::time::Duration;

/// The seed of the city that is made when none is given.
const SEED: u64 = 1;

/// Its unit cells, unless told otherwise.
const CELLS: u32 = 5000;

/// File beside `city.toml` with the secret of the made-up city's webhook endpoint.
const SECRET_FILE: &str = "webhook-secret";

/// How long control records may take to be in force; more means that two clocks differ, which must not hold up a start.
const FORCE_LIMIT_MS: i64 = 10_000;

/// The city `up` runs.
pub(super) struct CityHome {
    pub(super) path: PathBuf,
    /// Whether it says that everything in it is made up.
    pub(super) simulated: bool,
    /// Secret of the endpoint the receiver stands for, when the city has one.
    pub(super) receiver: Option<PathBuf>,
    city: City,
}

/// The given city, or the made-up one in the data folder, made once.
pub(super) async fn city(args: &UpArgs, folder: &Folder, ports: &Ports) -> Result<CityHome> {
    let given = args.city.clone();
    let own = folder.path("city");
    let options = CityOptions {
        seed: SEED,
        cells: args.cells.unwrap_or(CELLS),
        endpoint: Some((format!("{}/", ports.url("receive")), format!("file:{SECRET_FILE}"))),
        ..CityOptions::default()
    };
    let asked_for_cells = args.cells.is_some();
    let load = move || -> Result<CityHome> {
        if asked_for_cells && own.join("city.toml").is_file() {
            progress(&format!("the simulated city in {} is there already, --cells changes nothing", own.display()));
        }
        let path = match given {
            Some(path) => path.canonicalize().with_context(|| format!("city folder {}", path.display()))?,
            None => {
                city::make(&own, &options, &[(SECRET_FILE, secret())], progress)?;
                own
            }
        };
        let city = City::load(&path)?;
        let receiver = Some(path.join(SECRET_FILE)).filter(|secret| secret.is_file());
        Ok(CityHome { simulated: city.file.simulated, path, receiver, city })
    };
    let home = tokio::task::spawn_blocking(load).await.context("reading the city")??;
    let areas: usize = home.city.layers.iter().map(|(_, areas)| areas.len()).sum();
    let (layers, entities) = (home.city.layers.len(), home.city.registry.len());
    progress(&format!("city {} with {areas} areas in {layers} layers, {entities} entities", home.path.display()));
    for warning in &home.city.warnings {
        progress(&format!("city: {warning}"));
    }
    Ok(home)
}

/// A signing secret after Standard Webhooks.
fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 24]>()))
}

/// Topics, tables and control topics.
pub(super) async fn prepare(plan: &Plan<'_>, home: &CityHome) -> Result<()> {
    let kafka = plan.kafka_config();
    let ensured =
        topics::ensure(&kafka, &mapped_topics(&home.city.mappings)).await.context("the topics cannot be made")?;
    for finding in &ensured.findings {
        progress(&format!("topic {}: {}", finding.topic, finding.detail));
    }
    let applied = gridwarden_store::migrate(&plan.clickhouse_config()).await.context("the tables cannot be made")?;
    let now = applied.iter().filter(|it| it.now).count();
    progress(&format!("{} topics and {now} migrations were new", ensured.created.len()));
    let published = publish::publish(&home.city, &kafka).await.context("the city cannot be published")?;
    let publish::Published { layers, rules, entities, ended, .. } = published;
    progress(&format!("published {layers} layers, {rules} rules, {entities} entities; {ended} ended"));
    let wait = published.in_force_from_ms.saturating_sub(clock::now_ms()).clamp(0, FORCE_LIMIT_MS);
    tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())).await;
    Ok(())
}
