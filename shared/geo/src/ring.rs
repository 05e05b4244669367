//! Rings: the even–odd rule, its border convention, validity, labels.
//!
//! A ring is a list of `[lon, lat]`; the last point is joined to the first, whether or not it repeats it.
//!
//! **Convention for borders.** A point is inside when a ray to the east crosses the edges of all rings an odd number of
//! times, where an edge counts its lower end and not its upper one, and a point on an edge lies to the east of it. That is
//! the answer for a point moved by an infinitely small step to the east and a far smaller one to the north, so areas that
//! share a border share no point and leave none out. Which side of an edge a point lies on is decided exactly
//! (adaptive precision), never by rounding.
//!
//! **The date line.** An outline lies on the plane of degrees; one that passes the date line is cut there into two rings
//! (RFC 7946, 3.1.9). A point on longitude 180 is the same as on −180 and is taken as that, so the cut leaves none out.

mod label;
mod repair;
mod validity;

pub use label::label_point;
pub use repair::{Repaired, repaired};
pub use validity::{Flaw, flaw};

use geo::kernels::{Kernel, RobustKernel};
use geo::{Coord, Orientation};

/// An edge with its lower end (then its western one) first, so that neighbours that share it ask the very same question.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Edge {
    pub(crate) low: [f64; 2],
    pub(crate) high: [f64; 2],
}

impl Edge {
    /// `None` for an edge without length: it crosses nothing.
    pub(crate) fn new(a: [f64; 2], b: [f64; 2]) -> Option<Self> {
        let order = a[1].total_cmp(&b[1]).then(a[0].total_cmp(&b[0]));
        match order {
            std::cmp::Ordering::Less => Some(Self { low: a, high: b }),
            std::cmp::Ordering::Greater => Some(Self { low: b, high: a }),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// Whether a ray from `point` to the east crosses this edge.
    #[inline]
    pub(crate) fn crossed_from(&self, point: [f64; 2]) -> bool {
        self.low[1] <= point[1] && point[1] < self.high[1] && self.is_west(point)
    }

    /// Whether `point` lies strictly to the west of this edge (to its left, looking up). Exact. Only for edges whose
    /// heights span the point's.
    #[inline]
    pub(crate) fn is_west(&self, point: [f64; 2]) -> bool {
        // The bound below which rounding could hide the sign: Shewchuk's ccwerrboundA.
        const BOUND: f64 = (3.0 + 16.0 * f64::EPSILON / 2.0) * f64::EPSILON / 2.0;
        let left = (self.low[0] - point[0]) * (self.high[1] - point[1]);
        let right = (self.low[1] - point[1]) * (self.high[0] - point[0]);
        let determinant = left - right;
        if determinant.abs() > BOUND * (left.abs() + right.abs()) {
            return determinant > 0.0;
        }
        self.is_west_exactly(point)
    }

    #[cold]
    fn is_west_exactly(&self, point: [f64; 2]) -> bool {
        RobustKernel::orient2d(coord(self.low), coord(self.high), coord(point)) == Orientation::CounterClockwise
    }
}

pub(crate) fn coord(point: [f64; 2]) -> Coord<f64> {
    Coord { x: point[0], y: point[1] }
}

/// The edges of a ring, the closing one included.
pub(crate) fn edges(ring: &[[f64; 2]]) -> impl Iterator<Item = Edge> {
    let next = ring.iter().skip(1).chain(ring.first());
    ring.iter().zip(next).filter_map(|(a, b)| Edge::new(*a, *b))
}

/// Degrees from an edge to a point.
pub(crate) fn off(edge: &Edge, [x, y]: [f64; 2]) -> f64 {
    let [dx, dy] = [edge.high[0] - edge.low[0], edge.high[1] - edge.low[1]];
    let along = ((x - edge.low[0]) * dx + (y - edge.low[1]) * dy) / (dx * dx + dy * dy);
    let along = along.clamp(0.0, 1.0);
    (edge.low[0] + along * dx - x).hypot(edge.low[1] + along * dy - y)
}

/// The longitude a point is looked up under: the date line has two names.
#[inline]
pub(crate) fn one_name(lon: f64) -> f64 {
    if lon == 180.0 { -180.0 } else { lon }
}

/// Whether `point` lies inside `rings`, even–odd over all of them, with the convention above.
pub fn contains(rings: &[Vec<[f64; 2]>], [lon, lat]: [f64; 2]) -> bool {
    let point = [one_name(lon), lat];
    let crossings = rings.iter().flat_map(|ring| edges(ring)).filter(|edge| edge.crossed_from(point)).count();
    crossings % 2 == 1
}

/// `[west, south, east, north]` over all rings; `None` without points.
pub fn bounds(rings: &[Vec<[f64; 2]>]) -> Option<[f64; 4]> {
    let mut points = rings.iter().flatten();
    let first = points.next()?;
    let mut bounds = [first[0], first[1], first[0], first[1]];
    for [lon, lat] in points {
        bounds = [bounds[0].min(*lon), bounds[1].min(*lat), bounds[2].max(*lon), bounds[3].max(*lat)];
    }
    Some(bounds)
}
