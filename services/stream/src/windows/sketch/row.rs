//! A sketch as a row, beside the row of its window.

use super::Sketch;
use gridwarden_domain::value::Fixed;
use gridwarden_store::{
    Block,
    rows::{AreaMetricRow, AreaSketchRow, AreaSketches, metric_version},
};

/// Appends the sketch of a window. Its version is its own number of events (`WIN-3`): it may not have all its window has yet.
pub(crate) fn push_sketch(
    block: &mut Block<AreaSketches>,
    window: &AreaMetricRow<'_>,
    sketch: &Sketch,
    generation: u32,
) {
    let buckets: Vec<(Fixed, u64)> = sketch.buckets().collect();
    let registers: Vec<(u16, u8)> = sketch.registers().collect();
    block.push(&AreaSketchRow {
        layer: window.layer,
        level: window.level,
        code: window.code,
        metric: window.metric,
        window_s: window.window_s,
        start_s: window.start_s,
        version: metric_version(generation, sketch.events),
        events: sketch.events,
        buckets: &buckets,
        registers: &registers,
        closed: window.closed,
    });
}
