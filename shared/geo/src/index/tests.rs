//! The area index against the definition it must equal.

use super::*;
use crate::ring;
use geo::coordinate_position::{CoordPos, CoordinatePosition};
use geo::{Contains, Coord, LineString, MultiPolygon, Polygon, coord};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Rings = Vec<Vec<[f64; 2]>>;

/// Rings on a lattice of 1/64 degree, as whole numbers: every question about them has an exact answer in integers.
type Lattice = Vec<Vec<[i64; 2]>>;

fn degrees(rings: &Lattice) -> Rings {
    let point = |p: &[i64; 2]| [p[0] as f64 / 64.0, p[1] as f64 / 64.0];
    rings.iter().map(|ring| ring.iter().map(point).collect()).collect()
}

/// Even–odd in integers, written down from the convention, sharing nothing with the code under test.
fn holds(rings: &Lattice, [x, y]: [i64; 2]) -> bool {
    let mut crossings = 0;
    for ring in rings {
        for at in 0..ring.len() {
            let [a, b] = [ring[at], ring[(at + 1) % ring.len()]];
            let [low, high] = if a[1] <= b[1] { [a, b] } else { [b, a] };
            if low[1] <= y && y < high[1] {
                // x < low.x + (high.x - low.x) * (y - low.y) / (high.y - low.y)
                let rise = high[1] - low[1];
                if (x - low[0]) * rise < (high[0] - low[0]) * (y - low[1]) {
                    crossings += 1;
                }
            }
        }
    }
    crossings % 2 == 1
}

fn found(index: &AreaIndex, lon: f64, lat: f64) -> Vec<u32> {
    let mut found = Vec::new();
    index.locate(lon, lat, |number| found.push(number));
    found
}

fn at_fineness(areas: &[Rings], squares: usize) -> AreaIndex {
    let shape = size::Shape::of(areas).unwrap();
    builder::build(areas, &shape, squares, 1).unwrap()
}

fn check_lattice(areas: &[Lattice], squares: usize, points: impl Iterator<Item = [i64; 2]>) {
    let outlines: Vec<Rings> = areas.iter().map(degrees).collect();
    if size::Shape::of(&outlines).is_none() {
        return;
    }
    let index = at_fineness(&outlines, squares);
    let bare = [1 << 20, 50, 0].map(|bits| BareGround::within(&index, bits));
    for point in points {
        let expected: Vec<u32> =
            (0u32..).zip(areas).filter(|(_, area)| holds(area, point)).map(|(number, _)| number).collect();
        let [lon, lat] = point.map(|v| v as f64 / 64.0);
        assert_eq!(found(&index, lon, lat), expected, "at {point:?}, {squares} squares, {areas:?}");
        for bare in &bare {
            let is_bare = index.square(lon, lat).is_none_or(|square| bare.is_bare(square));
            assert!(expected.is_empty() || !is_bare, "at {point:?}, {squares} squares, {areas:?}");
        }
    }
}

fn every_point(span: i64) -> impl Iterator<Item = [i64; 2]> {
    (-1..=span + 1).flat_map(move |x| (-1..=span + 1).map(move |y| [x, y]))
}

fn a_ring() -> impl Strategy<Value = Vec<[i64; 2]>> {
    prop::collection::vec([0..24i64, 0..24i64], 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Self-crossing, touching, overlapping, with holes, degenerate: every lattice point, corners and edges included.
    #[test]
    fn lattice_areas_are_exact(
        areas in prop::collection::vec(prop::collection::vec(a_ring(), 0..3), 1..6),
        squares in prop::sample::select(vec![1usize, 7, 64, 700, 5000]),
    ) {
        check_lattice(&areas, squares, every_point(24));
    }

    /// Any floats at all: the index asks the same question as the plain even–odd reading.
    #[test]
    fn any_floats_agree_with_the_plain_reading(
        areas in prop::collection::vec(prop::collection::vec(prop::collection::vec([-180.0..180.0f64, -90.0..90.0f64], 0..9), 0..3), 1..5),
        points in prop::collection::vec([-181.0..181.0f64, -91.0..91.0f64], 50),
        squares in prop::sample::select(vec![1usize, 64, 5000]),
    ) {
        if size::Shape::of(&areas).is_some() {
            let index = at_fineness(&areas, squares);
            let corners = areas.iter().flatten().flatten().copied();
            for [lon, lat] in corners.chain(points) {
                let expected: Vec<u32> = (0u32..).zip(&areas)
                    .filter(|(_, rings)| ring::contains(rings, [lon, lat]))
                    .map(|(number, _)| number).collect();
                prop_assert_eq!(found(&index, lon, lat), expected);
            }
        }
    }
}

/// Polygons of one area, each on a place of its own, so that even–odd and the union of them are the same: a star around
/// the place, with a hole or without.
fn a_multipolygon() -> impl Strategy<Value = Vec<Rings>> {
    let star = (0.3..1.0f64, prop::collection::vec(0.5..1.0f64, 5..14), any::<bool>());
    prop::collection::btree_map((0..4u32, 0..4u32), star, 1..5).prop_map(|stars| {
        let ring = |[x, y]: [f64; 2], reach: f64, radii: &[f64]| -> Vec<[f64; 2]> {
            let corner = |(at, r): (usize, &f64)| {
                let angle = std::f64::consts::TAU * at as f64 / radii.len() as f64;
                [x + reach * r * angle.cos(), y + reach * r * angle.sin()]
            };
            radii.iter().enumerate().map(corner).collect()
        };
        let polygon = |((column, row), (size, radii, hole)): ((u32, u32), (f64, Vec<f64>, bool))| {
            let middle = [121.05 + f64::from(column) * 0.1, 31.05 + f64::from(row) * 0.1];
            let outline = ring(middle, size * 0.049, &radii);
            let inner = ring(middle, size * 0.049 * 0.3, &[1.0; 4]);
            if hole { vec![outline, inner] } else { vec![outline] }
        };
        stars.into_iter().map(polygon).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Multipolygons with holes that overlap those of other areas, against `geo`: no difference, anywhere but on a border,
    /// where `geo` gives a point to nobody.
    #[test]
    fn multipolygons_agree_with_geo(
        areas in prop::collection::vec(a_multipolygon(), 1..8),
        points in prop::collection::vec([121.0..121.4f64, 31.0..31.4f64], 60),
        squares in prop::sample::select(vec![64usize, 1000, 20_000]),
    ) {
        let flat: Vec<Rings> = areas.iter().map(|polygons| polygons.iter().flatten().cloned().collect()).collect();
        let index = at_fineness(&flat, squares);
        let theirs: Vec<MultiPolygon<f64>> =
            areas.iter().map(|polygons| MultiPolygon::new(polygons.iter().map(polygon).collect())).collect();
        let corners: Vec<[f64; 2]> = flat.iter().flatten().flatten().copied().collect();
        for [lon, lat] in corners.into_iter().chain(points) {
            let ours = found(&index, lon, lat);
            for (number, area) in (0u32..).zip(&theirs) {
                match area.coordinate_position(&coord! { x: lon, y: lat }) {
                    CoordPos::OnBoundary => {}
                    position => prop_assert_eq!(ours.contains(&number), position == CoordPos::Inside, "area {} at {}, {}", number, lon, lat),
                }
            }
        }
    }
}

#[test]
fn the_date_line_belongs_to_one_side() {
    let east = vec![[179.0, -1.0], [180.0, -1.0], [180.0, 1.0], [179.0, 1.0]];
    let west = vec![[-180.0, -1.0], [-179.0, -1.0], [-179.0, 1.0], [-180.0, 1.0]];
    let areas = vec![vec![east.clone(), west.clone()], vec![east], vec![west]];
    let index = AreaIndex::build(&areas, &IndexOptions::default()).unwrap();
    for lon in [180.0, -180.0, 180f64.next_down(), (-180f64).next_up()] {
        let expected: &[u32] = if lon > 0.0 && lon < 180.0 { &[0, 1] } else { &[0, 2] };
        assert_eq!(found(&index, lon, 0.5), expected, "at {lon}");
        for (number, rings) in (0u32..).zip(&areas) {
            assert_eq!(ring::contains(rings, [lon, 0.5]), expected.contains(&number));
            assert_eq!(crate::fence::Fence::polygon(rings.clone()).contains([lon, 0.5]), expected.contains(&number));
        }
    }
    assert!(found(&index, 178.9, 0.0).is_empty() && found(&index, -178.9, 0.0).is_empty());
    assert!(found(&index, 0.0, 0.0).is_empty(), "nothing lies between the two parts");
}

#[test]
fn more_areas_over_one_spot_than_a_record_holds() {
    let areas: Vec<Lattice> =
        (0..100).map(|i| vec![vec![[i % 7, i % 5], [20 - i % 3, i % 4], [18 + i % 5, 20], [i % 6, 19]]]).collect();
    for squares in [1, 16, 400] {
        check_lattice(&areas, squares, every_point(24));
    }
}

/// A jittered grid: neighbours share corners exactly.
fn partition(side: usize, seed: u64) -> Vec<Rings> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut corner = |x: usize, y: usize| {
        let jitter = |v: f64| v * 0.6 - 0.3;
        let [dx, dy] = [jitter(random.random()), jitter(random.random())];
        [121.0 + (x as f64 + dx) * 0.01, 31.0 + (y as f64 + dy) * 0.01]
    };
    let corners: Vec<Vec<[f64; 2]>> = (0..=side).map(|x| (0..=side).map(|y| corner(x, y)).collect()).collect();
    let mut areas = Vec::new();
    for x in 0..side {
        for y in 0..side {
            let ring = vec![corners[x][y], corners[x + 1][y], corners[x + 1][y + 1], corners[x][y + 1]];
            areas.push(vec![ring]);
        }
    }
    areas
}

#[test]
fn a_partition_gives_every_point_to_one_area_even_on_borders() {
    let areas = partition(30, 7);
    let index = AreaIndex::build(&areas, &IndexOptions::default()).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(8);
    for area in &areas {
        let ring = &area[0];
        for at in 0..4 {
            let [a, b] = [ring[at], ring[(at + 1) % 4]];
            let t: f64 = random.random();
            let on_edge = [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
            for point in [a, on_edge] {
                let inner = point[0] > 121.01 && point[0] < 121.29 && point[1] > 31.01 && point[1] < 31.29;
                if inner {
                    assert_eq!(found(&index, point[0], point[1]).len(), 1, "at {point:?}");
                }
            }
        }
    }
}

fn polygon(rings: &Rings) -> Polygon<f64> {
    let line = |ring: &Vec<[f64; 2]>| -> LineString<f64> {
        ring.iter()
            .map(|p| -> Coord<f64> {
                coord! { x: p[0], y: p[1] }
            })
            .collect()
    };
    let mut lines = rings.iter().map(line);
    Polygon::new(lines.next().unwrap(), lines.collect())
}

/// Star-shaped outlines with a hole, overlapping freely.
fn stars(count: usize, seed: u64) -> Vec<Rings> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let centre = [random.random_range(121.0..121.5), random.random_range(31.0..31.4)];
            let corners = random.random_range(3..40);
            let reach = random.random_range(0.001..0.06);
            let mut outline = Vec::new();
            for corner in 0..corners {
                let angle = std::f64::consts::TAU * f64::from(corner) / f64::from(corners);
                let r = reach * random.random_range(0.5..1.0);
                outline.push([centre[0] + r * angle.cos(), centre[1] + r * angle.sin()]);
            }
            let hole = [(0.1, 0.0), (0.0, 0.1), (-0.1, 0.0), (0.0, -0.1)]
                .map(|(x, y)| [centre[0] + x * reach, centre[1] + y * reach]);
            if corners > 8 { vec![outline, hole.to_vec()] } else { vec![outline] }
        })
        .collect()
}

#[test]
fn agrees_with_geo_on_valid_polygons() {
    let mut areas = partition(40, 1);
    areas.extend(stars(150, 2));
    let index = AreaIndex::build(&areas, &IndexOptions::default()).unwrap();
    let polygons: Vec<Polygon<f64>> = areas.iter().map(polygon).collect();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..20_000 {
        let [lon, lat] = [random.random_range(120.95..121.55), random.random_range(30.95..31.45)];
        let point = coord! { x: lon, y: lat };
        let expected: Vec<u32> =
            (0u32..).zip(&polygons).filter(|(_, polygon)| polygon.contains(&point)).map(|(number, _)| number).collect();
        assert_eq!(found(&index, lon, lat), expected);
    }
}

#[test]
fn the_index_is_the_same_with_any_number_of_parts() {
    let mut areas = partition(60, 1);
    areas.extend(stars(300, 2));
    let shape = size::Shape::of(&areas).unwrap();
    let one = builder::build(&areas, &shape, 200_000, 1).unwrap();
    assert!(one.borders.len() > 1 << 16 && one.sets.len() > 1_000, "enough to be cut");
    for parts in [2, 3, 16, 128] {
        let other = builder::build(&areas, &shape, 200_000, parts).unwrap();
        assert!(one.squares == other.squares && one.sets == other.sets, "{parts}");
        assert!(one.borders == other.borders && one.edges == other.edges, "{parts}");
    }
}

#[test]
fn an_index_comes_back_from_its_bytes_and_cut_ones_are_refused() {
    let mut areas = partition(20, 1);
    areas.extend(stars(50, 2));
    let index = AreaIndex::build(&areas, &IndexOptions::default()).unwrap();
    let bytes = index.to_bytes();
    let back = AreaIndex::from_bytes(&bytes).unwrap();
    assert_eq!((back.len(), back.bounds(), back.raster()), (index.len(), index.bounds(), index.raster()));
    let mut random = ChaCha8Rng::seed_from_u64(6);
    for _ in 0..5_000 {
        let [lon, lat] = [random.random_range(120.9..121.6), random.random_range(30.9..31.5)];
        assert_eq!(found(&back, lon, lat), found(&index, lon, lat));
    }
    for length in [0, 1, 8, 40, 100, bytes.len() / 2, bytes.len() - 1] {
        let read = AreaIndex::from_bytes(&bytes[..length]);
        assert!(read.is_none() || length == 8, "{length}");
    }
    assert!(AreaIndex::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_none());
    // Whatever the bytes say, asking does not fail.
    for at in (0..bytes.len()).step_by(97) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x5a;
        if let Some(index) = AreaIndex::from_bytes(&changed) {
            found(&index, 121.2, 31.2);
        }
    }
    let empty = AreaIndex::build(&[vec![], vec![]], &IndexOptions::default()).unwrap();
    assert_eq!(AreaIndex::from_bytes(&empty.to_bytes()).map(|index| index.len()), Some(2));
}

#[test]
fn memory_is_kept_within_its_limit() {
    let areas = partition(60, 5);
    let free = AreaIndex::build(&areas, &IndexOptions::default()).unwrap();
    let tight = AreaIndex::build(&areas, &IndexOptions { max_mib: 1 }).unwrap();
    assert!(tight.memory_bytes() <= 1 << 20);
    assert!(tight.raster() < free.raster());
    let mut random = ChaCha8Rng::seed_from_u64(6);
    for _ in 0..5000 {
        let [lon, lat] = [random.random_range(120.9..121.7), random.random_range(30.9..31.7)];
        assert_eq!(found(&tight, lon, lat), found(&free, lon, lat));
    }
}

#[test]
fn nothing_is_somewhere_and_bad_numbers_are_nowhere() {
    let empty = AreaIndex::build(&[], &IndexOptions::default()).unwrap();
    assert!(empty.is_empty() && empty.bounds().is_none());
    assert!(found(&empty, 0.0, 0.0).is_empty());
    let bare = AreaIndex::build(&[vec![], vec![vec![]]], &IndexOptions::default()).unwrap();
    assert_eq!(bare.len(), 2);
    assert!(found(&bare, 0.0, 0.0).is_empty());
    let index = AreaIndex::build(&partition(2, 1), &IndexOptions::default()).unwrap();
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        assert!(found(&index, odd, 31.01).is_empty());
        assert!(found(&index, 121.01, odd).is_empty());
    }
    let broken = vec![vec![], vec![vec![[0.0, 0.0], [1.0, f64::NAN]]]];
    let error = AreaIndex::build(&broken, &IndexOptions::default()).err().unwrap();
    assert_eq!(error, BuildError::Coordinate { area: 1, ring: 0, point: 1 });
}
