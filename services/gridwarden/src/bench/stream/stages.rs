//! What single stages cost by themselves, on one thread, over the benchmark's own events.

use super::super::{result, tell};
use super::entity::write;
use super::input::{More, Size, Town};
use super::produce::protobuf;
use anyhow::{Context, Result, ensure};
use gridwarden_domain::control::Timeline;
use gridwarden_domain::crs::Crs;
use gridwarden_domain::decode::{Decoder, Encoding};
use gridwarden_domain::layer::version_of;
use gridwarden_domain::locate::{Layer, LayerSet, Places};
use gridwarden_domain::value::Fixed;
use gridwarden_store::{
    Block,
    rows::{AreaMetricRow, AreaMetrics},
};
use gridwarden_stream::stages::{Messages, PARTITIONS, Stages, Until};
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// Events looked at, and how often.
const EVENTS: u64 = 200_000;
pub(super) const ROUNDS: usize = 5;
/// Events before those: by then almost every entity was there, as in a city that runs.
const BEFORE: u64 = 5 * EVENTS;
/// When they begin.
const BEGIN_MS: i64 = 1_763_940_000_000;

/// Arguments.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StagesArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// How often each is measured; the fastest counts
    #[arg(long, default_value_t = ROUNDS)]
    rounds: usize,
    /// Cells of the city
    #[arg(long, default_value_t = 50_000)]
    cells: u32,
}

/// Runs the stages alone, without a broker and an engine: what a profiler is held against.
pub(crate) async fn run(args: StagesArgs) -> Result<()> {
    let folder = tempfile::TempDir::with_prefix("gridwarden-bench-").context("no temporary folder")?;
    let town = Town::make(Size::of_cells(args.cells), More::default(), &folder.path().join("city")).await?;
    let stages = tokio::task::spawn_blocking(move || measure(&town, args.rounds)).await??;
    tell(&result(&json!({"cells": args.cells, "rounds": args.rounds}), json!({"stages_ns": stages})), args.json)
}

/// Nanoseconds per event by stage.
pub(super) fn measure(town: &Town, rounds: usize) -> Result<Value> {
    let mut texts = Vec::new();
    let mut positions = Vec::new();
    let mut before = Vec::new();
    for (event, order) in town.events(BEFORE + EVENTS, BEGIN_MS) {
        let mut text = String::new();
        write(&event, order, &mut text);
        if event.number < BEFORE {
            before.push(text);
            continue;
        }
        texts.push(text);
        positions.push((event.position(), event.time));
    }
    let decoder = Decoder::observations();
    let decode = per_event(|| {
        for text in &texts {
            black_box(decoder.observation(black_box(text.as_bytes())).is_ok());
        }
    });
    let mut binaries = Vec::new();
    for text in &texts {
        binaries.extend(protobuf(Encoding::Protobuf, text)?);
    }
    let read = |bytes| decoder.observation_as(Encoding::Protobuf, bytes, Crs::Wgs84);
    for (text, binary) in texts.iter().zip(&binaries) {
        let (mut one, mut other) = (decoder.observation(text.as_bytes())?, read(binary)?);
        for said in [&mut one, &mut other] {
            said.values.sort_by(|a, b| a.0.cmp(&b.0));
            said.attributes.sort();
        }
        ensure!(one == other, "JSON and Protobuf differ: {text}");
    }
    let decode_protobuf = per_event(|| {
        for binary in &binaries {
            black_box(read(black_box(binary)).is_ok());
        }
    });
    let (head, areas) = town.city.layers.first().context("no layer")?;
    let layer = Layer::build(head.clone(), version_of(head, areas).0, areas.clone())?;
    let set = LayerSet::new(vec![Arc::new(layer)]);
    set.prepare();
    let mut places = Places::new();
    let locate = per_event(|| {
        for ([lon, lat], time) in &positions {
            set.locate(*lon, *lat, *time, &mut places);
            black_box(places.len());
        }
    });
    let mut stages = json!({"decode": decode, "decode_protobuf": decode_protobuf, "locate": locate});
    let rest = together(town, (before, texts), rounds)?;
    if let (Some(all), Some(rest)) = (stages.as_object_mut(), rest.as_object()) {
        all.extend(rest.clone());
    }
    Ok(stages)
}

/// What cannot be taken out of the whole: measured with it and without it, over entities most of which were there before.
fn together(town: &Town, (before, texts): (Vec<String>, Vec<String>), rounds: usize) -> Result<Value> {
    let (before, messages) = (messages(0, before), messages(BEFORE as i64, texts));
    let timeline = Arc::new(crate::publish::in_force(&town.city)?);
    let mut lawless = town.city.clone();
    lawless.rules.clear();
    let lawless = Arc::new(crate::publish::in_force(&lawless)?);
    let begun = |timeline: &Arc<Timeline>| {
        let mut stages = Stages::new(&town.city.file, Arc::clone(timeline))?;
        stages.plainly(&before, Until::Windows);
        Ok::<_, anyhow::Error>(stages)
    };
    let [mut deltas, mut without_rules, mut whole, mut timely, mut encode] = [f64::MAX; 5];
    for _ in 0..rounds {
        let mut stages = begun(&timeline)?;
        let (made, took) = timed(|| stages.plainly(&messages, Until::Deltas));
        deltas = deltas.min(took);
        let mut stages = begun(&lawless)?;
        without_rules = without_rules.min(timed(|| stages.plainly(&messages, Until::Deltas)).1);
        let mut stages = begun(&timeline)?;
        whole = whole.min(timed(|| stages.plainly(&messages, Until::Windows)).1);
        let mut block = Block::<AreaMetrics>::with_capacity(4 * (BEFORE + EVENTS) as usize);
        encode = encode.min(timed(|| stages.rows(|code, start_ms, count| block.push(&row(code, start_ms, count)))).1);
        let stages = begun(&timeline)?;
        let (came, took) = timed(|| stages.through_timely(&messages));
        ensure!(made > 0 && came?.0 == made, "timely brought other changes than the loop made, which made {made}");
        timely = timely.min(took);
    }
    Ok(json!({
        "rules": (deltas - without_rules).round(),
        "windows": (whole - deltas).round(),
        // Of those before, too.
        "encode": (encode * EVENTS as f64 / (BEFORE + EVENTS) as f64).round(),
        "plain_loop": whole.round(),
        "timely": timely.round(),
        "timely_over_plain": (whole / timely * 1000.0).round() / 1000.0,
    }))
}

/// Messages in turn on all partitions, from this offset on.
fn messages(from: i64, texts: Vec<String>) -> Messages {
    let of = |(offset, text): (i64, String)| {
        ((offset % i64::from(PARTITIONS)) as u16, offset, BEGIN_MS + 5_000, text.into_bytes())
    };
    Arc::new((from..).zip(texts).map(of).collect())
}

/// A row as the stream writes it.
fn row(code: &str, start_ms: i64, count: u64) -> AreaMetricRow<'_> {
    AreaMetricRow {
        layer: "grid",
        level: "cell",
        code,
        metric: "air.pm25",
        window_s: 10,
        start_s: (start_ms / 1000) as u32,
        version: count,
        count,
        sum: i128::from(count) * 7,
        min: Fixed(1),
        max: Fixed(7),
        last: Fixed(3),
        last_ms: start_ms,
        closed: true,
    }
}

/// What work answers, and nanoseconds an event.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let answer = work();
    (answer, begun.elapsed().as_secs_f64() * 1e9 / EVENTS as f64)
}

/// The fastest of some rounds: what the code costs when nothing else runs.
fn per_event(mut work: impl FnMut()) -> f64 {
    let mut fastest = f64::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        work();
        fastest = fastest.min(begun.elapsed().as_secs_f64());
    }
    (fastest * 1e9 / EVENTS as f64).round()
}
