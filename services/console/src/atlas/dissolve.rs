//! Outlines for areas that have none of their own: the union of what lies in them. For drawing only; what lies inside an
//! area follows from its leaves.

use super::shape::{Rings, Shape};
use geo::algorithm::bool_ops::unary_union;
use geo::{Coord, LineString, MultiPolygon, Polygon};

fn ring(points: &[[f64; 2]]) -> LineString<f64> {
    LineString(points.iter().map(|[x, y]| Coord { x: *x, y: *y }).collect())
}

fn polygons(shape: &Shape) -> impl Iterator<Item = Polygon<f64>> + '_ {
    shape.polygons.iter().filter_map(|rings| {
        let (outline, holes) = rings.split_first()?;
        Some(Polygon::new(ring(outline), holes.iter().map(|hole| ring(hole)).collect()))
    })
}

fn points(line: &LineString<f64>) -> Vec<[f64; 2]> {
    let mut points: Vec<[f64; 2]> = line.0.iter().map(|coord| [coord.x, coord.y]).collect();
    if points.len() > 1 && points.first() == points.last() {
        points.pop();
    }
    points
}

/// The union of shapes; `None` when nothing is left.
pub fn dissolve<'a>(shapes: impl IntoIterator<Item = &'a Shape>) -> Option<Shape> {
    let parts: Vec<Polygon<f64>> = shapes.into_iter().flat_map(polygons).collect();
    if parts.is_empty() {
        return None;
    }
    let whole: MultiPolygon<f64> = unary_union(&parts);
    let rings: Rings = whole
        .iter()
        .map(|polygon| {
            std::iter::once(points(polygon.exterior())).chain(polygon.interiors().iter().map(points)).collect()
        })
        .collect();
    Shape::new(rings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(west: f64, north: f64) -> Shape {
        let [east, south] = [west + 0.1, north + 0.1];
        Shape::new(vec![vec![vec![[west, north], [east, north], [east, south], [west, south]]]]).expect("square")
    }

    #[test]
    fn neighbours_become_one_without_an_inner_border() {
        let whole = dissolve([&square(0.1, 0.1), &square(0.2, 0.1)]).expect("union");
        assert_eq!(whole.polygons.len(), 1);
        assert_eq!(whole.polygons[0].len(), 1);
        let [west, north, east, south] = whole.frame;
        assert!((west - 0.1).abs() < 1e-9 && (north - 0.1).abs() < 1e-9);
        assert!((east - 0.3).abs() < 1e-9 && (south - 0.2).abs() < 1e-9);
    }

    #[test]
    fn what_does_not_touch_stays_apart() {
        assert_eq!(dissolve([&square(0.1, 0.1), &square(0.5, 0.5)]).expect("union").polygons.len(), 2);
        assert_eq!(dissolve([]), None);
    }
}
