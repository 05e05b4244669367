//! `gridwarden bench geo`: the cells of a made-up city, for [`crate::bench_geo`] to measure.

use super::{common, tell};
use crate::bench_geo::{self, Rings};
use crate::output::progress;
use crate::simulate::city::{self, CityOptions};
use anyhow::{Context, Result, ensure};
use serde_json::json;

/// Width of the city in metres, whatever the number of its cells.
const WIDTH_M: f64 = 100_000.0;

/// Arguments.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct GeoArgs {
    /// Cells of the city
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(16..=100_000))]
    cells: u32,
    /// Points of each kind
    #[arg(long, default_value_t = 500_000)]
    points: usize,
    /// Seed of city and points
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
}

/// Measures and prints; a difference between the two answers is a failure.
pub(crate) async fn run(args: GeoArgs) -> Result<()> {
    let json = args.json;
    let config = json!({"cells": args.cells, "points": args.points, "seed": args.seed});
    let measured = tokio::task::spawn_blocking(move || measure(&args)).await.context("the measurement ended")??;
    let mut result = common(&config);
    if let (Some(result), Ok(serde_json::Value::Object(figures))) =
        (result.as_object_mut(), serde_json::to_value(measured))
    {
        result.extend(figures);
    }
    tell(&result, json)?;
    ensure!(measured.differences == 0, "the index and the R-tree differ at {} points", measured.differences);
    Ok(())
}

fn measure(args: &GeoArgs) -> Result<bench_geo::GeoFigures> {
    progress(&format!("making {} cells", args.cells));
    let cell_m = WIDTH_M / f64::from(args.cells).sqrt();
    let made = city::generate(&CityOptions { seed: args.seed, cells: args.cells, cell_m, endpoint: None });
    let (head, areas) = made.layers.into_iter().next().context("the city has no layer")?;
    let leaf = head.levels.len().saturating_sub(1);
    let leaves = areas.into_iter().filter(|area| usize::from(area.level) == leaf);
    let cells: Vec<Rings> = leaves.filter_map(|area| Some(area.polygons?.into_iter().flatten().collect())).collect();
    bench_geo::measure(&cells, args.points, args.seed, progress)
}
