//! `gridwarden bench`: measures this machine and this build. Every figure is a ratio in one run or comes with its proof: a wrong
//! answer fails the run.

mod geo;
mod place;
mod rules;
mod stream;

use crate::output::answer;
use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

/// What can be measured.
#[derive(Subcommand, Debug)]
pub(crate) enum BenchCommand {
    /// The area index against an R-tree of polygons
    Geo(geo::GeoArgs),
    /// The stream against a consumer that only counts
    Stream(stream::StreamArgs),
    /// How long a killed stream with a large state takes to work again
    Recovery(stream::RecoveryArgs),
    /// From publishing an event to its alert at a webhook and its window in ClickHouse
    Latency(stream::LatencyArgs),
    /// What an event costs as cells, entities and rules grow
    Scale(stream::ScaleArgs),
    /// What the stages of an event cost, one by one, without a broker
    Stages(stream::StagesArgs),
    /// What a position costs as fences grow in number, against an R-tree of them
    Rules(rules::RulesArgs),
    /// Rules tried on the archive, against the live stream
    Backtest(stream::BacktestArgs),
    /// ClickHouse away for minutes: memory, alerts, catching up
    Outage(stream::OutageArgs),
}

impl BenchCommand {
    /// Whether what it measures runs in its own process, which then needs the options a service has.
    pub(crate) fn measures_itself(&self) -> bool {
        matches!(self, Self::Geo(_) | Self::Rules(_) | Self::Stages(_) | Self::Backtest(_))
    }

    /// Measures and prints.
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Geo(args) => geo::run(args).await,
            Self::Stream(args) => stream::run(args).await,
            Self::Recovery(args) => stream::recovery(args).await,
            Self::Latency(args) => stream::latency(args).await,
            Self::Scale(args) => stream::scale(args).await,
            Self::Stages(args) => stream::stages(args).await,
            Self::Rules(args) => rules::run(args).await,
            Self::Backtest(args) => stream::backtest(args).await,
            Self::Outage(args) => stream::outage(args).await,
        }
    }
}

/// What every result carries.
fn common(config: &Value) -> Value {
    json!({
        "machine": machine(),
        "version": env!("CARGO_PKG_VERSION"),
        "commit": commit(),
        "config": config,
    })
}

fn machine() -> Value {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total_kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    json!({"cores": cores, "memory_mib": total_kib / 1024})
}

/// The commit of the working tree one stands in, if there is one.
fn commit() -> Option<String> {
    let output = std::process::Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A result: what every one carries, and its figures.
fn result(config: &Value, figures: Value) -> Value {
    let mut result = common(config);
    if let (Some(all), Value::Object(figures)) = (result.as_object_mut(), figures) {
        all.extend(figures);
    }
    result
}

/// Prints a result.
fn tell(result: &Value, json: bool) -> Result<()> {
    answer(&if json { serde_json::to_string(result)? } else { serde_json::to_string_pretty(result)? });
    Ok(())
}

/// The figure that this share of all does not exceed.
fn quantile(mut figures: Vec<f64>, share: f64) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let place = (figures.len() as f64 * share).ceil() as usize;
    figures.get(place.saturating_sub(1)).copied()
}

/// The middle one of some figures.
fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
