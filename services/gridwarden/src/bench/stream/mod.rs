//! `gridwarden bench stream`: what the stream takes in a second, beside one consumer thread that only counts, on the same topic
//! with the same settings. The input is fixed (seed 1), so that figures of different days compare.
#![allow(
    clippy::indexing_slicing,
    reason = "the benchmark's own tables, at places it made itself; nothing comes from outside"
)]

mod backtest;
mod child;
mod entity;
mod input;
mod insert;
mod latency;
mod live;
mod measure;
mod oracle;
mod outage;
mod produce;
mod recovery;
mod ruleset;
mod scale;
mod snapshot;
mod stages;
mod verify;

use super::{median, place::Place, result, tell};
use crate::output::progress;
use anyhow::{Context, Result};
pub(super) use backtest::{BacktestArgs, run as backtest};
use gridwarden_domain::decode::Encoding;
use input::{More, Size, Town};
pub(super) use latency::{LatencyArgs, run as latency};
use measure::Taken;
pub(super) use outage::{OutageArgs, run as outage};
pub(super) use recovery::{RecoveryArgs, run as recovery};
pub(super) use scale::{ScaleArgs, run as scale};
use serde_json::{Value, json};
pub(super) use stages::{StagesArgs, run as stages};

/// Arguments.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StreamArgs {
    /// Events to send
    #[arg(long, default_value_t = 3_000_000)]
    events: u64,
    /// Worker threads of the stream
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Measure this many times; the figures are medians
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// Cells of the city
    #[arg(long, default_value_t = 50_000)]
    cells: u32,
}

/// Runs the benchmark.
pub(crate) async fn run(args: StreamArgs) -> Result<()> {
    let measured = Place::with(async |place| measured(&args, place).await).await?;
    tell(&measured, args.json)
}

async fn measured(args: &StreamArgs, place: &Place) -> Result<Value> {
    progress(&format!("making a city of {} cells", args.cells));
    let town = Town::make(Size::of_cells(args.cells), More::default(), &place.path("city")).await?;
    let truth = filled(args, place, &town, ("", Encoding::Json)).await?;
    let in_protobuf = filled(args, place, &town, (PROTOBUF, Encoding::Protobuf)).await?;

    let mut raw = Vec::new();
    let mut archived = Vec::new();
    let (mut taken, mut of_protobuf): (Vec<Taken>, Vec<Taken>) = (Vec::new(), Vec::new());
    for round in 0..args.repeat.max(1) {
        raw.push(measure::raw(place.kafka(), args.events).await?);
        let database = format!("bench_{round}");
        let run = child::Run { place, topics: "", database: &database, workers: args.workers, events: args.events };
        let one = measure::stream(&run).await?;
        verify::all(&place.clickhouse(&database), &place.kafka(), &truth).await.context("the results are wrong")?;
        let database = format!("bench_protobuf_{round}");
        let run = child::Run { topics: PROTOBUF, database: &database, ..run };
        let other = measure::stream(&run).await?;
        verify::all(&place.clickhouse(&database), &place.kafka_with(PROTOBUF), &in_protobuf)
            .await
            .context("the results of Protobuf are wrong")?;
        let database = format!("bench_archive_{round}");
        let run = child::Run { place, topics: "", database: &database, workers: args.workers, events: args.events };
        let both = measure::stream_and_archive(&run).await?;
        let clickhouse = place.clickhouse(&database);
        verify::archive(&clickhouse, &truth).await.context("the archive is wrong")?;
        progress(&format!(
            "round {}: raw {:.0}/s, stream {:.0}/s (all rows in ClickHouse after {:.1} s), of Protobuf {:.0}/s, with the archive {both:.0}/s",
            round + 1,
            raw.last().copied().unwrap_or_default(),
            one.per_s,
            one.complete_s,
            other.per_s,
        ));
        archived.push(both);
        taken.push(one);
        of_protobuf.push(other);
    }
    let insert = insert::rows_per_s(&place.clickhouse("bench_insert")).await?;
    let stages = stages::measure(&town, stages::ROUNDS)?;
    report(args, &raw, (&taken, &of_protobuf, &archived), (insert, stages))
}

/// Before the names of topics whose events are in Protobuf.
const PROTOBUF: &str = "protobuf.";

/// Topics filled with the events; what must come of them.
async fn filled(
    args: &StreamArgs,
    place: &Place,
    town: &Town,
    (prefix, encoding): (&str, Encoding),
) -> Result<oracle::Truth> {
    let kafka = place.kafka_with(prefix);
    produce::prepare(town, &kafka).await?;
    progress(&format!("sending {} events ({encoding:?}) at the pace of the city, 100,000 a second", args.events));
    let truth = produce::send(town, args.events, kafka, encoding).await?;
    progress(&format!("expecting {} transitions of alerts", truth.transitions()));
    Ok(truth)
}

fn report(
    args: &StreamArgs,
    raw: &[f64],
    (taken, of_protobuf, archived): (&[Taken], &[Taken], &[f64]),
    rest: (f64, Value),
) -> Result<Value> {
    let of = |figure: fn(&Taken) -> f64| median(taken.iter().map(figure).collect()).context("nothing was measured");
    let ratios = raw.iter().zip(taken).map(|(raw, taken)| taken.per_s / raw).collect();
    let ratios_archive = raw.iter().zip(archived).map(|(raw, archived)| archived / raw).collect();
    let protobuf_over_json = of_protobuf.iter().zip(taken).map(|(other, one)| other.per_s / one.per_s).collect();
    let (insert, stages) = rest;
    let config = json!({"events": args.events, "workers": args.workers, "cells": args.cells, "repeat": args.repeat});
    let figures = json!({
        "raw_msgs_per_s": median(raw.to_vec()).map(f64::round),
        "workers": args.workers,
        "pipeline_msgs_per_s": of(|taken| taken.per_s)?.round(),
        "pipeline_complete_msgs_per_s": of(|taken| taken.complete_per_s)?.round(),
        "pipeline_archive_msgs_per_s": median(archived.to_vec()).map(f64::round),
        "ratio": median(ratios),
        "ratio_archive": median(ratios_archive),
        "preencoded_insert_rows_per_s": insert.round(),
        "protobuf_over_json": median(protobuf_over_json),
        "cpu_ns_per_event": of(|taken| taken.cpu_ns_per_event)?.round(),
        "stages_ns": stages,
        "rss_mib": of(|taken| taken.rss_mib)?.round(),
        "bytes_per_entity": of(|taken| taken.bytes_per_entity)?.round(),
        "window_rows": of(|taken| taken.window_rows)?.round(),
        "alerts": of(|taken| taken.alerts)?.round(),
    });
    Ok(result(&config, figures))
}
