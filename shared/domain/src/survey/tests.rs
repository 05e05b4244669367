//! Small layers and what is odd about them, in the words people read.

use super::*;
use crate::layer::{Area, Level, read_geojson};
use jiff::tz::TimeZone;

/// A feature: properties beside the code, and a rectangle in steps of a ten-thousandth of a degree (about 10 m).
fn feature(code: &str, properties: &str, [west, south, east, north]: [f64; 4]) -> String {
    let at = |x: f64, y: f64| format!("[{:.6},{:.6}]", x / 1e4, y / 1e4);
    let ring = [(west, south), (east, south), (east, north), (west, north), (west, south)].map(|(x, y)| at(x, y));
    format!(
        r#"{{"properties":{{"code":"{code}"{properties}}},"geometry":{{"type":"Polygon","coordinates":[[{}]]}}}}"#,
        ring.join(",")
    )
}

fn told(partition: bool, features: &[String]) -> Vec<String> {
    let level = |id: &str| Level { id: id.into(), name: Default::default() };
    let file = LayerFile {
        id: "grid".into(),
        title: Default::default(),
        file: "grid.geojson".into(),
        crs: None,
        levels: vec![level("district"), level("cell")],
        main: true,
        partition,
        tolerance_m2: Some(50.0),
        repair: false,
        fields: Default::default(),
    };
    let text = format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(","));
    let (head, areas, _) = read_geojson(&file, &text, &TimeZone::UTC).unwrap();
    let layer = Layer::build(head, "v".into(), areas).unwrap();
    survey(&file, &layer).iter().map(ToString::to_string).collect()
}

const IN_D: &str = r#","parent":"d""#;

fn district() -> String {
    feature("d", r#","level":"district""#, [0.0, 0.0, 200.0, 100.0])
}

#[test]
fn areas_side_by_side_in_the_one_above_are_nothing_to_tell_of() {
    let cells = [feature("1", IN_D, [0.0, 0.0, 100.0, 100.0]), feature("2", IN_D, [100.0, 0.0, 200.0, 100.0])];
    let [one, two] = cells;
    assert_eq!(told(true, &[district(), one, two]), [""; 0]);
}

#[test]
fn a_child_outside_of_its_parent_is_named_in_every_layer() {
    let child = feature("7", IN_D, [150.0, 0.0, 201.0, 100.0]);
    let expected =
        "grid.geojson: area 7: geometry: 12364 m2 of it lie outside of d, the area above it, near [0.020050, 0.005000]";
    assert_eq!(told(false, &[district(), child]), [expected]);
    let hair = feature("7", IN_D, [150.0, 0.0, 200.001, 100.0]);
    assert_eq!(told(false, &[district(), hair]), [""; 0], "less than the tolerance");
}

#[test]
fn gaps_and_overlaps_are_told_of_partitions_alone() {
    let cells = [
        district(),
        feature("1", IN_D, [0.0, 0.0, 60.0, 100.0]),
        feature("2", IN_D, [58.0, 0.0, 120.0, 100.0]),
        feature("3", IN_D, [125.0, 0.0, 200.0, 100.0]),
    ];
    assert_eq!(told(false, &cells), [""; 0]);
    assert_eq!(
        told(true, &cells),
        [
            "grid.geojson: area 2: geometry: 24729 m2 of it lie in 1 too, near [0.005900, 0.005000]; 1 owns them, for no \
         priority says otherwise",
            "grid.geojson: geometry: 61822 m2 between 2 and 3 lie in no area, near [0.012250, 0.005000]",
        ]
    );
    let [above, one, two, three] = cells;
    let two = two.replace(IN_D, &format!(r#"{IN_D},"priority":1"#));
    let left = told(true, &[above, one, two, three]);
    assert!(left.len() == 1 && left[0].contains("lie in no area"), "priority settles it: {left:?}");
}

#[test]
fn only_areas_valid_at_the_same_moment_are_compared() {
    let old = feature("1", r#","valid_to":"2026-01-01""#, [0.0, 0.0, 100.0, 100.0]);
    let new =
        |code: &str, west: f64, east: f64| feature(code, r#","valid_from":"2026-01-01""#, [west, 0.0, east, 100.0]);
    assert_eq!(told(true, &[old.clone(), new("2", 0.0, 50.0), new("3", 50.0, 100.0)]), [""; 0]);
    let found = told(true, &[old, new("2", 0.0, 51.0), new("3", 50.0, 100.0)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("from 2026-01-01T00:00:00Z on; 2 owns them"), "{found:?}");
}

#[test]
fn the_largest_are_told_and_the_rest_counted() {
    let cells: Vec<String> = (0..30u32)
        .map(|n| feature(&format!("{n:02}"), "", [f64::from(n) * 10.0, 0.0, f64::from(n) * 10.0 + 11.0, 10.0]))
        .collect();
    let found = told(true, &cells);
    assert_eq!(found.len(), tell::MOST_TOLD + 1);
    assert_eq!(found[20], "grid.geojson: geometry: overlaps: 9 more, the largest of 1236 m2");
}

#[test]
fn moments_that_are_not_looked_at_are_said() {
    let many: Vec<[f64; 2]> = (0..50_000u32)
        .map(|n| f64::from(n) / 50_000.0 * std::f64::consts::TAU)
        .map(|angle| [angle.cos() * 0.01, angle.sin() * 0.01])
        .collect();
    let area = |code: String, valid_from| Area {
        code,
        level: 0,
        name: Default::default(),
        parent: None,
        valid_from,
        valid_to: None,
        priority: None,
        polygons: Some(vec![vec![many.clone()]]),
    };
    let areas: Vec<Area> = (0..14).map(|n| area(n.to_string(), Some(n))).collect();
    let head = crate::layer::LayerHead {
        layer: "l".into(),
        title: Default::default(),
        levels: vec![Level { id: "a".into(), name: Default::default() }],
        main: true,
        partition: true,
    };
    let layer = Layer::build(head, "v".into(), areas).unwrap();
    let found = partition(&layer, 1e12);
    // 14 + 13 + … areas of 50,000 points, until there are more than four million.
    assert_eq!(found.unseen, Some(15 - 7));
}
