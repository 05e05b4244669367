//! `gridwarden bench outage`: ClickHouse is away for minutes under a live load. What memory stream and archive take meanwhile, whether
//! alerts go on, and how fast everything catches up. Proved: nothing is lost and nothing counted twice, in the archive or the windows.

use super::{
    child::{Child, Run},
    input::{Size, Town},
    live::{Judge, Running, probed},
    produce, verify,
};
use crate::bench::{place::Place, result, tell};
use crate::output::progress;
use anyhow::{Result, ensure};
use gridwarden_store::migrate;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long catching up may take, as a multiple of the time away.
const LIMIT: u32 = 4;

/// Arguments.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct OutageArgs {
    /// Events a second
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// Seconds ClickHouse is away
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Worker threads of the stream
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Cells of the city
    #[arg(long, default_value_t = 50_000)]
    cells: u32,
    /// Memory for windows; the stream's own default otherwise
    #[arg(long)]
    windows_mib: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the benchmark.
pub(crate) async fn run(args: OutageArgs) -> Result<()> {
    let measured = Place::with(async |place| measured(&args, place).await).await?;
    tell(&measured, args.json)
}

const READ: &str = "gridwarden_stream_records_read_total";
const ALERTS: &str = "gridwarden_stream_alerts_total";

/// Stream and archive.
struct Pair {
    stream: Child,
    archive: Child,
}

/// What both say.
struct Now {
    read: f64,
    alerts: f64,
    archived: f64,
    /// Seconds the watermark of windows lags.
    lag_s: f64,
}

impl Pair {
    async fn now(&mut self) -> Result<Now> {
        loop {
            let (stream, archive) = (self.stream.figures().await?, self.archive.figures().await?);
            if let (Some(stream), Some(archive)) = (stream, archive) {
                return Ok(Now {
                    read: stream.sum(READ),
                    alerts: stream.sum(ALERTS),
                    archived: archive.one("gridwarden_store_rows_total{table=\"observations_rows\"}"),
                    lag_s: stream.sum("gridwarden_stream_watermark_lag_ms") / 1000.0,
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// What was measured while ClickHouse was away, and after.
struct Measured {
    alerts_away: f64,
    longest_lag_s: f64,
    behind: f64,
    catch_up_s: f64,
    archived_meanwhile: f64,
}

async fn measured(args: &OutageArgs, place: &mut Place) -> Result<Value> {
    progress(&format!("making a city of {} cells", args.cells));
    let town = Town::make(Size::of_cells(args.cells), probed(None), &place.path("city")).await?;
    let town = Arc::new(town);
    produce::prepare(&town, &place.kafka()).await?;
    migrate(&place.clickhouse("bench")).await?;
    let run = Run { topics: "", place, database: "bench", workers: args.workers, events: 0 };
    let windows_mib: Vec<(&str, String)> =
        args.windows_mib.iter().map(|mib| ("GRIDWARDEN_STREAM__WINDOWS_MIB", mib.to_string())).collect();
    let mut pair = Pair { stream: run.stream(&windows_mib)?, archive: run.start("archive", &[])? };
    let load = Running::start(&town, place.kafka(), args.rate, Judge::Windows);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let measured = away(args, place, &mut pair).await?;
    let load = load.stop().await?;
    let sent = (load.truth.events + load.probes.len() as u64) as f64;
    let begun = Instant::now();
    loop {
        let now = pair.now().await?;
        if now.read >= sent && now.archived >= sent {
            break;
        }
        ensure!(begun.elapsed() < Duration::from_secs(120), "{} of {sent} events were archived", now.archived);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    // The last window closes, and its rows are written.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let rss = [pair.stream.most_rss_mib(), pair.archive.most_rss_mib()];
    let clickhouse = place.clickhouse("bench");
    verify::archived(&clickhouse, load.truth.events + load.probes.len() as u64).await?;
    verify::windows(&clickhouse, &load.truth).await?;
    pair.stream.stop().await?;
    pair.archive.stop().await?;
    Ok(report(args, rss, &measured))
}

/// ClickHouse goes, stays away and comes back; how it went, until all is live again.
async fn away(args: &OutageArgs, place: &mut Place, pair: &mut Pair) -> Result<Measured> {
    let before = pair.now().await?;
    progress(&format!("ClickHouse goes, for {} s; {:.0} events were read", args.seconds, before.read));
    place.clickhouse_goes();
    let begun = Instant::now();
    let mut longest_lag_s = 0f64;
    while begun.elapsed() < Duration::from_secs(args.seconds) {
        tokio::time::sleep(LOOK_EVERY).await;
        longest_lag_s = longest_lag_s.max(pair.now().await?.lag_s);
        if begun.elapsed().as_secs() % 60 == 59 {
            let (one, other) = (pair.stream.most_rss_mib(), pair.archive.most_rss_mib());
            progress(&format!("{} s: stream {one:.0} MiB, archive {other:.0} MiB", begun.elapsed().as_secs()));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    let (back, gone_s) = (pair.now().await?, begun.elapsed().as_secs_f64());
    ensure!(back.read - before.read > gone_s * args.rate as f64 * 0.9, "the stream stood still without ClickHouse");
    place.clickhouse_comes_back()?;
    progress("ClickHouse is back");
    let again = Instant::now();
    let caught_up = loop {
        let now = pair.now().await?;
        // Less than two seconds of the load behind.
        if now.read - now.archived < 2.0 * args.rate as f64 {
            break now;
        }
        ensure!(again.elapsed() < begun.elapsed() * LIMIT, "{} events were not archived", now.read - now.archived);
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let catch_up_s = again.elapsed().as_secs_f64();
    progress(&format!("caught up after {catch_up_s:.1} s"));
    Ok(Measured {
        alerts_away: back.alerts - before.alerts,
        longest_lag_s,
        behind: back.read - back.archived,
        catch_up_s,
        archived_meanwhile: caught_up.archived - back.archived,
    })
}

fn report(args: &OutageArgs, [stream, archive]: [f64; 2], measured: &Measured) -> Value {
    let config = json!({"workers": args.workers, "cells": args.cells, "rate": args.rate, "away_s": args.seconds});
    let tenths = |figure: f64| (figure * 10.0).round() / 10.0;
    let figures = json!({
        "stream_rss_mib": stream.round(),
        "archive_rss_mib": archive.round(),
        "alerts_while_away": measured.alerts_away,
        "longest_watermark_lag_s": tenths(measured.longest_lag_s),
        "behind_events": measured.behind,
        "catch_up_s": tenths(measured.catch_up_s),
        "catch_up_over_live": tenths(measured.archived_meanwhile / measured.catch_up_s / args.rate as f64),
    });
    result(&config, figures)
}
