//! Looking ahead: an entity, a square of the raster and a sum lie anywhere in hundreds of megabytes. Waiting for each when its
//! record's turn has come took half of a worker's time; asked for together, memory brings them together.
//!
//! `AHD-1` looking ahead changes nothing: what it finds is only touched, and found again when the turn has come.

use super::{Mind, PartState, Reading, reading::Said};
use crate::{
    rules::{Book, STEPS},
    windows::AHEAD,
};
use gridwarden_domain::locate::Place;
use smallvec::SmallVec;
use std::hint::black_box;

impl Mind {
    /// Touches what these records will ask for, step by step: what comes later in the chain is found through what came before.
    pub(super) fn look_ahead(&self, parts: &[Option<Box<PartState>>], readings: &mut [Reading<'_>]) {
        let mut touched = 0;
        let entities = |part: u16| Some(&parts.get(usize::from(part))?.as_ref()?.entities);
        for reading in readings.iter_mut().filter(|reading| matches!(reading.said, Ok(Said::Observation))) {
            reading.kind = self.kinds.known(&reading.observation.kind);
            let kind = reading.kind.and_then(|here| self.kinds.get(here)).map(|kind| kind.number);
            reading.guess =
                kind.and_then(|kind| entities(reading.record.part)?.guess(&reading.observation.source, kind));
        }
        // The first layer alone: the others are small beside it.
        let view = |part: u16| parts.get(usize::from(part))?.as_ref()?.view.as_deref();
        let placed = |reading: &Reading<'_>| {
            let view = view(reading.record.part)?;
            Some((view, view.set.layers.first()?, reading.observation.position?))
        };
        for (_, layer, position) in readings.iter().filter_map(placed) {
            touched ^= layer.touch(position.lon, position.lat);
        }
        for (known, entity) in
            readings.iter().filter_map(|reading| Some((entities(reading.record.part)?, reading.guess?)))
        {
            touched ^= known.touch(entity) as u32;
        }
        for (view, layer, position) in readings.iter().filter_map(placed) {
            touched ^= match layer.likely(position.lon, position.lat) {
                Some(area) => view.touch(Place { layer: 0, area }),
                None => layer.touch_border(position.lon, position.lat),
            };
        }
        black_box(touched ^ look_at_shapes(parts, readings));
    }
}

/// The same for shapes that rules draw.
fn look_at_shapes(parts: &[Option<Box<PartState>>], readings: &[Reading<'_>]) -> u32 {
    let drawn = |reading: &Reading<'_>| {
        let Ok(Said::Observation) = reading.said else { return None };
        let book = parts.get(usize::from(reading.record.part))?.as_ref()?.rules.as_ref()?.book();
        let position = reading.observation.position.filter(|_| book.has_fences)?;
        Some((&**book, [position.lon, position.lat]))
    };
    let drawn: SmallVec<[(&Book, [f64; 2]); AHEAD]> = readings.iter().filter_map(drawn).collect();
    let all = (0..STEPS).flat_map(|step| drawn.iter().map(move |drawn| (step, drawn)));
    all.fold(0, |touched, (step, (book, position))| touched ^ book.touch_shapes(step, *position))
}
