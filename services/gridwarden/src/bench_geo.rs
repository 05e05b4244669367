//! `gridwarden bench geo`: the area index beside an R-tree of polygons, on the same points, in one run.
//!
//! Both must give the same areas for every uniform point, and for corners and middles of edges; a difference fails the run, whatever
//! the speed. On a border the tree gives a point to all neighbours (`Intersects`) or to none (`Contains`): the index must lie between.

use geo::{Contains, Coord, Intersects, LineString, Polygon, coord};
use gridwarden_geo::{AreaIndex, IndexOptions, metres_per_degree};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rstar::primitives::GeomWithData;
use rstar::{AABB, PointDistance, RTree, RTreeObject};
use std::hint::black_box;
use std::time::Instant;

/// Rings of an area.
pub(crate) type Rings = Vec<Vec<[f64; 2]>>;

/// Repetitions measured, after one that warms up.
const REPETITIONS: usize = 5;
/// Busy places, and how wide they are.
const HOT_SPOTS: usize = 12;
const HOT_SIGMA_M: f64 = 1500.0;

/// What was measured; see `BENCHMARKS` for the keys.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct GeoFigures {
    pub(crate) cells: usize,
    pub(crate) points: usize,
    pub(crate) uniform_ns: f64,
    pub(crate) hot_ns: f64,
    pub(crate) rstar_uniform_ns: f64,
    pub(crate) rstar_hot_ns: f64,
    pub(crate) speedup_uniform: f64,
    pub(crate) speedup_hot: f64,
    pub(crate) index_mib: f64,
    pub(crate) build_s: f64,
    pub(crate) differences: usize,
}

/// Measures both on `points` points over the areas' bounds; `progress` hears what is being done.
///
/// # Errors
/// Areas no index can be built of.
pub(crate) fn measure(
    areas: &[Rings],
    points: usize,
    seed: u64,
    mut progress: impl FnMut(&str),
) -> anyhow::Result<GeoFigures> {
    progress("building the area index");
    let began = Instant::now();
    let index = AreaIndex::build(areas, &IndexOptions::default())?;
    let build_s = began.elapsed().as_secs_f64();
    let bounds = index.bounds().ok_or_else(|| anyhow::anyhow!("no area has an outline"))?;
    progress("building the R-tree");
    let tree = tree(areas);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let uniform = uniform_points(bounds, points, &mut random);
    let hot = hot_points(bounds, points, &mut random);
    progress("comparing the answers");
    let border = border_points(areas, points / 10, &mut random);
    let differences = uniform.iter().chain(&border).filter(|point| !agree(&index, &tree, **point)).count();
    let by_index = |point: [f64; 2]| {
        let mut sum = 0u64;
        index.locate(point[0], point[1], |number| sum += u64::from(number) + 1);
        sum
    };
    let by_tree = |point: [f64; 2]| containing(&tree, point).map(|number| u64::from(number) + 1).sum();
    progress("measuring uniform points");
    let (uniform_ns, rstar_uniform_ns) = (per_point(&uniform, by_index), per_point(&uniform, by_tree));
    progress("measuring points in hot spots");
    let (hot_ns, rstar_hot_ns) = (per_point(&hot, by_index), per_point(&hot, by_tree));
    Ok(GeoFigures {
        cells: areas.len(),
        points,
        uniform_ns,
        hot_ns,
        rstar_uniform_ns,
        rstar_hot_ns,
        speedup_uniform: rstar_uniform_ns / uniform_ns,
        speedup_hot: rstar_hot_ns / hot_ns,
        index_mib: index.memory_bytes() as f64 / f64::from(1 << 20),
        build_s,
        differences,
    })
}

/// Median time per point in nanoseconds.
fn per_point(points: &[[f64; 2]], find: impl Fn([f64; 2]) -> u64) -> f64 {
    let run = || {
        let began = Instant::now();
        let sum: u64 = points.iter().map(|point| find(*point)).fold(0, u64::wrapping_add);
        black_box(sum);
        began.elapsed().as_secs_f64() * 1e9 / points.len().max(1) as f64
    };
    run();
    let mut times: Vec<f64> = (0..REPETITIONS).map(|_| run()).collect();
    times.sort_by(f64::total_cmp);
    times.get(REPETITIONS / 2).copied().unwrap_or_default()
}

/// An outline in a tree.
pub(crate) struct Outline(Polygon<f64>);

impl RTreeObject for Outline {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        let points: Vec<[f64; 2]> = self.0.exterior().coords().map(|c| [c.x, c.y]).collect();
        AABB::from_points(&points)
    }
}

impl PointDistance for Outline {
    fn distance_2(&self, _point: &[f64; 2]) -> f64 {
        0.0
    }

    /// Asked for every outline whose envelope holds the point.
    fn contains_point(&self, point: &[f64; 2]) -> bool {
        let [x, y] = *point;
        self.0.contains(&coord! { x: x, y: y })
    }
}

/// Outlines by number.
pub(crate) type Tree = RTree<GeomWithData<Outline, u32>>;

/// A tree of outlines, each with its place in the list.
pub(crate) fn tree(areas: &[Rings]) -> Tree {
    let line = |ring: &Vec<[f64; 2]>| -> LineString<f64> {
        ring.iter()
            .map(|p| -> Coord<f64> {
                coord! { x: p[0], y: p[1] }
            })
            .collect()
    };
    let outlines = (0u32..).zip(areas).filter_map(|(number, rings)| {
        let mut lines = rings.iter().map(line);
        let outline = Polygon::new(lines.next()?, lines.collect());
        Some(GeomWithData::new(Outline(outline), number))
    });
    RTree::bulk_load(outlines.collect())
}

/// Numbers of the outlines that hold a point, in any order.
pub(crate) fn containing(tree: &Tree, point: [f64; 2]) -> impl Iterator<Item = u32> + '_ {
    tree.locate_all_at_point(&point).map(|found| found.data)
}

fn agree(index: &AreaIndex, tree: &Tree, point: [f64; 2]) -> bool {
    let mut hits = Vec::new();
    index.locate(point[0], point[1], |number| hits.push(number));
    let [x, y] = point;
    let near = tree.locate_in_envelope_intersecting(&AABB::from_point(point));
    let touching: Vec<u32> =
        near.filter(|found| found.geom().0.intersects(&coord! { x: x, y: y })).map(|found| found.data).collect();
    hits.iter().all(|number| touching.contains(number)) && containing(tree, point).all(|number| hits.contains(&number))
}

/// Corners and middles of edges of any areas.
fn border_points(areas: &[Rings], count: usize, random: &mut impl Rng) -> Vec<[f64; 2]> {
    let mut points = Vec::with_capacity(count);
    for _ in 0..count {
        let ring = areas.get(random.random_range(0..areas.len())).and_then(|rings| rings.first());
        let pair = ring.filter(|ring| ring.len() > 1).and_then(|ring| {
            let at = random.random_range(0..ring.len() - 1);
            Some((*ring.get(at)?, *ring.get(at + 1)?))
        });
        let Some((a, b)) = pair else { continue };
        points.push(if random.random_range(0..2) == 0 { a } else { [(a[0] + b[0]) * 0.5, (a[1] + b[1]) * 0.5] });
    }
    points
}

fn uniform_points([west, south, east, north]: [f64; 4], count: usize, random: &mut impl Rng) -> Vec<[f64; 2]> {
    (0..count).map(|_| [random.random_range(west..east), random.random_range(south..north)]).collect()
}

/// Nine of ten points in a few busy places, the rest anywhere.
fn hot_points(bounds: [f64; 4], count: usize, random: &mut impl Rng) -> Vec<[f64; 2]> {
    let [per_lon, per_lat] = metres_per_degree((bounds[1] + bounds[3]) * 0.5);
    let spots = uniform_points(bounds, HOT_SPOTS, random);
    let mut points = uniform_points(bounds, count, random);
    for point in &mut points {
        if random.random_range(0.0..1.0) < 0.9
            && let Some(spot) = spots.get(random.random_range(0..HOT_SPOTS))
        {
            let [x, y] = normal(random);
            *point = [spot[0] + x * HOT_SIGMA_M / per_lon, spot[1] + y * HOT_SIGMA_M / per_lat];
        }
    }
    points
}

/// Two independent normal numbers (Box–Muller).
fn normal(random: &mut impl Rng) -> [f64; 2] {
    let radius = (-2.0 * random.random_range(f64::MIN_POSITIVE..1.0).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * random.random_range(0.0..1.0)).sin_cos();
    [radius * cos, radius * sin]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_agree_and_every_figure_is_one() {
        let square = |x: u32, y: u32| -> Rings {
            let [west, south] = [121.0 + f64::from(x) * 0.01, 31.0 + f64::from(y) * 0.01];
            vec![vec![[west, south], [west + 0.01, south], [west + 0.01, south + 0.01], [west, south + 0.01]]]
        };
        let areas: Vec<Rings> = (0..100).map(|i| square(i % 10, i / 10)).collect();
        let figures = measure(&areas, 2_000, 1, |_| {}).unwrap();
        assert_eq!((figures.cells, figures.differences), (100, 0));
        assert!(figures.uniform_ns > 0.0 && figures.speedup_hot > 0.0 && figures.index_mib > 0.0);
    }
}
