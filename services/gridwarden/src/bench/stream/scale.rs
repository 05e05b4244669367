//! `gridwarden bench scale`: what an event costs the stream's workers as the city, what it knows, and its rules grow. Each size is a
//! topic and a run of its own; all but one of the three stay as in `bench stream`. Proved as there: every sum, window and alert.

use super::{
    child::Run,
    input::{More, Size, Town},
    measure, produce, verify,
};
use crate::bench::{place::Place, result, tell};
use crate::output::progress;
use anyhow::{Context, Result};
use gridwarden_domain::decode::Encoding;
use serde_json::{Value, json};

/// Arguments.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ScaleArgs {
    /// Events of each run
    #[arg(long, default_value_t = 1_500_000)]
    events: u64,
    /// Worker threads of the stream
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Measure each size this many times; the figures are the least, for what disturbs a run only adds
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const CELLS: [u32; 3] = [1_000, 10_000, 100_000];
const ENTITIES: [u32; 3] = [10_000, 100_000, 1_000_000];
const RULES: [u32; 3] = [4, 100, 1_000];

/// Runs the benchmark.
pub(crate) async fn run(args: ScaleArgs) -> Result<()> {
    let mut lines = Vec::new();
    for (name, sizes) in [
        ("cells", CELLS.map(|cells| (cells, Size { cells, ..Size::USUAL }))),
        ("entities", ENTITIES.map(|entities| (entities, Size { entities, ..Size::USUAL }))),
        ("rules", RULES.map(|rules| (rules, Size { rules, ..Size::USUAL }))),
    ] {
        let mut line = Vec::new();
        for (number, size) in sizes {
            let (ns, rss) = one(&args, &size).await?;
            progress(&format!("{number} {name}: {ns:.0} ns an event, {rss:.0} MiB"));
            line.push((number, ns, rss));
        }
        lines.push((name, line));
    }
    tell(&report(&args, &lines), args.json)
}

/// Nanoseconds an event costs the workers, and MiB.
async fn one(args: &ScaleArgs, size: &Size) -> Result<(f64, f64)> {
    Place::with(async |place| measured(args, size, place).await).await
}

async fn measured(args: &ScaleArgs, size: &Size, place: &Place) -> Result<(f64, f64)> {
    let town = Town::make(size.clone(), More::default(), &place.path("city")).await?;
    produce::prepare(&town, &place.kafka()).await?;
    let truth = produce::send(&town, args.events, place.kafka(), Encoding::Json).await?;
    let (mut ns, mut rss) = (f64::INFINITY, f64::INFINITY);
    for round in 0..args.repeat.max(1) {
        let database = format!("bench_{round}");
        let run = Run { place, topics: "", database: &database, workers: args.workers, events: args.events };
        let taken = measure::stream(&run).await?;
        verify::all(&place.clickhouse(&database), &place.kafka(), &truth).await.context("the results are wrong")?;
        (ns, rss) = (ns.min(taken.worker_ns_per_event), rss.min(taken.rss_mib));
    }
    Ok((ns, rss))
}

type Line = Vec<(u32, f64, f64)>;

fn report(args: &ScaleArgs, lines: &[(&str, Line)]) -> Value {
    let config =
        json!({"events": args.events, "workers": args.workers, "repeat": args.repeat, "cost": "CPU of the workers"});
    let (mut figures, mut growth) = (serde_json::Map::new(), serde_json::Map::new());
    for (name, line) in lines {
        let rows: Vec<Value> = line.iter().map(|(n, ns, rss)| json!([n, ns.round(), rss.round()])).collect();
        figures.insert((*name).to_owned(), json!(rows));
        if let (Some((_, least, _)), Some((_, most, _))) = (line.first(), line.last()) {
            growth.insert((*name).to_owned(), json!((most / least * 1000.0).round() / 1000.0));
        }
    }
    figures.insert("growth".to_owned(), Value::Object(growth));
    result(&config, Value::Object(figures))
}
