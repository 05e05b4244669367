//! An area's outline as the map needs it: Web Mercator with the world as 0..1, west and north first.

use gridwarden_domain::layer::Polygons;
use gridwarden_geo::ring;
use std::f64::consts::PI;

/// Latitude beyond which the map ends.
const MOST_LAT: f64 = 85.051_128;

/// Degrees to the world square.
pub fn project([lon, lat]: [f64; 2]) -> [f64; 2] {
    let sin = lat.clamp(-MOST_LAT, MOST_LAT).to_radians().sin();
    [(lon + 180.0) / 360.0, 0.5 - ((1.0 + sin) / (1.0 - sin)).ln() / (4.0 * PI)]
}

/// The world square to degrees.
pub fn unproject([x, y]: [f64; 2]) -> [f64; 2] {
    [x * 360.0 - 180.0, ((1.0 - 2.0 * y) * PI).sinh().atan().to_degrees()]
}

/// Rings per polygon in the world square.
pub type Rings = Vec<Vec<Vec<[f64; 2]>>>;

/// An outline and what follows from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// Polygons, each outline first, then holes.
    pub polygons: Rings,
    /// `[west, north, east, south]` in the world square.
    pub frame: [f64; 4],
    /// Where its name goes, in the world square.
    pub label: [f64; 2],
}

impl Shape {
    /// From degrees. `None` when there is no ring of three points.
    pub fn from_degrees(polygons: &Polygons) -> Option<Self> {
        let rings = |polygon: &Vec<Vec<[f64; 2]>>| polygon.iter().map(|ring| open(ring)).collect();
        Self::new(polygons.iter().map(rings).collect())
    }

    /// From rings in the world square.
    pub fn new(mut polygons: Rings) -> Option<Self> {
        for polygon in &mut polygons {
            polygon.retain(|ring| ring.len() >= 3);
        }
        polygons.retain(|polygon| !polygon.is_empty());
        let rings: Vec<Vec<[f64; 2]>> = polygons.iter().flatten().cloned().collect();
        let frame = ring::bounds(&rings)?;
        let middle = [(frame[0] + frame[2]) / 2.0, (frame[1] + frame[3]) / 2.0];
        let label = ring::label_point(&rings).unwrap_or(middle);
        Some(Self { polygons, frame, label })
    }

    /// `[west, south, east, north]` in degrees.
    pub fn bounds(&self) -> [f64; 4] {
        let [west, north] = unproject([self.frame[0], self.frame[1]]);
        let [east, south] = unproject([self.frame[2], self.frame[3]]);
        [west, south, east, north]
    }
}

/// Projects a ring and drops its closing point.
fn open(ring: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut points: Vec<[f64; 2]> = ring.iter().copied().map(project).collect();
    if points.len() > 1 && points.first() == points.last() {
        points.pop();
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_corners_of_the_world() {
        assert_eq!(project([-180.0, 0.0]), [0.0, 0.5]);
        let [x, y] = project([180.0, 90.0]);
        assert!((x - 1.0).abs() < 1e-12 && y.abs() < 1e-6);
    }

    #[test]
    fn a_square_has_its_frame_and_its_label_inside() {
        let ring = vec![[121.0, 31.0], [121.1, 31.0], [121.1, 31.1], [121.0, 31.1], [121.0, 31.0]];
        let shape = Shape::from_degrees(&vec![vec![ring]]).expect("shape");
        assert_eq!(shape.polygons[0][0].len(), 4);
        let [west, south, east, north] = shape.bounds();
        assert!((west - 121.0).abs() < 1e-9 && (north - 31.1).abs() < 1e-9);
        let [lon, lat] = unproject(shape.label);
        assert!(west < lon && lon < east && south < lat && lat < north);
        assert_eq!(Shape::from_degrees(&vec![vec![vec![[1.0, 1.0], [2.0, 2.0]]]]), None);
    }

    proptest! {
        #[test]
        fn there_and_back(lon in -180.0..180.0f64, lat in -85.0..85.0f64) {
            let [x, y] = unproject(project([lon, lat]));
            prop_assert!((x - lon).abs() < 1e-9 && (y - lat).abs() < 1e-9);
        }
    }
}
