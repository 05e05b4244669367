//! An area ready for the sweep: shells counter-clockwise, holes clockwise, no ring crosses another.

use super::Place;
use crate::{
    ring::{coord, flaw, label_point},
    surface::signed_area_m2,
};
use geo::{BooleanOps, LineString, MultiPolygon, Polygon};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

pub(super) type Bounds = AABB<[f64; 2]>;
pub(super) type Tree = RTree<GeomWithData<Rectangle<[f64; 2]>, u32>>;

/// What an area covers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape(pub(crate) Vec<Polygon<f64>>);

impl Shape {
    /// Reads rings even–odd.
    pub(crate) fn of(rings: &[Vec<[f64; 2]>]) -> Self {
        let line = |ring: &Vec<[f64; 2]>, turned: bool| -> LineString<f64> {
            let points = ring.iter().map(|point| coord(*point));
            if turned { points.rev().collect() } else { points.collect() }
        };
        match rings {
            [] => Self::default(),
            // Nothing to be done but to wind it: most areas are like that, and each sweep costs.
            [ring] if flaw(rings).is_none() => {
                Self(vec![Polygon::new(line(ring, signed_area_m2(ring) < 0.0), Vec::new())])
            }
            _ => {
                let drawn = rings.iter().map(|ring| Polygon::new(line(ring, false), Vec::new())).collect();
                Self(MultiPolygon::new(drawn).union(&nothing()).0)
            }
        }
    }

    pub(super) fn multi(&self) -> MultiPolygon<f64> {
        MultiPolygon::new(self.0.clone())
    }

    pub(super) fn bounds(&self) -> Option<Bounds> {
        self.0.iter().map(bounds).reduce(|a, b| {
            let [low, high] = [[a.lower(), b.lower()], [a.upper(), b.upper()]];
            AABB::from_corners(
                [low[0][0].min(low[1][0]), low[0][1].min(low[1][1])],
                [high[0][0].max(high[1][0]), high[0][1].max(high[1][1])],
            )
        })
    }
}

pub(super) fn nothing() -> MultiPolygon<f64> {
    MultiPolygon::new(Vec::new())
}

pub(super) fn bounds(polygon: &Polygon<f64>) -> Bounds {
    let points: Vec<[f64; 2]> = polygon.exterior().coords().map(|point| [point.x, point.y]).collect();
    AABB::from_points(&points)
}

/// Bounds of the areas that cover anything.
pub(super) fn tree(shapes: &[Shape]) -> Tree {
    let boxed = |(number, shape): (u32, &Shape)| {
        let bounds = shape.bounds()?;
        Some(GeomWithData::new(Rectangle::from_corners(bounds.lower(), bounds.upper()), number))
    };
    RTree::bulk_load((0u32..).zip(shapes).filter_map(boxed).collect())
}

/// Rings as numbers, shell first.
pub(crate) fn rings(polygon: &Polygon<f64>) -> Vec<Vec<[f64; 2]>> {
    let ring = |line: &LineString<f64>| line.coords().map(|point| [point.x, point.y]).collect();
    std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(ring).collect()
}

/// Surface in m², holes taken off.
pub(super) fn area_m2(polygon: &Polygon<f64>) -> f64 {
    let rings = rings(polygon);
    let mut areas = rings.iter().map(|ring| signed_area_m2(ring).abs());
    let shell = areas.next().unwrap_or_default();
    shell - areas.sum::<f64>()
}

/// The place a polygon is, if it has that surface.
pub(super) fn place(polygon: &Polygon<f64>, least_m2: f64) -> Option<Place> {
    let area_m2 = area_m2(polygon);
    let at = if area_m2 < least_m2 { None } else { label_point(&rings(polygon)) }?;
    Some(Place { area_m2, at })
}
