//! `gridwarden bench backtest`: rules tried on archived events, beside the live stream on the same events from Kafka. Proved: every
//! rule raises and clears as often as the oracle says, here and there.

use super::{
    child::Run,
    input::{More, Size, Town},
    measure,
    oracle::Truth,
    produce, verify,
};
use crate::bench::{median, place::Place, result, tell};
use crate::output::progress;
use anyhow::{Context, Result, ensure};
use gridwarden_domain::decode::Encoding;
use gridwarden_runtime::clock::now_ms;
use gridwarden_stream::{Against, Asked, Candidates, Outcome, Source};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the archive may take.
const LIMIT: Duration = Duration::from_secs(600);
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Arguments.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct BacktestArgs {
    /// Events in the archive
    #[arg(long, default_value_t = 3_000_000)]
    events: u64,
    /// Worker threads, of the stream and of the back-test
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Measure this many times; the figures are medians
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the benchmark.
pub(crate) async fn run(args: BacktestArgs) -> Result<()> {
    let measured = Place::with(async |place| measured(&args, place).await).await?;
    tell(&measured, args.json)
}

async fn measured(args: &BacktestArgs, place: &Place) -> Result<Value> {
    let town = Town::make(Size::USUAL, More::default(), &place.path("city")).await?;
    produce::prepare(&town, &place.kafka()).await?;
    progress(&format!("sending {} events", args.events));
    let truth = produce::send(&town, args.events, place.kafka(), Encoding::Json).await?;
    let run = Run { place, topics: "", database: "bench_past", workers: args.workers, events: args.events };
    archived(&run, &truth).await?;
    let (mut live, mut past, mut alerts) = (Vec::new(), Vec::new(), 0);
    for round in 0..args.repeat.max(1) {
        let database = format!("bench_live_{round}");
        let taken = measure::stream(&Run { database: &database, ..run }).await?;
        verify::all(&place.clickhouse(&database), &place.kafka(), &truth)
            .await
            .context("the live results are wrong")?;
        let outcome = tried(&run, &town).await?;
        alerts = proved(&outcome, &truth)?;
        live.push(taken.per_s);
        past.push(outcome.records as f64 / outcome.read_s);
        progress(&format!("round {}: live {:.0}/s, the past {:.0}/s", round + 1, live[round], past[round]));
    }
    let (live, past) = (median(live).context("nothing")?, median(past).context("nothing")?);
    let config =
        json!({"events": args.events, "workers": args.workers, "repeat": args.repeat, "rules": town.rules.len()});
    let figures = json!({
        "events": args.events,
        "events_per_s": past.round(),
        "live_per_s": live.round(),
        "over_live": (past / live * 100.0).round() / 100.0,
        "alerts": alerts,
    });
    Ok(result(&config, figures))
}

async fn archived(run: &Run<'_>, truth: &Truth) -> Result<()> {
    progress("waiting for the archive");
    gridwarden_store::migrate(&run.place.clickhouse(run.database)).await?;
    let mut archive = run.start("archive", &[])?;
    let begun = Instant::now();
    loop {
        ensure!(begun.elapsed() < LIMIT, "the archive did not take all events within {LIMIT:?}");
        tokio::time::sleep(ASK_EVERY).await;
        let Some(figures) = archive.figures().await? else { continue };
        if figures.one("gridwarden_store_rows_total{table=\"observations_rows\"}") >= run.events as f64 {
            break;
        }
    }
    archive.stop().await?;
    verify::archive(&run.place.clickhouse(run.database), truth).await.context("the archive is wrong")
}

/// The rules in force, as if there were none.
async fn tried(run: &Run<'_>, town: &Town) -> Result<Outcome> {
    let mut config = gridwarden_stream::config(None)?;
    config.kafka = run.place.kafka();
    config.clickhouse = run.place.clickhouse(run.database);
    config.city.folder = run.place.path("city");
    config.stream.workers = run.workers;
    let asked = Asked {
        candidates: Candidates { rules: town.rules.clone(), whole: true },
        against: Against::Nothing,
        source: Source::Archive,
        from_ms: 0,
        to_ms: now_ms(),
        incidents: Vec::new(),
        warm_up_ms: 0,
    };
    gridwarden_stream::backtest(config, asked, |_| ()).await
}

/// Every rule has raised and cleared as often as it should.
fn proved(outcome: &Outcome, truth: &Truth) -> Result<u64> {
    let mut found: BTreeMap<(String, bool), u64> = BTreeMap::new();
    for change in &outcome.changes {
        *found.entry((change.episode.rule.clone(), true)).or_default() += 1;
        if change.episode.cleared_at.is_some() {
            *found.entry((change.episode.rule.clone(), false)).or_default() += 1;
        }
    }
    ensure!(outcome.records == truth.events, "{} records were read, {} were sent", outcome.records, truth.events);
    ensure!(found == truth.alerts, "alerts of the past are not those of the oracle");
    Ok(outcome.after.alerts)
}
