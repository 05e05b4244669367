//! Sketches on the worker's side: where they go, and that nobody pays who did not ask.

use super::*;
use crate::windows::sketch::{Kept, Sketch, Sketches};
use gridwarden_domain::{
    city::{Distinct, SketchFile},
    value::Fixed,
};

/// As [`GRID`], but its cells overlap.
const OVERLAPPING: (&str, &str) = (
    r#"{"layer":"grid","levels":[{"id":"district"},{"id":"cell"}],"main":true}"#,
    r#"[{"code":"d","level":0},
        {"code":"a","level":1,"parent":"d","polygons":[[[[0,0],[2,0],[2,1],[0,1],[0,0]]]]},
        {"code":"b","level":1,"parent":"d","polygons":[[[[1,0],[2,0],[2,1],[1,1],[1,0]]]]}]"#,
);

fn asking(layer: (&str, &str), metrics: &[(&str, bool, bool)]) -> Desk {
    let mut desk = Desk::with(timeline_of(&[layer], &[]));
    let file = |(metric, quantiles, sources): &(&str, bool, bool)| SketchFile {
        metric: (*metric).to_owned(),
        quantiles: *quantiles,
        distinct: sources.then_some(Distinct::Source),
    };
    let city = CityFile { sketches: metrics.iter().map(file).collect(), ..city() };
    desk.shared.world.sketches = Sketches::of(&city);
    let timeline = Arc::clone(&desk.intake.mind.timeline);
    desk.intake = Intake::new(&desk.shared, &[0, 1, 2], 1_000);
    desk.intake.set_timeline(timeline);
    desk
}

/// Sketches by area and metric.
fn sketches(desk: &mut Desk) -> BTreeMap<(String, String), Sketch> {
    let mut found: BTreeMap<(String, String), Sketch> = BTreeMap::new();
    for partial in desk.partials() {
        let metric = u32::from(partial.group) * WIDTH as u32 + u32::from(partial.column);
        let name = desk.shared.lore.names.name(metric).expect("a metric");
        if let Share::Sketch(piece) = partial.share {
            piece.add_to(found.entry((desk.area(partial.area), name.to_string())).or_default());
        }
    }
    found
}

fn expected(kept: Kept, events: &[(&str, f64)]) -> Sketch {
    let mut sketch = Sketch::default();
    events.iter().for_each(|(source, value)| {
        sketch.add_event(kept.cells(Fixed::from_f64(*value).expect("a value"), source));
    });
    sketch
}

#[test]
fn a_cell_has_its_sketch_and_the_areas_above_theirs_merged() {
    let both = Kept { quantiles: true, sources: true };
    let mut desk = asking(GRID, &[("air.t", true, true)]);
    desk.observe(100_000, "s", Some(0.5), 21.5);
    desk.observe(101_000, "s", Some(0.5), 21.5);
    desk.observe(102_000, "r", Some(1.5), -3.0);
    let found = sketches(&mut desk);
    let of = |area: &str| found.get(&(area.to_owned(), "air.t".to_owned())).cloned().expect("a sketch");
    assert_eq!(of("a"), expected(both, &[("s", 21.5), ("s", 21.5)]));
    assert_eq!(of("b"), expected(both, &[("r", -3.0)]));
    assert_eq!(of("d"), expected(both, &[("s", 21.5), ("s", 21.5), ("r", -3.0)]));
    assert_eq!(found.len(), 3, "nothing but what was asked for");
    assert!(sketches(&mut desk).is_empty());
}

#[test]
fn where_areas_overlap_the_area_above_counts_an_event_once() {
    let mut desk = asking(OVERLAPPING, &[("air", false, true)]);
    desk.observe(100_000, "s", Some(1.5), 21.5);
    let found = sketches(&mut desk);
    let one = expected(Kept { quantiles: false, sources: true }, &[("s", 1.0)]);
    let areas: Vec<&str> = found.keys().map(|(area, _)| area.as_str()).collect();
    assert_eq!(areas, ["a", "b", "d"]);
    assert!(found.values().all(|sketch| *sketch == one), "{found:?}");
}

#[test]
fn nothing_is_kept_for_kinds_nobody_asked_for() {
    let mut desk = asking(GRID, &[("airs.t", true, true), ("ai", false, true)]);
    desk.observe(100_000, "s", Some(0.5), 21.5);
    assert!(sketches(&mut desk).is_empty());
}
