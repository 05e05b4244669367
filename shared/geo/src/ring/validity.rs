//! What is wrong with an outline as drawn. Gridwarden reads every outline even–odd, so none of this makes an area
//! unreadable; but people should hear of it.

use super::{Edge, coord, edges};
use geo::Orientation;
use geo::kernels::{Kernel, RobustKernel};

/// What is wrong with an outline.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
pub enum Flaw {
    /// No ring has three different points.
    #[error("no ring has three different points")]
    Empty,
    /// Two edges cross.
    #[error("the outline crosses itself near {0:.6}, {1:.6}")]
    Crossing(f64, f64),
    /// A ring runs along itself.
    #[error("the outline runs along itself near {0:.6}, {1:.6}")]
    Overlap(f64, f64),
    /// An edge goes more than half around the Earth: most likely it was meant to go the other way, over the date line.
    #[error("an edge goes from longitude {0:.6} to {1:.6}; cut the outline where it passes the date line")]
    Wide(f64, f64),
    /// The outline goes around a pole, or an edge runs slantwise into it: there is no such outline on the plane of degrees.
    #[error("the outline goes over a pole near {0:.6}, {1:.6}; draw it along the map's border, or without the pole")]
    Pole(f64, f64),
}

struct Segment {
    edge: Edge,
    ring: usize,
    west: f64,
    east: f64,
}

/// The first flaw found in an area's rings.
pub fn flaw(rings: &[Vec<[f64; 2]>]) -> Option<Flaw> {
    if !rings.iter().any(|ring| edges(ring).count() >= 3) {
        return Some(Flaw::Empty);
    }
    if let Some(flaw) = rings.iter().find_map(|ring| off_the_map(ring)) {
        return Some(flaw);
    }
    let mut segments: Vec<Segment> = Vec::new();
    for (number, ring) in rings.iter().enumerate() {
        segments.extend(edges(ring).map(|edge| Segment {
            edge,
            ring: number,
            west: edge.low[0].min(edge.high[0]),
            east: edge.low[0].max(edge.high[0]),
        }));
    }
    // Sweep from west to east: an edge is only compared with those that begin before it ends.
    segments.sort_by(|a, b| a.west.total_cmp(&b.west));
    for (position, segment) in segments.iter().enumerate() {
        for other in segments.iter().skip(position + 1) {
            if other.west > segment.east {
                break;
            }
            if let Some(flaw) = conflict(segment, other) {
                return Some(flaw);
            }
        }
    }
    None
}

/// What no plane of degrees can hold. A ring passes the date line as often one way as the other, unless it goes around a pole.
fn off_the_map(ring: &[[f64; 2]]) -> Option<Flaw> {
    let at_pole = |point: [f64; 2]| point[1].abs() == 90.0;
    let into_pole = |edge: &Edge| at_pole(edge.low) != at_pole(edge.high) && edge.low[0] != edge.high[0];
    if let Some(edge) = edges(ring).find(into_pole) {
        let [lon, lat] = if at_pole(edge.low) { edge.low } else { edge.high };
        return Some(Flaw::Pole(lon, lat));
    }
    let mut wide = edges(ring).filter(is_wide);
    let first = wide.next()?;
    match wide.count() % 2 {
        0 => Some(Flaw::Pole(first.low[0], first.low[1])),
        _ => Some(Flaw::Wide(first.low[0], first.high[0])),
    }
}

/// Wider than half the Earth, but not around all of it as the borders of a map of the world are.
fn is_wide(edge: &Edge) -> bool {
    let width = (edge.high[0] - edge.low[0]).abs();
    width > 180.0 && width < 360.0
}

fn conflict(one: &Segment, other: &Segment) -> Option<Flaw> {
    let (a, b) = (&one.edge, &other.edge);
    if a.high[1] < b.low[1] || b.high[1] < a.low[1] {
        return None;
    }
    let sides = [side(a, b.low), side(a, b.high), side(b, a.low), side(b, a.high)];
    let [a1, a2, b1, b2] = sides;
    if sides.iter().all(|s| *s == Orientation::Collinear) {
        let runs_along = a.low != b.high && a.high != b.low && overlap(a, b);
        return (one.ring == other.ring && runs_along).then(|| Flaw::Overlap(b.low[0], b.low[1]));
    }
    let crosses = !sides.contains(&Orientation::Collinear) && a1 != a2 && b1 != b2;
    crosses.then(|| {
        let [lon, lat] = meeting(a, b);
        Flaw::Crossing(lon, lat)
    })
}

fn side(edge: &Edge, point: [f64; 2]) -> Orientation {
    RobustKernel::orient2d(coord(edge.low), coord(edge.high), coord(point))
}

/// Whether two collinear edges share more than a point.
fn overlap(a: &Edge, b: &Edge) -> bool {
    let key = |p: [f64; 2]| (p[1], p[0]);
    key(a.low) < key(b.high) && key(b.low) < key(a.high)
}

fn meeting(a: &Edge, b: &Edge) -> [f64; 2] {
    let [dx, dy] = [a.high[0] - a.low[0], a.high[1] - a.low[1]];
    let [ex, ey] = [b.high[0] - b.low[0], b.high[1] - b.low[1]];
    let t = ((b.low[0] - a.low[0]) * ey - (b.low[1] - a.low[1]) * ex) / (dx * ey - dy * ex);
    [a.low[0] + t * dx, a.low[1] + t * dy]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_is_fine() {
        let ring = vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]];
        assert_eq!(flaw(&[ring]), None);
    }

    #[test]
    fn a_bow_tie_crosses_itself() {
        let ring = vec![[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
        assert_eq!(flaw(&[ring]), Some(Flaw::Crossing(0.5, 0.5)));
    }

    #[test]
    fn a_spike_runs_along_itself() {
        let ring = vec![[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [3.0, 1.0], [2.0, 1.0], [0.0, 2.0]];
        assert!(matches!(flaw(&[ring]), Some(Flaw::Overlap(..))));
    }

    #[test]
    fn an_outline_over_the_date_line_must_be_cut() {
        let across = vec![[179.0, 0.0], [-179.0, 0.0], [-179.0, 1.0], [179.0, 1.0]];
        assert_eq!(flaw(&[across]), Some(Flaw::Wide(-179.0, 179.0)));
        let east = vec![[179.0, 0.0], [180.0, 0.0], [180.0, 1.0], [179.0, 1.0]];
        let west = vec![[-180.0, 0.0], [-179.0, 0.0], [-179.0, 1.0], [-180.0, 1.0]];
        assert_eq!(flaw(&[east, west]), None);
        let world = vec![[-180.0, -90.0], [180.0, -90.0], [180.0, 90.0], [-180.0, 90.0]];
        assert_eq!(flaw(&[world]), None);
    }

    #[test]
    fn an_outline_over_a_pole_is_told_from_one_over_the_date_line() {
        let around = vec![[0.0, 80.0], [120.0, 80.0], [-120.0, 81.0]];
        assert_eq!(flaw(&[around]), Some(Flaw::Pole(120.0, 80.0)));
        let slantwise = vec![[0.0, 80.0], [10.0, 80.0], [5.0, 90.0]];
        assert_eq!(flaw(&[slantwise]), Some(Flaw::Pole(5.0, 90.0)));
        let coast = vec![[-180.0, -80.0], [0.0, -70.0], [180.0, -80.0], [180.0, -90.0], [-180.0, -90.0]];
        assert_eq!(flaw(&[coast]), None, "along the border of the map it is an outline like any other");
    }

    #[test]
    fn a_line_holds_nothing() {
        assert_eq!(flaw(&[vec![[0.0, 0.0], [1.0, 1.0]]]), Some(Flaw::Empty));
        assert_eq!(flaw(&[]), Some(Flaw::Empty));
    }
}
