//! How fine the raster is.

use crate::{BuildError, is_in_degrees, metres_per_degree, ring, ring::edges};

/// Never fewer squares than this.
pub(super) const MIN_SQUARES: usize = 64;
/// Never more: 256 MiB of squares.
const MAX_SQUARES: usize = 1 << 26;
/// Squares per edge. A third one saved some nanoseconds of 80 at 50,000 cells, and took 11 MiB more (`bench geo`).
const SQUARES_PER_EDGE: usize = 2;
/// No square is smaller than this (about 10 cm), so that rounding of degrees stays far below a square's size.
pub(super) const MIN_SQUARE_DEGREES: f64 = 1e-6;
/// What an edge costs in every square it touches, in bytes, when half of them are shared by two areas.
const BYTES_PER_TOUCH: f64 = 26.0;
/// Most areas, so that numbers and marks fit into one word.
const MAX_AREAS: usize = (1 << 30) - 2;

/// Every coordinate must be a position, and there must not be too many areas.
pub(super) fn check(areas: &[Vec<Vec<[f64; 2]>>]) -> Result<(), BuildError> {
    if areas.len() > MAX_AREAS {
        return Err(BuildError::TooMany { what: "areas", max: MAX_AREAS });
    }
    for (area, rings) in areas.iter().enumerate() {
        for (ring, points) in rings.iter().enumerate() {
            let wrong = |p: &[f64; 2]| !is_in_degrees(*p);
            if let Some(point) = points.iter().position(wrong) {
                return Err(BuildError::Coordinate { area, ring, point });
            }
        }
    }
    Ok(())
}

/// What decides the raster's fineness.
pub(super) struct Shape {
    pub(super) bounds: [f64; 4],
    pub(super) edges: usize,
    /// Sums over all edges, in degrees.
    width: f64,
    height: f64,
}

impl Shape {
    /// `None` when there is no edge.
    pub(super) fn of(areas: &[Vec<Vec<[f64; 2]>>]) -> Option<Self> {
        let mut shape: Option<Self> = None;
        for rings in areas {
            let Some(bounds) = ring::bounds(rings) else {
                continue;
            };
            for edge in rings.iter().flat_map(|ring| edges(ring)) {
                let shape = shape.get_or_insert(Self { bounds, edges: 0, width: 0.0, height: 0.0 });
                shape.edges += 1;
                shape.width += (edge.high[0] - edge.low[0]).abs();
                shape.height += edge.high[1] - edge.low[1];
            }
            if let Some(shape) = &mut shape {
                shape.bounds = joined(shape.bounds, bounds);
            }
        }
        shape
    }

    /// As many squares as pay, if they fit into `limit` bytes by estimate.
    pub(super) fn squares_within(&self, limit: usize) -> usize {
        let wanted = self.edges.saturating_mul(SQUARES_PER_EDGE);
        let mut squares = wanted.clamp(1 << 14, MAX_SQUARES);
        while squares > MIN_SQUARES && self.estimate(squares) > limit as f64 {
            squares = squares / 4 * 3;
        }
        squares
    }

    /// Fewer squares, after so many took more bytes than `limit`: what was estimated is set right by what came out.
    pub(super) fn squares_after(&self, squares: usize, bytes: usize, limit: usize) -> usize {
        let right = self.estimate(squares) / bytes.max(1) as f64;
        let fewer = self.squares_within((limit as f64 * right) as usize);
        fewer.min(squares / 4 * 3).max(MIN_SQUARES)
    }

    fn estimate(&self, squares: usize) -> f64 {
        let (columns, rows) = self.raster(squares);
        let [west, south, east, north] = self.bounds;
        let per = |count: u32, span: f64| f64::from(count) / span.max(MIN_SQUARE_DEGREES);
        let touches =
            self.edges as f64 + self.width * per(columns, east - west) + self.height * per(rows, north - south);
        f64::from(columns) * f64::from(rows) * 4.0 + touches * BYTES_PER_TOUCH
    }

    /// Columns and rows for about so many squares, about square on the ground.
    pub(super) fn raster(&self, squares: usize) -> (u32, u32) {
        let [west, south, east, north] = self.bounds;
        let [per_lon, per_lat] = metres_per_degree((south + north) * 0.5);
        let width = (east - west).max(MIN_SQUARE_DEGREES);
        let height = (north - south).max(MIN_SQUARE_DEGREES);
        let aspect = ((width * per_lon).max(0.1) / (height * per_lat)).clamp(1e-3, 1e3);
        let rows = (squares as f64 / aspect).sqrt();
        let count = |wanted: f64, span: f64| {
            let finest = (span / MIN_SQUARE_DEGREES).max(1.0);
            wanted.min(finest).clamp(1.0, 16_384.0) as u32
        };
        (count(rows * aspect, width), count(rows, height))
    }
}

fn joined(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}
