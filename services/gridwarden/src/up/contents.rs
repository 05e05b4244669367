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
use gridwarden_bus::topics;
use gridwarden_runtime::city::City;
use gridwarden_runtime::clock;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The seed of the city that is made when none is given.
const SEED: u64 = 1;

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
        cells: args.cells,
        endpoint: Some((format!("{}/", ports.url("receive")), format!("file:{SECRET_FILE}"))),
        ..CityOptions::default()
    };
    let load = move || -> Result<CityHome> {
        let path = match given {
            Some(path) => path.canonicalize().with_context(|| format!("city folder {}", path.display()))?,
            None => made(own, &options)?,
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

/// Makes the city beside its place and renames it, so that one half made is made anew.
fn made(folder: PathBuf, options: &CityOptions) -> Result<PathBuf> {
    if folder.join("city.toml").is_file() {
        return Ok(folder);
    }
    progress(&format!("making a simulated city (seed {}, {} cells)", options.seed, options.cells));
    let new = folder.with_extension("new");
    let what = || format!("cannot make the simulated city in {}", folder.display());
    for half in [&new, &folder] {
        if half.exists() {
            fs::remove_dir_all(half).with_context(what)?;
        }
    }
    fs::create_dir_all(&new).with_context(what)?;
    city::write(&city::generate(options), &new).with_context(what)?;
    fs::write(new.join(SECRET_FILE), secret()).with_context(what)?;
    fs::rename(&new, &folder).with_context(what)?;
    Ok(folder)
}

/// A signing secret after Standard Webhooks.
fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 24]>()))
}

/// Topics, tables and control topics.
pub(super) async fn prepare(plan: &Plan<'_>, home: &CityHome) -> Result<()> {
    let kafka = plan.kafka_config();
    let mapped = home.city.mappings.iter().filter_map(|(mapping, _)| mapping.topic.as_deref());
    let extra: Vec<_> = mapped.map(topics::mapped).collect();
    let ensured = topics::ensure(&kafka, &extra).await.context("the topics cannot be made")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_city_is_made_once_and_can_be_read() {
        let place = tempfile::tempdir().expect("folder");
        let folder = place.path().join("city");
        let options = CityOptions {
            cells: 100,
            endpoint: Some(("http://127.0.0.1:1/".into(), format!("file:{SECRET_FILE}"))),
            ..CityOptions::default()
        };
        made(folder.clone(), &options).expect("made");
        let city = City::load(&folder).expect("readable");
        assert!(city.file.simulated && !city.registry.is_empty());
        let secret = |folder: &Path| fs::read_to_string(folder.join(SECRET_FILE)).expect("secret");
        let first = secret(&folder);
        made(folder.clone(), &options).expect("there");
        assert_eq!(secret(&folder), first);
    }
}
