//! What a made-up city must be: a partition, numbered by the standard, the same from the same seed.

use super::*;
use gridwarden_domain::layer::Polygons;
use std::collections::{BTreeMap, BTreeSet};

fn city(cells: u32) -> GeneratedCity {
    generate(&CityOptions { cells, ..CityOptions::default() })
}

fn rings(area: &Area) -> &Polygons {
    area.polygons.as_ref().expect("an outline")
}

/// Twice the signed area over all rings (shoelace), in square degrees.
fn signed(area: &Area) -> f64 {
    let ring = |ring: &Vec<Point>| ring.windows(2).map(|p| p[0][0] * p[1][1] - p[1][0] * p[0][1]).sum::<f64>();
    rings(area).iter().flatten().map(ring).sum()
}

fn at_level(city: &GeneratedCity, level: u8) -> Vec<&Area> {
    city.layers[0].1.iter().filter(|area| area.level == level).collect()
}

#[test]
fn every_level_covers_the_same_ground() {
    let city = city(600);
    let whole: f64 = at_level(&city, 0).iter().map(|area| signed(area)).sum();
    assert!(whole > 0.0);
    for level in 1..5 {
        let covered: f64 = at_level(&city, level).iter().map(|area| signed(area)).sum();
        assert!((covered / whole - 1.0).abs() < 1e-9, "level {level} covers {covered} of {whole}");
    }
    let duty: f64 = city.layers[1].1.iter().map(signed).sum();
    assert!((duty / whole - 1.0).abs() < 1e-9);
}

#[test]
fn every_side_is_shared_by_two_cells_or_lies_on_the_edge() {
    let city = city(400);
    let mut sides: BTreeMap<[(i64, i64); 2], i32> = BTreeMap::new();
    let key = |p: Point| ((p[0] * 1e7).round() as i64, (p[1] * 1e7).round() as i64);
    for area in at_level(&city, 4) {
        for pair in rings(area)[0][0].windows(2) {
            let (a, b) = (key(pair[0]), key(pair[1]));
            *sides.entry([a.min(b), a.max(b)]).or_default() += if a < b { 1 } else { -1 };
        }
    }
    let edge: f64 = sides.values().filter(|n| **n != 0).count() as f64;
    assert!(sides.values().all(|n| n.abs() <= 1), "a side is used twice in the same direction");
    assert!(edge < 4.0 * 21.0 * 4.0, "{edge} sides without a neighbour");
}

#[test]
fn codes_follow_the_standard() {
    let city = city(5_000);
    let widths = [6, 6, 9, 12, 15];
    let mut codes = BTreeSet::new();
    for area in &city.layers[0].1 {
        assert_eq!(area.code.len(), widths[usize::from(area.level)], "{}", area.code);
        assert!(area.code.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(codes.insert(area.code.clone()), "{} twice", area.code);
        if area.level > 1 {
            assert!(area.code.starts_with(area.parent.as_deref().expect("a parent")));
        }
    }
    assert_eq!(at_level(&city, 0).len(), 1);
    assert!(at_level(&city, 1).len() >= 3);
    assert!((4_900..=5_100).contains(&at_level(&city, 4).len()));
}

#[test]
fn cells_are_numbered_west_to_east_north_to_south() {
    let city = city(400);
    let middle = |area: &Area| {
        let ring = &rings(area)[0][0];
        let n = ring.len() as f64;
        [ring.iter().map(|p| p[0]).sum::<f64>() / n, ring.iter().map(|p| p[1]).sum::<f64>() / n]
    };
    let mut by_community: BTreeMap<&str, Vec<&Area>> = BTreeMap::new();
    for cell in at_level(&city, 4) {
        by_community.entry(cell.parent.as_deref().expect("a community")).or_default().push(cell);
    }
    for cells in by_community.values() {
        let (first, last) = (middle(cells[0]), middle(cells[cells.len() - 1]));
        assert!(first[1] > last[1] - 0.0005, "the first cell lies south of the last");
    }
}

#[test]
fn the_same_seed_gives_the_same_city_and_another_does_not() {
    let (a, b) = (city(200), city(200));
    assert_eq!((a.layers, a.registry, a.rules), (b.layers, b.registry, b.rules));
    let other = generate(&CityOptions { seed: 2, cells: 200, ..CityOptions::default() });
    assert_ne!(city(200).layers, other.layers);
}

#[test]
fn everything_says_that_it_is_simulated() {
    let city = city(200);
    assert!(city.file.simulated);
    let names = city.layers.iter().flat_map(|(_, areas)| areas.iter().map(|area| &area.name));
    for name in names.chain(city.registry.iter().map(|entity| &entity.name)) {
        let simulated = name.en.contains("simulated") || name.en.contains("Simulated");
        assert!(simulated && name.zh.contains("模拟"), "{name:?}");
    }
}

#[test]
fn every_kind_of_sensor_has_its_threshold_and_some_stand_still() {
    let city = city(1_000);
    for kind in ["air", "noise", "water", "bin", "vehicle"] {
        assert!(city.rules.iter().any(|rule| rule.select.kinds == [kind]), "{kind}");
    }
    let moving = city.registry.iter().filter(|entity| entity.position.is_none()).count();
    let standing = city.registry.len() - moving;
    assert!(moving > 20 && standing > 20, "{moving} move, {standing} stand");
}
