//! Fences: circles, polygons and strips along a line that a position is inside of or not.

mod shape_index;
mod way_index;

pub use shape_index::{STEPS, ShapeIndex};
pub use way_index::WayIndex;

use crate::{distance_m, metres_per_degree, offset_m, ring};
use geo::{Intersects, Line, coord};

/// The geometry of a fence, ready for many positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Fence {
    kind: Kind,
    bounds: [f64; 4],
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Circle { centre: [f64; 2], radius_m: f64 },
    Polygon(Vec<Vec<[f64; 2]>>),
    Strip { ends: [[f64; 2]; 2], half_width_m: f64 },
}

impl Fence {
    /// Everything at most `radius_m` metres from `centre`.
    pub fn circle(centre: [f64; 2], radius_m: f64) -> Self {
        Self { kind: Kind::Circle { centre, radius_m }, bounds: circle_bounds(centre, radius_m) }
    }

    /// Everything inside the rings, even–odd.
    pub fn polygon(rings: Vec<Vec<[f64; 2]>>) -> Self {
        // Without points nothing is inside: bounds that hold no point.
        let bounds = ring::bounds(&rings).unwrap_or([1.0, 1.0, -1.0, -1.0]);
        Self { kind: Kind::Polygon(rings), bounds }
    }

    /// Everything at most `half_width_m` metres from the straight line between two points less than 180 degrees apart. Lines of
    /// several pieces are several strips.
    pub fn strip(ends: [[f64; 2]; 2], half_width_m: f64) -> Self {
        let [from, to] = ends.map(|end| circle_bounds(end, half_width_m));
        let bounds = [from[0].min(to[0]), from[1].min(to[1]), from[2].max(to[2]), from[3].max(to[3])];
        Self { kind: Kind::Strip { ends, half_width_m }, bounds }
    }

    /// `[west, south, east, north]`; a circle's may leave −180…180.
    pub fn bounds(&self) -> [f64; 4] {
        self.bounds
    }

    /// Whether the position is inside.
    #[inline]
    pub fn contains(&self, position: [f64; 2]) -> bool {
        let [west, south, east, north] = self.bounds;
        let [lon, lat] = [ring::one_name(position[0]), position[1]];
        match &self.kind {
            Kind::Circle { centre, radius_m } => {
                let turned = west < -180.0 || east > 180.0;
                let outside_lon = !turned && (lon < west || lon > east);
                !(lat < south || lat > north || outside_lon) && distance_m(*centre, position) <= *radius_m
            }
            Kind::Polygon(rings) => {
                lon >= west && lon <= east && lat >= south && lat <= north && ring::contains(rings, position)
            }
            Kind::Strip { ends: [a, b], half_width_m } => {
                lon >= west
                    && lon <= east
                    && lat >= south
                    && lat <= north
                    && segment_distance_m(position, *a, *b) <= *half_width_m
            }
        }
    }

    /// Distance from the position to the fence's border in metres, whether inside or outside. For polygons on the plane
    /// that touches the Earth at the position: good to a few per mille within 100 km.
    pub fn border_distance_m(&self, position: [f64; 2]) -> f64 {
        match &self.kind {
            Kind::Circle { centre, radius_m } => (distance_m(*centre, position) - radius_m).abs(),
            Kind::Polygon(rings) => rings
                .iter()
                .flat_map(|ring| ring::edges(ring))
                .map(|edge| segment_distance_m(position, edge.low, edge.high))
                .fold(f64::INFINITY, f64::min),
            Kind::Strip { ends: [a, b], half_width_m } => (segment_distance_m(position, *a, *b) - half_width_m).abs(),
        }
    }

    /// How far a position lies outside, in metres; 0 inside.
    pub fn outside_m(&self, position: [f64; 2]) -> f64 {
        if self.contains(position) { 0.0 } else { self.border_distance_m(position) }
    }

    /// Whether the straight way between two positions, less than 180 degrees apart, touches the fence anywhere.
    pub fn meets(&self, from: [f64; 2], to: [f64; 2]) -> bool {
        if self.contains(from) || self.contains(to) {
            return true;
        }
        match &self.kind {
            Kind::Circle { centre, radius_m } => segment_distance_m(*centre, from, to) <= *radius_m,
            Kind::Polygon(rings) => {
                let way = line(from, to);
                rings.iter().flat_map(|ring| ring::edges(ring)).any(|edge| line(edge.low, edge.high).intersects(&way))
            }
            Kind::Strip { ends: [a, b], half_width_m } => {
                let apart = [
                    segment_distance_m(from, *a, *b),
                    segment_distance_m(to, *a, *b),
                    segment_distance_m(*a, from, to),
                    segment_distance_m(*b, from, to),
                ];
                line(*a, *b).intersects(&line(from, to)) || apart.iter().any(|metres| metres <= half_width_m)
            }
        }
    }

    /// Rings that hold the whole fence, for candidates: the polygon itself, or a polygon around a circle or a strip.
    pub fn outline(&self) -> Vec<Vec<[f64; 2]>> {
        match &self.kind {
            Kind::Circle { centre, radius_m } => vec![around_circle(*centre, *radius_m)],
            Kind::Polygon(rings) => rings.clone(),
            Kind::Strip { .. } => {
                let [west, south, east, north] = self.bounds;
                vec![vec![[west, south], [east, south], [east, north], [west, north]]]
            }
        }
    }

    /// Whether its outline only holds it, so that a candidate must be measured.
    fn is_measured(&self) -> bool {
        !matches!(self.kind, Kind::Polygon(_))
    }
}

/// Corners of the polygon around a circle.
const CORNERS: u32 = 32;

fn around_circle(centre: [f64; 2], radius_m: f64) -> Vec<[f64; 2]> {
    let half_angle = std::f64::consts::PI / f64::from(CORNERS);
    // So far out that the sides touch the circle, and a hundredth more for the bend of the Earth.
    let reach = radius_m / half_angle.cos() * 1.01;
    (0..=CORNERS)
        .map(|corner| {
            let bearing = 360.0 * f64::from(corner % CORNERS) / f64::from(CORNERS);
            offset_m(centre, bearing, reach)
        })
        .collect()
}

fn circle_bounds(centre: [f64; 2], radius_m: f64) -> [f64; 4] {
    let [lon, lat] = centre;
    let [_, lat_metres] = metres_per_degree(lat);
    // A hundredth more than needed, so that rounding never cuts the circle.
    let reach_lat = radius_m * 1.01 / lat_metres;
    let widest = lat.abs() + reach_lat;
    if widest >= 89.0 {
        return [-360.0, lat - reach_lat, 360.0, lat + reach_lat];
    }
    let [lon_metres, _] = metres_per_degree(widest);
    let reach_lon = radius_m * 1.01 / lon_metres;
    [lon - reach_lon, lat - reach_lat, lon + reach_lon, lat + reach_lat]
}

fn line(from: [f64; 2], to: [f64; 2]) -> Line {
    Line::new(coord! { x: from[0], y: from[1] }, coord! { x: to[0], y: to[1] })
}

fn segment_distance_m(from: [f64; 2], a: [f64; 2], b: [f64; 2]) -> f64 {
    let [per_lon, per_lat] = metres_per_degree(from[1]);
    let flat = |p: [f64; 2]| [(p[0] - from[0]) * per_lon, (p[1] - from[1]) * per_lat];
    let [ax, ay] = flat(a);
    let [bx, by] = flat(b);
    let [dx, dy] = [bx - ax, by - ay];
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (-(ax * dx + ay * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (ax + along * dx).hypot(ay + along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_holds_what_is_near() {
        let fence = Fence::circle([121.47, 31.23], 500.0);
        for bearing in 0..72 {
            let bearing = f64::from(bearing) * 5.0;
            assert!(fence.contains(offset_m([121.47, 31.23], bearing, 499.9)));
            assert!(!fence.contains(offset_m([121.47, 31.23], bearing, 500.1)));
        }
        assert!((fence.border_distance_m([121.47, 31.23]) - 500.0).abs() < 1e-6);
    }

    #[test]
    fn a_circle_over_the_date_line_is_round() {
        let fence = Fence::circle([179.999, 0.0], 1000.0);
        assert!(fence.contains([-179.999, 0.0]));
        assert!(!fence.contains([-179.9, 0.0]));
    }

    #[test]
    fn a_strip_holds_what_is_near_its_line() {
        let ends = [[121.47, 31.23], [121.48, 31.24]];
        let strip = Fence::strip(ends, 50.0);
        for along in [0.0, 0.3, 1.0] {
            let on = [121.47 + 0.01 * along, 31.23 + 0.01 * along];
            assert!(strip.contains(on));
            for bearing in [315.0, 135.0] {
                // The line runs at about 40 degrees here, so not quite across it.
                assert!(strip.contains(offset_m(on, bearing, 49.0)) && !strip.contains(offset_m(on, bearing, 52.0)));
            }
        }
        assert!(!strip.contains(offset_m(ends[0], 220.0, 50.5)) && strip.contains(offset_m(ends[0], 220.0, 49.5)));
        assert!((strip.outside_m(offset_m(ends[0], 220.0, 80.0)) - 30.0).abs() < 0.5);
        assert!(strip.outside_m(ends[0]) == 0.0);
    }

    #[test]
    fn a_way_meets_what_it_leads_in_out_of_through_or_along() {
        let [west, east] = [[121.469, 31.23], [121.471, 31.23]];
        let square = |hole: bool| {
            let ring = |half: f64| {
                vec![[-half, -half], [half, -half], [half, half], [-half, half]]
                    .into_iter()
                    .map(|[x, y]: [f64; 2]| [121.47 + x, 31.23 + y])
                    .collect::<Vec<_>>()
            };
            Fence::polygon(if hole { vec![ring(0.0005), ring(0.0003)] } else { vec![ring(0.0005)] })
        };
        let across = [[121.47, 31.0], [121.47, 31.5]];
        for fence in [Fence::circle([121.47, 31.23], 40.0), square(false), square(true), Fence::strip(across, 8.0)] {
            assert!(fence.meets(west, east) && fence.meets(east, west), "through");
            assert!(fence.meets(west, [121.47, 31.23]) || fence == square(true), "in");
            assert!(!fence.meets(west, [121.4694, 31.23]), "short of it");
            assert!(!fence.meets([121.469, 31.229], [121.469, 31.231]), "past it");
        }
        // Within a hole, and from the hole out.
        assert!(!square(true).meets([121.4699, 31.23], [121.4701, 31.23]) && square(true).meets([121.47, 31.23], east));
        // Alongside a strip, nearer than its reach and farther; and past its end.
        let strip = Fence::strip([[121.47, 31.23], [121.47, 31.24]], 10.0);
        let beside = |metres: f64| [offset_m([121.47, 31.232], 90.0, metres), offset_m([121.47, 31.238], 90.0, metres)];
        assert!(strip.meets(beside(9.5)[0], beside(9.5)[1]) && !strip.meets(beside(10.5)[0], beside(10.5)[1]));
        assert!(!strip.meets(offset_m([121.47, 31.24], 0.0, 15.0), offset_m([121.47, 31.24], 90.0, 15.0)));
    }

    #[test]
    fn a_polygon_knows_its_border() {
        let ring = vec![[0.0, 0.0], [0.01, 0.0], [0.01, 0.01], [0.0, 0.01]];
        let fence = Fence::polygon(vec![ring]);
        assert!(fence.contains([0.005, 0.005]));
        assert!(!fence.contains([0.011, 0.005]));
        assert!((fence.border_distance_m([0.005, 0.005]) - 556.0).abs() < 1.0);
        assert!(!Fence::polygon(Vec::new()).contains([0.0, 0.0]));
    }
}
