//! Squares, grids and what is wrong with them.

use super::*;
use crate::metres_per_degree;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Rings = Vec<Vec<[f64; 2]>>;

const WEST: f64 = 121.0;
const SOUTH: f64 = 31.0;

/// A rectangle in metres east and north of a corner of the map.
fn rectangle(west: f64, south: f64, east: f64, north: f64) -> Vec<[f64; 2]> {
    [[west, south], [east, south], [east, north], [west, north]].map(at).to_vec()
}

fn at([east, north]: [f64; 2]) -> [f64; 2] {
    let [per_lon, per_lat] = metres_per_degree(SOUTH);
    [WEST + east / per_lon, SOUTH + north / per_lat]
}

fn is(area_m2: f64, expected: f64) -> bool {
    (area_m2 - expected).abs() <= expected * 0.01
}

#[test]
fn two_squares_over_one_place_are_told_with_its_surface() {
    let areas = [
        vec![rectangle(0.0, 0.0, 100.0, 100.0)],
        vec![rectangle(90.0, 0.0, 200.0, 100.0)],
        vec![rectangle(200.0, 0.0, 300.0, 100.0)],
    ];
    let cover = Cover::new(&areas);
    let found = overlaps(&cover, 10.0, 100);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].areas, [0, 1]);
    assert!(is(found[0].place.area_m2, 1_000.0), "{found:?}");
    for rings in &areas[..2] {
        assert!(crate::ring::contains(rings, found[0].place.at));
    }
    assert!(overlaps(&cover, 2_000.0, 100).is_empty(), "smaller than asked for");
}

#[test]
fn three_over_one_place_are_three_pairs_and_no_more_are_told_than_wanted() {
    let square = vec![rectangle(0.0, 0.0, 100.0, 100.0)];
    let cover = Cover::new(&vec![square; 3]);
    let pairs: Vec<[u32; 2]> = overlaps(&cover, 10.0, 100).iter().map(|overlap| overlap.areas).collect();
    assert_eq!(pairs, [[0, 1], [0, 2], [1, 2]]);
    assert_eq!(overlaps(&cover, 10.0, 2).len(), 2);
}

#[test]
fn a_hole_is_no_overlap_with_what_fills_it() {
    let ring = vec![rectangle(0.0, 0.0, 300.0, 300.0), rectangle(100.0, 100.0, 200.0, 200.0)];
    let filling = vec![rectangle(100.0, 100.0, 200.0, 200.0)];
    let cover = Cover::new(&[ring.clone(), filling]);
    assert!(overlaps(&cover, 1.0, 100).is_empty());
    assert!(gaps(&cover, &[], 1.0).is_empty());
    let bare = gaps(&Cover::new(std::slice::from_ref(&ring)), &[], 1.0);
    assert_eq!(bare.len(), 1);
    assert!(is(bare[0].place.area_m2, 10_000.0) && bare[0].beside == [0], "{bare:?}");
    assert!(!crate::ring::contains(&ring, bare[0].place.at));
}

#[test]
fn what_the_area_above_holds_and_none_covers_is_a_gap() {
    let areas = [vec![rectangle(0.0, 0.0, 100.0, 100.0)], vec![rectangle(105.0, 0.0, 200.0, 100.0)]];
    let cover = Cover::new(&areas);
    assert!(gaps(&cover, &[], 10.0).is_empty(), "open to the south and the north");
    let found = gaps(&cover, &[vec![rectangle(0.0, 0.0, 200.0, 100.0)]], 10.0);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(is(found[0].place.area_m2, 500.0) && found[0].beside == [0, 1], "{found:?}");
}

#[test]
fn what_leaves_the_area_above_is_told_area_by_area() {
    let areas = [
        vec![rectangle(0.0, 0.0, 100.0, 100.0)],
        vec![rectangle(100.0, 0.0, 220.0, 100.0)],
        vec![rectangle(100.0, 100.0, 230.0, 200.0)],
    ];
    let found = outside(&Cover::new(&areas), &[rectangle(0.0, 0.0, 200.0, 200.0)], 10.0);
    let told: Vec<(u32, f64)> = found.iter().map(|outside| (outside.area, outside.place.area_m2)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].0 == 1 && is(told[0].1, 2_000.0) && told[1].0 == 2 && is(told[1].1, 3_000.0), "{told:?}");
}

/// A grid of crooked cells that share their corners, with or without a point of one neighbour in the middle of the other's edge.
fn grid(side: usize, seed: u64) -> Vec<Rings> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut corner = |x: usize, y: usize| {
        let [dx, dy]: [f64; 2] = [random.random_range(-30.0..30.0), random.random_range(-30.0..30.0)];
        at([x as f64 * 100.0 + dx, y as f64 * 100.0 + dy])
    };
    let corners: Vec<Vec<[f64; 2]>> = (0..=side).map(|x| (0..=side).map(|y| corner(x, y)).collect()).collect();
    let middle = |a: [f64; 2], b: [f64; 2]| [(a[0] + b[0]) * 0.5, (a[1] + b[1]) * 0.5];
    let mut areas = Vec::new();
    for x in 0..side {
        for y in 0..side {
            let [a, b, c, d] = [corners[x][y], corners[x + 1][y], corners[x + 1][y + 1], corners[x][y + 1]];
            areas.push(vec![if (x + y) % 2 == 0 { vec![a, middle(a, b), b, c, d] } else { vec![a, b, c, d] }]);
        }
    }
    areas
}

#[test]
fn a_grid_that_shares_its_corners_has_neither_gap_nor_overlap_and_one_without_a_cell_has_one() {
    let mut areas = grid(40, 3);
    let cover = Cover::new(&areas);
    assert_eq!(overlaps(&cover, 0.5, 100), []);
    assert_eq!(gaps(&cover, &[], 0.5), []);
    let taken = std::mem::take(&mut areas[20 * 40 + 20]);
    let found = gaps(&Cover::new(&areas), &[], 0.5);
    assert_eq!(found.len(), 1);
    assert!(is(found[0].place.area_m2, crate::signed_area_m2(&taken[0])));
    assert_eq!(found[0].beside.len(), 8, "four beside it and four at its corners: {found:?}");
}

#[test]
fn an_outline_that_crosses_itself_covers_what_look_up_says() {
    let [a, b, c, d] = [[0.0, 0.0], [100.0, 100.0], [100.0, 0.0], [0.0, 100.0]].map(at);
    let bow_tie = vec![vec![a, b, c, d]];
    let beside = vec![rectangle(40.0, 80.0, 60.0, 90.0)];
    assert!(overlaps(&Cover::new(&[bow_tie.clone(), beside]), 1.0, 9).is_empty());
    let within = vec![rectangle(80.0, 45.0, 90.0, 55.0)];
    let found = overlaps(&Cover::new(&[bow_tie, within]), 1.0, 9);
    assert!(found.len() == 1 && is(found[0].place.area_m2, 100.0), "{found:?}");
}

#[test]
fn nothing_covers_nothing() {
    let cover = Cover::new(&[Vec::new(), vec![Vec::new()], vec![vec![at([0.0, 0.0]), at([1.0, 1.0])]]]);
    assert!(overlaps(&cover, 1.0, 9).is_empty() && gaps(&cover, &[], 1.0).is_empty());
    assert!(outside(&cover, &[], 1.0).is_empty());
}
