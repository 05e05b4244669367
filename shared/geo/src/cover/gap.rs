//! Ground that areas surround, or that an area above holds, and that none of them covers.

use super::{Cover, Place, shape};
use crate::ring::{edges, off};
use geo::bool_ops::FillRule;
use geo::{BooleanOps, MultiPolygon, Polygon};
use rstar::AABB;

/// A place that is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Where.
    pub place: Place,
    /// Numbers of the areas that border it, rising.
    pub beside: Vec<u32>,
}

/// An outline this near, in degrees (about 10 cm), borders a gap.
const BESIDE: f64 = 1e-6;

/// Every place of `least_m2` m² or more that no area covers and that they surround or `above` holds, largest first.
pub fn gaps(cover: &Cover, above: &[Vec<Vec<[f64; 2]>>], least_m2: f64) -> Vec<Gap> {
    let covered = union(cover.shapes.iter().flat_map(|shape| shape.0.iter().cloned()));
    let above = above.iter().flat_map(|rings| shape::Shape::of(rings).0);
    let ground = filled(&union(covered.0.iter().cloned().chain(above)));
    let missing = ground.difference(&covered);
    let gap = |polygon: &Polygon<f64>| {
        let place = shape::place(polygon, least_m2)?;
        Some(Gap { place, beside: beside(cover, polygon) })
    };
    let mut gaps: Vec<Gap> = missing.0.iter().filter_map(gap).collect();
    gaps.sort_by(|a, b| b.place.area_m2.total_cmp(&a.place.area_m2));
    gaps
}

fn union(polygons: impl Iterator<Item = Polygon<f64>>) -> MultiPolygon<f64> {
    MultiPolygon::new(polygons.collect()).union_with_fill_rule(&shape::nothing(), FillRule::NonZero)
}

/// Without holes.
fn filled(ground: &MultiPolygon<f64>) -> MultiPolygon<f64> {
    union(ground.0.iter().map(|polygon| Polygon::new(polygon.exterior().clone(), Vec::new())))
}

fn beside(cover: &Cover, gap: &Polygon<f64>) -> Vec<u32> {
    let bounds = shape::bounds(gap);
    let ([west, south], [east, north]) = (bounds.lower(), bounds.upper());
    let wide = AABB::from_corners([west - BESIDE, south - BESIDE], [east + BESIDE, north + BESIDE]);
    let corners: Vec<[f64; 2]> = shape::rings(gap).into_iter().flatten().collect();
    let borders = |number: &u32| {
        let polygons = cover.shape(*number).map_or(&[][..], |shape| &shape.0);
        let rings: Vec<Vec<[f64; 2]>> = polygons.iter().flat_map(shape::rings).collect();
        let mut outline = rings.iter().flat_map(|ring| edges(ring));
        outline.any(|edge| corners.iter().any(|corner| off(&edge, *corner) < BESIDE))
    };
    cover.near(&wide).into_iter().filter(borders).collect()
}
