//! What leaves the area above it.

use super::{Cover, Place, shape};
use geo::bool_ops::FillRule;
use geo::{BooleanOps, MultiPolygon, Polygon};

/// A place of an area that lies outside of the one above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outside {
    /// Number of the area.
    pub area: u32,
    /// Where.
    pub place: Place,
}

/// Every place of `least_m2` m² or more that an area covers outside of `above`, ordered by area.
pub fn outside(cover: &Cover, above: &[Vec<[f64; 2]>], least_m2: f64) -> Vec<Outside> {
    let all: Vec<Polygon<f64>> = cover.shapes.iter().flat_map(|shape| shape.0.iter().cloned()).collect();
    let above = MultiPolygon::new(shape::Shape::of(above).0);
    // All at once, and only what leaves is looked at area by area.
    let leaving = MultiPolygon::new(all).difference_with_fill_rule(&above, FillRule::NonZero);
    let mut found = Vec::new();
    for piece in leaving.0.iter().filter(|piece| shape::area_m2(piece) >= least_m2) {
        for number in cover.near(&shape::bounds(piece)) {
            let Some(area) = cover.shape(number) else { continue };
            let part = area.multi().intersection(piece);
            let places = part.0.iter().filter_map(|polygon| shape::place(polygon, least_m2));
            found.extend(places.map(|place| Outside { area: number, place }));
        }
    }
    found.sort_by_key(|outside| outside.area);
    found
}
