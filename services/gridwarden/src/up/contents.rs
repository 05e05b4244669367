//! What must be in place before the roles start: the city, topics, tables, control topics in force.

use super::UpArgs;
use super::folder::Folder;
use super::plan::Plan;
use crate::output::progress;
use anyhow::{Context, Result};
use gridwarden_bus::topics;
use std::path::PathBuf;

/// The city `up` runs.
#[derive(Clone, Debug)]
pub(super) struct CityHome {
    pub(super) path: PathBuf,
    /// Whether it says that everything in it is made up.
    pub(super) simulated: bool,
    /// Secret of the endpoint the receiver stands for.
    pub(super) receiver: Option<String>,
    /// Topics of integrators that mappings read.
    pub(super) mapped: Vec<String>,
}

/// The given city, or the made-up one in the data folder, made once.
pub(super) async fn city(args: &UpArgs, folder: &Folder) -> Result<CityHome> {
    let path = match &args.city {
        Some(path) => path.canonicalize().with_context(|| format!("city folder {}", path.display()))?,
        None => folder.path("city"),
    };
    Ok(CityHome { path, simulated: true, receiver: None, mapped: Vec::new() })
}

/// Topics, tables and control topics.
pub(super) async fn prepare(plan: &Plan<'_>, city: &CityHome) -> Result<()> {
    let kafka = plan.kafka_config();
    let extra: Vec<_> = city.mapped.iter().map(|name| topics::mapped(name)).collect();
    let ensured = topics::ensure(&kafka, &extra).await.context("topics")?;
    for finding in &ensured.findings {
        progress(&format!("topic {}: {}", finding.topic, finding.detail));
    }
    let clickhouse = plan.clickhouse_config();
    let applied = gridwarden_store::migrate(&clickhouse).await.context("migrations")?;
    let now = applied.iter().filter(|it| it.now).count();
    progress(&format!("{} topics made, {now} migrations applied", ensured.created.len()));
    Ok(())
}
