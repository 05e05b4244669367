//! What single stages cost by themselves, on one thread, over the benchmark's own events.

use super::entity::write;
use super::input::Town;
use super::produce::protobuf;
use anyhow::{Context, Result, ensure};
use gridwarden_domain::crs::Crs;
use gridwarden_domain::decode::{Decoder, Encoding};
use gridwarden_domain::layer::version_of;
use gridwarden_domain::locate::{Layer, LayerSet, Places};
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// Events looked at, and how often.
const EVENTS: u64 = 200_000;
const ROUNDS: usize = 5;

/// Nanoseconds per event by stage; those that cannot be taken out of the dataflow are null.
pub(super) fn measure(town: &Town) -> Result<Value> {
    let mut texts = Vec::new();
    let mut positions = Vec::new();
    for (event, order) in town.events(EVENTS, 1_763_940_000_000) {
        let mut text = String::new();
        write(&event, order, &mut text);
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
    Ok(
        json!({"decode": decode, "decode_protobuf": decode_protobuf, "locate": locate, "rules": null, "windows": null, "encode": null}),
    )
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
