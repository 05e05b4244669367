//! `gridwarden bench recovery`: how long a stream that was killed takes until it works again, with a state of many entities, and
//! what its checkpoints cost.
//!
//! Every round is proved: the restarted stream knows all entities, has read nothing from the log but what came since its
//! checkpoint, and takes what is sent to it then.

use super::{
    child::{Child, Figures, Run},
    input::{Size, Town},
    live::probed,
    produce,
    snapshot::{Ways, ways},
};
use crate::bench::{median, place::Place, result, tell};
use crate::output::progress;
use anyhow::{Context, Result, ensure};
use gridwarden_bus::{KafkaConfig, Message, Producer, ProducerOptions, topics};
use gridwarden_runtime::clock::now_ms;
use gridwarden_store::migrate;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(300);
const ASK_EVERY: Duration = Duration::from_millis(10);
/// How often the stream takes a checkpoint here.
const EVERY_MS: u64 = 5_000;
/// Events sent while the stream is dead.
const MEANWHILE: u32 = 1_000;

/// Arguments.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RecoveryArgs {
    /// Entities to remember
    #[arg(long, default_value_t = 1_000_000)]
    entities: u32,
    /// Worker threads of the stream
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Cells of the city
    #[arg(long, default_value_t = 50_000)]
    cells: u32,
    /// Kill and restart this many times; the figures are medians
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the benchmark.
pub(crate) async fn run(args: RecoveryArgs) -> Result<()> {
    let measured = Place::with(async |place| measured(&args, place).await).await?;
    tell(&measured, args.json)
}

/// One restart.
struct Restart {
    /// Seconds from the start of the process until it has taken the first record.
    again_s: f64,
    /// Seconds until it has taken all that was sent meanwhile.
    all_s: f64,
}

async fn measured(args: &RecoveryArgs, place: &Place) -> Result<Value> {
    progress(&format!("making a city of {} cells", args.cells));
    let town = Town::make(Size::of_cells(args.cells), probed(None), &place.path("city")).await?;
    let town = Arc::new(town);
    produce::prepare(&town, &place.kafka()).await?;
    progress(&format!("sending one event of each of {} entities", args.entities));
    send(&town, place.kafka(), args.entities, args.entities)?;
    migrate(&place.clickhouse("bench")).await?;
    let run = Run { topics: "", place, database: "bench", workers: args.workers, events: u64::from(args.entities) };
    let mut child = start(&run)?;
    until(&mut child, "all events to be read", |now| now.sum(READ) >= f64::from(args.entities)).await?;
    let snapshot = snapshot(&mut child).await?;
    let rss = child.most_rss_mib();
    progress(&format!("checkpoint of {:.0} MiB in {:.2} s", snapshot.0, snapshot.1));

    let mut restarts = Vec::new();
    for round in 1..=args.repeat.max(1) {
        child.kill().await?;
        send(&town, place.kafka(), MEANWHILE, args.entities)?;
        let (again, restart) = restart(&run, args.entities).await?;
        child = again;
        progress(&format!("round {round}: works again after {:.2} s", restart.again_s));
        restarts.push(restart);
        // The next one begins with a checkpoint of this one.
        self::snapshot(&mut child).await?;
    }
    progress("alerts while checkpoints are taken");
    let ways = ways(&mut child, &town, place.kafka()).await?;
    child.stop().await?;
    report(args, (snapshot, ways), rss, &restarts)
}

const READ: &str = "gridwarden_stream_records_read_total";

fn start(run: &Run<'_>) -> Result<Child> {
    run.stream(&[("GRIDWARDEN_CHECKPOINTS__EVERY_MS", EVERY_MS.to_string())])
}

async fn restart(run: &Run<'_>, entities: u32) -> Result<(Child, Restart)> {
    let begun = Instant::now();
    let mut child = start(run)?;
    until(&mut child, "the first record", |now| now.sum(READ) > 0.0).await?;
    let again_s = begun.elapsed().as_secs_f64();
    let meanwhile = f64::from(MEANWHILE);
    let now = until(&mut child, "what was sent meanwhile", |now| now.sum(READ) >= meanwhile).await?;
    let all_s = begun.elapsed().as_secs_f64();
    let (read, known) = (now.sum(READ), now.sum("gridwarden_stream_entities"));
    ensure!(read == meanwhile, "{read} records were read again, {meanwhile} came since the checkpoint");
    ensure!(known == f64::from(entities), "{known} entities are known, there were {entities}");
    Ok((child, Restart { again_s, all_s }))
}

/// MiB and seconds of a checkpoint begun from now on.
async fn snapshot(child: &mut Child) -> Result<(f64, f64)> {
    let count = |now: &Figures| now.sum("gridwarden_stream_checkpoint_seconds_count");
    let before = until(child, "an answer", |_| true).await?;
    // The first may have been begun before.
    let first = until(child, "a checkpoint", |now| count(now) >= count(&before) + 1.0).await?;
    let second = until(child, "another checkpoint", |now| count(now) >= count(&first) + 1.0).await?;
    let seconds = |now: &Figures| now.sum("gridwarden_stream_checkpoint_seconds_sum");
    let each = (seconds(&second) - seconds(&first)) / (count(&second) - count(&first));
    Ok((second.sum("gridwarden_stream_checkpoint_bytes") / f64::from(1 << 20), each))
}

async fn until(child: &mut Child, what: &str, is_there: impl Fn(&Figures) -> bool) -> Result<Figures> {
    let begun = Instant::now();
    loop {
        if let Some(figures) = child.figures().await?
            && is_there(&figures)
        {
            return Ok(figures);
        }
        ensure!(begun.elapsed() < LIMIT, "waited {LIMIT:?} in vain for {what}");
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Sends one event of each of the first `count` of so many entities.
fn send(town: &Town, kafka: KafkaConfig, count: u32, entities: u32) -> Result<()> {
    let options = ProducerOptions { linger: Duration::from_millis(20), ..ProducerOptions::named("gridwarden-bench") };
    let producer = Producer::new(&kafka, &options)?;
    let [west, south, east, north] = town.bounds().map(|degrees| degrees as f64 / 1e6);
    tokio::task::block_in_place(|| {
        for number in 0..count {
            // Spread evenly, every entity at a place of its own.
            let turn = f64::from(number) / f64::from(entities.max(1));
            let (lon, lat) = (west + (east - west) * turn, south + (north - south) * (turn * 1_000.0).fract());
            let (source, time) = (format!("air-{number}"), now_ms());
            let text = format!(
                r#"{{"id":"{time}-{number}","source":"{source}","kind":"air","time":{time},"position":{{"lon":{lon:.6},"lat":{lat:.6}}},"values":{{"pm25":12.5,"no2":31.25}}}}"#
            );
            let message = Message {
                topic: topics::OBSERVATIONS,
                key: Some(source.as_bytes()),
                payload: Some(text.as_bytes()),
                ..Message::default()
            };
            drop(producer.submit_blocking(&message, Duration::from_secs(60)).context("cannot send")?);
        }
        producer.flush(Duration::from_secs(60)).context("not all events were acknowledged")
    })
}

fn report(args: &RecoveryArgs, (snapshot, ways): ((f64, f64), Ways), rss: f64, restarts: &[Restart]) -> Result<Value> {
    let of =
        |figure: fn(&Restart) -> f64| median(restarts.iter().map(figure).collect()).context("nothing was measured");
    let hundredths = |figure: f64| (figure * 100.0).round() / 100.0;
    let config = json!({"workers": args.workers, "cells": args.cells, "repeat": args.repeat, "every_ms": EVERY_MS});
    let figures = json!({
        "entities": args.entities,
        "snapshot_mib": snapshot.0.round(),
        "snapshot_s": hundredths(snapshot.1),
        "p99_ratio_while_snapshotting": hundredths(ways.within_ms / ways.beside_ms),
        "p99_ms_while_snapshotting": hundredths(ways.within_ms),
        "p99_ms_beside": hundredths(ways.beside_ms),
        "alerts_while_snapshotting": ways.within,
        "restart_s": hundredths(of(|restart| restart.again_s)?),
        "restart_all_s": hundredths(of(|restart| restart.all_s)?),
        "rss_mib": rss.round(),
    });
    Ok(result(&config, figures))
}
