//! Made-up areas with corners on a lattice of 2^-20 degrees (10 cm), so that the middle of an edge lies on it exactly.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;

pub(crate) type Rings = Vec<Vec<[f64; 2]>>;

const WEST: f64 = 121.0;
const SOUTH: f64 = 31.0;
const CELL: f64 = 0.003;

fn lattice([lon, lat]: [f64; 2]) -> [f64; 2] {
    [lon, lat].map(|degrees| (degrees * f64::from(1 << 20)).round() / f64::from(1 << 20))
}

/// `[west, south, east, north]` of what so many cells cover without a gap.
pub(crate) fn inland(cells: usize) -> [f64; 4] {
    let aside = ((cells as f64) / 1.1).sqrt();
    [WEST + CELL, SOUTH + CELL, WEST + (aside - 1.0) * CELL, SOUTH + (aside - 1.0) * CELL]
}

/// Crooked cells that share corners and borders exactly; every tenth has a hole that another area fills.
pub(crate) fn cells(aside: usize) -> Vec<Rings> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut corner = |x: usize, y: usize| {
        let [dx, dy]: [f64; 2] = [random.random_range(-0.3..0.3), random.random_range(-0.3..0.3)];
        lattice([WEST + (x as f64 + dx) * CELL, SOUTH + (y as f64 + dy) * CELL])
    };
    let corners: Vec<Vec<[f64; 2]>> = (0..=aside).map(|x| (0..=aside).map(|y| corner(x, y)).collect()).collect();
    let (mut areas, mut fillings) = (Vec::new(), Vec::new());
    for x in 0..aside {
        for y in 0..aside {
            let outline = vec![corners[x][y], corners[x + 1][y], corners[x + 1][y + 1], corners[x][y + 1]];
            let mut rings = vec![outline];
            if (x * aside + y).is_multiple_of(10) {
                let middle = [WEST + (x as f64 + 0.5) * CELL, SOUTH + (y as f64 + 0.5) * CELL];
                let hole = star(middle, CELL * 0.1, 6, &mut random_of(x * aside + y));
                fillings.push(vec![hole.clone()]);
                rings.push(hole);
            }
            areas.push(rings);
        }
    }
    areas.extend(fillings);
    areas
}

fn random_of(seed: usize) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed as u64)
}

fn star(centre: [f64; 2], reach: f64, corners: u32, random: &mut ChaCha8Rng) -> Vec<[f64; 2]> {
    let corner = |number: u32| {
        let angle = TAU * f64::from(number) / f64::from(corners);
        let r = reach * random.random_range(0.6..1.0);
        lattice([centre[0] + r * angle.cos(), centre[1] + r * angle.sin()])
    };
    (0..corners).map(corner).collect()
}

fn anywhere(random: &mut ChaCha8Rng) -> [f64; 2] {
    [WEST + random.random_range(0.0..0.65), SOUTH + random.random_range(0.0..0.65)]
}

/// Stars, half of them with a hole, that overlap freely.
pub(crate) fn stars(count: usize) -> Vec<Rings> {
    let mut random = random_of(2);
    let mut star_with_hole = |number: usize| {
        let (centre, reach) = (anywhere(&mut random), random.random_range(0.0005..0.006));
        let corners = random.random_range(8..30);
        let mut rings = vec![star(centre, reach, corners, &mut random)];
        if number.is_multiple_of(2) {
            rings.push(star(centre, reach * 0.3, 5, &mut random));
        }
        rings
    };
    (0..count).map(&mut star_with_hole).collect()
}

/// Two or three stars, each on a place of its own.
pub(crate) fn multipolygons(count: usize) -> Vec<Vec<Rings>> {
    let mut random = random_of(3);
    let mut parts = |_: usize| {
        let centre = anywhere(&mut random);
        let parts = random.random_range(2..4u32);
        let part = |number: u32| {
            let beside = [centre[0] + f64::from(number) * 0.005, centre[1]];
            vec![star(beside, 0.0024, 10, &mut random), star(beside, 0.0008, 4, &mut random)]
        };
        (0..parts).map(part).collect()
    };
    (0..count).map(&mut parts).collect()
}
