//! Positions and codes to areas, over levels, layers and times of validity.

use super::*;
use crate::{layer::Level, text::Text};

fn level(id: &str) -> Level {
    Level { id: id.into(), name: Text::default() }
}

fn area(code: &str, level: u8, parent: Option<&str>, west: f64, valid: (Option<i64>, Option<i64>)) -> Area {
    let east = west + 1.0;
    Area {
        code: code.into(),
        level,
        name: Text::default(),
        parent: parent.map(Into::into),
        valid_from: valid.0,
        valid_to: valid.1,
        priority: None,
        polygons: Some(vec![vec![vec![[west, 0.0], [east, 0.0], [east, 1.0], [west, 1.0]]]]),
    }
}

fn layer(id: &str, main: bool, areas: Vec<Area>) -> Arc<Layer> {
    let head = LayerHead {
        layer: id.into(),
        title: Text::default(),
        levels: vec![level("city"), level("district"), level("cell")],
        main,
        partition: false,
    };
    Arc::new(Layer::build(head, "v".into(), areas).unwrap())
}

const ALWAYS: (Option<i64>, Option<i64>) = (None, None);

fn city() -> LayerSet {
    let grid = vec![
        area("c", 0, None, 0.0, ALWAYS),
        area("d", 1, Some("c"), 0.0, ALWAYS),
        area("1", 2, Some("d"), 0.0, ALWAYS),
        area("2", 2, Some("d"), 1.0, (None, Some(100))),
        area("2", 2, Some("d"), 2.0, (Some(100), None)),
    ];
    let beats = vec![area("b/1", 2, None, 0.5, ALWAYS)];
    LayerSet::new(vec![layer("grid", true, grid), layer("beats", false, beats)])
}

fn codes(set: &LayerSet, places: &Places) -> Vec<String> {
    let refs = set.area_refs(places);
    refs.iter().map(|area| format!("{}/{}", area.layer, area.code)).collect()
}

#[test]
fn a_position_lies_in_leaves_of_every_layer() {
    let set = city();
    let mut places = Places::new();
    set.locate(0.75, 0.5, 0, &mut places);
    assert_eq!(codes(&set, &places), ["beats/b/1", "grid/1", "grid/d", "grid/c"]);
    set.locate(9.0, 9.0, 0, &mut places);
    assert!(places.is_empty());
}

#[test]
fn boundaries_are_those_of_the_moment() {
    let set = city();
    let mut places = Places::new();
    set.locate(1.75, 0.5, 99, &mut places);
    assert_eq!(codes(&set, &places), ["grid/2", "grid/d", "grid/c"]);
    set.locate(1.75, 0.5, 100, &mut places);
    assert!(places.is_empty());
    set.locate(2.75, 0.5, 100, &mut places);
    assert_eq!(places.len(), 1);
    let grid = &set.layers[1];
    assert_ne!(grid.find("2", 99), grid.find("2", 100));
}

#[test]
fn codes_name_areas_of_any_level() {
    let set = city();
    let mut places = Places::new();
    for (reference, expected) in [
        ("d", vec!["grid/d", "grid/c"]),
        ("grid/1", vec!["grid/1", "grid/d", "grid/c"]),
        ("beats/b/1", vec!["beats/b/1"]),
    ] {
        assert!(set.by_code(reference, 0, &mut places), "{reference}");
        assert_eq!(codes(&set, &places), expected);
    }
    for unknown in ["b/1", "x", "grid/x", ""] {
        assert!(!set.by_code(unknown, 0, &mut places), "{unknown}");
        assert!(places.is_empty());
    }
}

#[test]
fn a_parent_must_stand_above() {
    let head = LayerHead {
        layer: "l".into(),
        title: Text::default(),
        levels: vec![level("a"), level("b")],
        main: false,
        partition: false,
    };
    let areas = vec![area("1", 1, Some("2"), 0.0, ALWAYS), area("2", 1, None, 1.0, ALWAYS)];
    let error = Layer::build(head.clone(), "v".into(), areas).err().unwrap();
    assert_eq!(error.to_string(), "area 1: 2 is not an area of a level above");
    let mut wide = area("1", 1, None, 0.0, ALWAYS);
    wide.polygons = Some(vec![vec![vec![[0.0, f64::NAN]]]]);
    assert!(Layer::build(head.clone(), "v".into(), vec![wide]).is_err());
    let mut huge = area("1", 1, None, 0.0, ALWAYS);
    huge.polygons = Some(vec![vec![vec![[0.0, 0.0]; MAX_POINTS + 1]]]);
    let error = Layer::build(head, "v".into(), vec![huge]).err().unwrap();
    assert_eq!(error, PlaceError::TooMany { points: MAX_POINTS + 1 });
}

/// The date line in a layer: an area cut there, as GeoJSON asks, is whole.
#[test]
fn an_area_over_the_date_line_is_one_area() {
    let mut fiji = area("fj", 1, None, 0.0, ALWAYS);
    let half = |west: f64, east: f64| vec![vec![[west, -17.0], [east, -17.0], [east, -16.0], [west, -16.0]]];
    fiji.polygons = Some(vec![half(179.0, 180.0), half(-180.0, -179.0)]);
    let set = LayerSet::new(vec![layer("islands", true, vec![fiji])]);
    let mut places = Places::new();
    for (lon, inside) in [(179.5, 1), (180.0, 1), (-180.0, 1), (-179.5, 1), (178.5, 0), (-178.5, 0), (0.0, 0)] {
        set.locate(lon, -16.5, 0, &mut places);
        assert_eq!(places.len(), inside, "{lon}");
    }
}

fn partition(areas: Vec<Area>) -> Layer {
    let head = LayerHead {
        layer: "p".into(),
        title: Text::default(),
        levels: vec![level("a"), level("b")],
        main: true,
        partition: true,
    };
    Layer::build(head, "v".into(), areas).unwrap()
}

/// The one owner of a position, and that there is one at most.
fn owner(layer: &Layer, lon: f64, time_ms: i64) -> Option<&str> {
    let mut owners = Vec::new();
    layer.locate(lon, 0.5, time_ms, |area| owners.push(layer.areas[area as usize].code.as_str()));
    assert!(owners.len() <= 1, "{owners:?}");
    owners.first().copied()
}

#[test]
fn in_a_partition_the_area_of_higher_priority_owns_shared_ground() {
    let owned =
        |code: &str, west: f64, priority: Option<i32>, valid| Area { priority, ..area(code, 1, None, west, valid) };
    let layer = partition(vec![
        owned("a", 0.0, Some(-1), ALWAYS),
        owned("b", 0.5, None, ALWAYS),
        owned("c", 0.7, Some(7), (Some(100), Some(200))),
        owned("d", 1.2, None, ALWAYS),
    ]);
    for (lon, at, expected) in [
        (0.25, 0, Some("a")),
        (0.6, 0, Some("b")),
        (0.8, 99, Some("b")),
        (0.8, 100, Some("c")),
        (0.8, 200, Some("b")),
        (1.3, 0, Some("b")),
        (1.3, 150, Some("c")),
        (2.1, 0, Some("d")),
        (2.3, 0, None),
    ] {
        assert_eq!(owner(&layer, lon, at), expected, "{lon} at {at}");
    }
}

/// More over one spot than one record of the index holds: the owner is the first of all of them, in the middle and at a border.
#[test]
fn of_many_areas_over_one_spot_one_owns_it() {
    let stacked = |number: i32| Area {
        priority: Some((number * 37) % 101),
        ..area(&format!("{number:03}"), 1, None, f64::from(number) * 1e-7, ALWAYS)
    };
    let layer = partition((0..100).map(stacked).collect());
    let highest = (0..100).max_by_key(|number| (number * 37) % 101).unwrap();
    assert_eq!(owner(&layer, 0.5, 0), Some(format!("{highest:03}").as_str()));
    let west = f64::from(highest) * 1e-7;
    assert_eq!(owner(&layer, west, 0), Some(format!("{highest:03}").as_str()), "on its western border");
    assert_ne!(owner(&layer, west.next_down(), 0), owner(&layer, west, 0));
}

/// Several layers at once, areas that begin and end, partitions and others: what each layer's own rule says, area by area.
#[test]
fn several_layers_answer_as_their_areas_say_one_by_one() {
    // Numbers that look random and are the same everywhere.
    let mut state = 7u64;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut areas_of = |count: u64| -> Vec<Area> {
        let mut areas = Vec::new();
        for number in 0..count {
            let [west, south] = [next(300) as f64 / 100.0, next(300) as f64 / 100.0];
            let size = (next(40) + 4) as f64 / 100.0;
            let square = |inset: f64| {
                let [w, s, e, n] = [west + inset, south + inset, west + size - inset, south + size - inset];
                vec![[w, s], [e, s], [e, n], [w, n]]
            };
            let other = vec![[west + 1.0, south], [west + 1.0 + size, south], [west + 1.0, south + size]];
            let from = (next(3) == 0).then(|| next(100) as i64);
            areas.push(Area {
                valid_from: from,
                valid_to: (next(3) == 0).then(|| from.unwrap_or(0) + 1 + next(100) as i64),
                priority: (next(2) == 0).then(|| next(5) as i32),
                polygons: Some(vec![vec![square(0.0), square(size / 4.0)], vec![other]]),
                ..area(&number.to_string(), 2, None, 0.0, ALWAYS)
            });
        }
        areas
    };
    let with = |id: &str, partition: bool, areas: Vec<Area>| {
        let head = LayerHead { partition, ..layer(id, false, Vec::new()).head.clone() };
        Arc::new(Layer::build(head, "v".into(), areas).unwrap())
    };
    let set = LayerSet::new(vec![
        with("a", false, areas_of(300)),
        with("b", true, areas_of(300)),
        with("c", true, areas_of(40)),
    ]);
    let (mut places, mut several) = (Places::new(), 0);
    for number in 0..20_000u32 {
        let [lon, lat] = [f64::from(number % 211) / 50.0, f64::from(number % 173) / 50.0];
        let time_ms = i64::from(number % 210) - 5;
        set.locate(lon, lat, time_ms, &mut places);
        let mut expected = Places::new();
        for (layer_number, layer) in (0u16..).zip(&set.layers) {
            let holds = |area: &&(u32, &Area)| {
                let rings: Vec<Vec<[f64; 2]>> = area.1.polygons.iter().flatten().flatten().cloned().collect();
                area.1.valid_from.is_none_or(|from| from <= time_ms)
                    && area.1.valid_to.is_none_or(|to| time_ms < to)
                    && gridwarden_geo::ring::contains(&rings, [lon, lat])
            };
            let numbered: Vec<(u32, &Area)> = (0u32..).zip(&layer.areas).collect();
            let mut hits: Vec<&(u32, &Area)> = numbered.iter().filter(holds).collect();
            several += usize::from(hits.len() > 1);
            if layer.head.partition {
                hits.sort_by(|a, b| {
                    let priority = |area: &Area| area.priority.unwrap_or(0);
                    priority(b.1).cmp(&priority(a.1)).then_with(|| a.1.code.cmp(&b.1.code))
                });
                hits.truncate(1);
            }
            expected.extend(hits.iter().map(|(area, _)| Place { layer: layer_number, area: *area }));
        }
        assert_eq!(places, expected, "at {lon}, {lat}, {time_ms}");
    }
    assert!(several > 10_000, "overlaps were asked for: {several}");
}

#[test]
fn a_layer_that_only_places_does_so_as_before_and_has_the_same_outlines() {
    let square = |west: f64, side: f64| vec![[west, 0.1], [west + side, 0.1], [west + side, 0.1 + side]];
    let mut many = area("many", 1, Some("c"), 0.0, ALWAYS);
    many.polygons = Some(vec![vec![square(0.0, 1.0), square(0.4, 0.2)], vec![square(4.0, 1.0)]]);
    let mut none = area("none", 1, Some("c"), 0.0, ALWAYS);
    none.polygons = None;
    let areas =
        || vec![area("c", 0, None, 0.0, ALWAYS), many.clone(), none.clone(), area("last", 1, Some("c"), 2.0, ALWAYS)];
    let head = layer("grid", true, areas()).head.clone();
    let drawn = Layer::build(head.clone(), "v".into(), areas()).unwrap();
    let placing = Layer::build(head, "v".into(), areas()).unwrap().for_placing();
    assert!(placing.areas.iter().all(|area| area.polygons.is_none()));
    for number in 0..6 {
        assert_eq!(placing.outline(number), drawn.outline(number), "{number}");
    }
    assert_eq!(placing.outline(1).len(), 3);
    for lon in [0.2, 0.5, 0.55, 0.9, 1.5, 2.5, 4.5] {
        let hits = |layer: &Layer| {
            let mut hits = Vec::new();
            layer.locate(lon, 0.2, 0, |area| hits.push(area));
            hits
        };
        assert_eq!(hits(&placing), hits(&drawn), "{lon}");
    }
}
