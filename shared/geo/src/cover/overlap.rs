//! Where two areas cover the same ground.

use super::{Cover, Place, shape};
use geo::bool_ops::FillRule;
use geo::{BooleanOps, LineString, MultiPolygon, Polygon, coord};

/// Two areas over one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// Numbers of the areas, the smaller one first.
    pub areas: [u32; 2],
    /// Where.
    pub place: Place,
}

/// Every place of `least_m2` m² or more that two areas cover, ordered by the areas; at most `most`, so that areas which were
/// never meant to lie side by side do not take for ever.
pub fn overlaps(cover: &Cover, least_m2: f64, most: usize) -> Vec<Overlap> {
    let mut found = Vec::new();
    for piece in &twice(cover) {
        if found.len() >= most {
            break;
        }
        if shape::area_m2(piece) >= least_m2 {
            pairs(cover, piece, least_m2, most, &mut found);
        }
    }
    found.sort_by_key(|overlap| overlap.areas);
    found.truncate(most);
    found
}

/// The ground that more than one area covers. Every area winds once about its ground; a frame that winds the other way about
/// all of them takes one off, and what is left above nothing is covered twice.
fn twice(cover: &Cover) -> MultiPolygon<f64> {
    let mut all: Vec<Polygon<f64>> = cover.shapes.iter().flat_map(|shape| shape.0.iter().cloned()).collect();
    let envelope = cover.tree.root().envelope();
    let ([west, south], [east, north]) = (envelope.lower(), envelope.upper());
    if all.len() < 2 || west > east {
        return shape::nothing();
    }
    let [w, h] = [(east - west) * 0.001, (north - south) * 0.001];
    let (west, south, east, north) = (west - w, south - h, east + w, north + h);
    let frame: LineString<f64> = [(west, south), (west, north), (east, north), (east, south)]
        .into_iter()
        .map(|(x, y)| coord! { x: x, y: y })
        .collect();
    all.push(Polygon::new(frame, Vec::new()));
    MultiPolygon::new(all).union_with_fill_rule(&shape::nothing(), FillRule::Positive)
}

/// Who covers a piece together.
fn pairs(cover: &Cover, piece: &Polygon<f64>, least_m2: f64, most: usize, found: &mut Vec<Overlap>) {
    let covers = |number: &u32| {
        let part = cover.shape(*number)?.multi().intersection(piece);
        let shared = part.0.iter().map(shape::area_m2).fold(0.0, f64::max);
        (shared >= least_m2).then_some((*number, part))
    };
    let parts: Vec<(u32, MultiPolygon<f64>)> = cover.near(&shape::bounds(piece)).iter().filter_map(covers).collect();
    for (place, (one, part)) in parts.iter().enumerate() {
        for (other, rest) in parts.iter().skip(place + 1) {
            if found.len() >= most {
                return;
            }
            let shared = part.intersection(rest);
            let places = shared.0.iter().filter_map(|polygon| shape::place(polygon, least_m2));
            found.extend(places.map(|place| Overlap { areas: [*one, *other], place }));
        }
    }
}
