//! The area index over a hundred thousand areas against `geo`, point by point: cells that share their borders, stars with holes
//! that overlap freely, multipolygons. Points lie anywhere, on corners and on edges.
//!
//! `geo` knows three answers: inside, outside, on the border. The first two must be the index's, without a difference; on a
//! border the index gives a point to whom its own rule says (`ring`), which is asked apart.

#![allow(clippy::indexing_slicing, clippy::expect_used)]

mod areas;

use areas::{Rings, cells, multipolygons, stars};
use geo::coordinate_position::{CoordPos, CoordinatePosition};
use geo::{Intersects, LineString, MultiPolygon, Polygon, coord};
use gridwarden_geo::{AreaIndex, IndexOptions, ring};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

/// Areas of a city as large as any.
const CELLS_ASIDE: usize = 224;
const STARS: usize = 30_000;
const MULTIPOLYGONS: usize = 20_000;

struct City {
    /// Polygons of each area: as many cells as there are first, then those that overlap.
    areas: Vec<Vec<Rings>>,
    cells: usize,
    index: AreaIndex,
    shapes: Vec<MultiPolygon<f64>>,
    tree: RTree<GeomWithData<Rectangle<[f64; 2]>, u32>>,
}

impl City {
    fn new(aside: usize, stars_wanted: usize, multipolygons_wanted: usize) -> Self {
        let mut areas: Vec<Vec<Rings>> = cells(aside).into_iter().map(|rings| vec![rings]).collect();
        let cells = areas.len();
        areas.extend(stars(stars_wanted).into_iter().map(|rings| vec![rings]));
        areas.extend(multipolygons(multipolygons_wanted));
        let flat: Vec<Rings> = areas.iter().map(|polygons| polygons.concat()).collect();
        let index = AreaIndex::build(&flat, &IndexOptions::default()).expect("positions");
        let shapes: Vec<MultiPolygon<f64>> =
            areas.iter().map(|polygons| polygons.iter().map(polygon).collect()).collect();
        let boxed = |(number, rings): (u32, &Rings)| {
            let [west, south, east, north] = ring::bounds(rings).expect("points");
            GeomWithData::new(Rectangle::from_corners([west, south], [east, north]), number)
        };
        let tree = RTree::bulk_load((0u32..).zip(&flat).map(boxed).collect());
        Self { areas, cells, index, shapes, tree }
    }

    /// A point anywhere, on a corner, on the middle of an edge.
    fn point(&self, random: &mut ChaCha8Rng) -> [f64; 2] {
        let kind = random.random_range(0..10);
        if kind < 7 {
            let [west, south, east, north] = self.index.bounds().expect("areas");
            return [random.random_range(west - 0.01..east + 0.01), random.random_range(south - 0.01..north + 0.01)];
        }
        let area = &self.areas[random.random_range(0..self.areas.len())];
        let rings = &area[random.random_range(0..area.len())];
        let ring = &rings[random.random_range(0..rings.len())];
        let at = random.random_range(0..ring.len());
        let [a, b] = [ring[at], ring[(at + 1) % ring.len()]];
        // Corners lie on a lattice, so that the middle of an edge is a number, too.
        if kind < 9 { a } else { [(a[0] + b[0]) * 0.5, (a[1] + b[1]) * 0.5] }
    }

    /// Compares one point; tells whether it lies on some border.
    fn compare(&self, [lon, lat]: [f64; 2], found: &mut Vec<u32>) -> bool {
        found.clear();
        self.index.locate(lon, lat, |number| found.push(number));
        let point = coord! { x: lon, y: lat };
        let mut at_border = false;
        let mut expected = 0;
        for near in self.tree.locate_in_envelope_intersecting(&AABB::from_point([lon, lat])) {
            let hit = found.binary_search(&near.data).is_ok();
            let shape = &self.shapes[near.data as usize];
            match shape.coordinate_position(&point) {
                CoordPos::OnBoundary => {
                    at_border = true;
                    assert!(shape.intersects(&point));
                    let rings = self.areas[near.data as usize].concat();
                    assert_eq!(
                        hit,
                        ring::contains(&rings, [lon, lat]),
                        "on the border of {} at {lon}, {lat}",
                        near.data
                    );
                }
                position => assert_eq!(hit, position == CoordPos::Inside, "area {} at {lon}, {lat}", near.data),
            }
            expected += usize::from(hit);
        }
        assert_eq!(found.len(), expected, "areas whose bounds do not hold {lon}, {lat}: {found:?}");
        // A partition leaves no ground out and gives none twice, on borders too.
        if self.is_inland([lon, lat]) {
            assert_eq!(found.iter().filter(|number| (**number as usize) < self.cells).count(), 1, "at {lon}, {lat}");
        }
        at_border
    }

    /// Well within the cells' outer border.
    fn is_inland(&self, [lon, lat]: [f64; 2]) -> bool {
        let [west, south, east, north] = areas::inland(self.cells);
        lon > west && lon < east && lat > south && lat < north
    }
}

fn polygon(rings: &Rings) -> Polygon<f64> {
    let line = |ring: &Vec<[f64; 2]>| -> LineString<f64> { ring.iter().map(|p| (p[0], p[1])).collect() };
    let mut lines = rings.iter().map(line);
    Polygon::new(lines.next().expect("a shell"), lines.collect())
}

/// Compares so many points on all cores; how many lay on a border.
fn compare(city: &City, points: usize) -> usize {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = |seed: usize| {
        let mut random = ChaCha8Rng::seed_from_u64(seed as u64);
        let mut found = Vec::new();
        (0..points / threads).filter(|_| city.compare(city.point(&mut random), &mut found)).count()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|seed| scope.spawn(move || part(seed))).collect();
        parts.into_iter().map(|part| part.join().expect("no difference")).sum()
    })
}

/// Small, in every run of the tests; with `HITS_AT_FULL_SIZE` set, in release, ten million points over a hundred thousand areas.
#[test]
fn hit_sets_are_those_of_geo() {
    let full = std::env::var_os("HITS_AT_FULL_SIZE").is_some();
    let (city, points) = match full {
        true => (City::new(CELLS_ASIDE, STARS, MULTIPOLYGONS), 10_000_000),
        false => (City::new(40, 1_000, 600), 100_000),
    };
    assert!(!full || city.areas.len() > 100_000);
    let at_border = compare(&city, points);
    assert!(at_border > points / 4, "corners and edges are looked up, too: {at_border}");
}
