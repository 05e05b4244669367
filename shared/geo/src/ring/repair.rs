//! Outlines made valid without a change of what they cover: where an outline is read even–odd as drawn, the repaired one covers
//! the same ground with rings that neither cross nor run along one another.

use super::{Flaw, flaw};
use crate::cover::shape::{Shape, rings};
use std::collections::HashMap;

/// What an outline became.
#[derive(Clone, Debug, PartialEq)]
pub struct Repaired {
    /// Polygons of closed rings, each shell first.
    pub polygons: Vec<Vec<Vec<[f64; 2]>>>,
    /// What was wrong, if rings crossed or ran along themselves.
    pub flaw: Option<Flaw>,
    /// Points that only repeated the one before.
    pub repeated: usize,
    /// Rings that did not end where they began.
    pub unclosed: usize,
}

/// Repairs an outline given as polygons of rings; `None` when it is valid as drawn, or when nothing is left to be repaired
/// ([`Flaw::Empty`]), or when it is no outline on the plane of degrees ([`Flaw::Wide`], [`Flaw::Pole`]).
pub fn repaired(polygons: &[Vec<Vec<[f64; 2]>>]) -> Option<Repaired> {
    let mut found = Repaired { polygons: Vec::new(), flaw: None, repeated: 0, unclosed: 0 };
    for polygon in polygons {
        let ring = |ring: &Vec<[f64; 2]>| tidied(ring, &mut found.repeated, &mut found.unclosed);
        let rings: Vec<Vec<[f64; 2]>> = polygon.iter().map(ring).collect();
        found.polygons.push(rings);
    }
    let all: Vec<Vec<[f64; 2]>> = found.polygons.iter().flatten().cloned().collect();
    match flaw(&all) {
        None if found.repeated + found.unclosed == 0 => None,
        None => Some(found),
        Some(Flaw::Empty | Flaw::Wide(..) | Flaw::Pole(..)) => None,
        known => {
            found.flaw = known;
            found.polygons = as_drawn(&all, Shape::of(&all));
            (!found.polygons.is_empty()).then_some(found)
        }
    }
}

/// A ring without points that repeat the one before, closed.
fn tidied(ring: &[[f64; 2]], repeated: &mut usize, unclosed: &mut usize) -> Vec<[f64; 2]> {
    let mut points = ring.to_vec();
    points.dedup();
    *repeated += ring.len() - points.len();
    if let (Some(first), Some(last)) = (points.first().copied(), points.last())
        && first != *last
    {
        *unclosed += 1;
        points.push(first);
    }
    points
}

/// Points that were drawn stand where they were drawn, to the last bit: neighbours share them.
fn as_drawn(drawn: &[Vec<[f64; 2]>], shape: Shape) -> Vec<Vec<Vec<[f64; 2]>>> {
    let [mut west, mut south, mut east, mut north] = [f64::MAX, f64::MAX, f64::MIN, f64::MIN];
    for [lon, lat] in drawn.iter().flatten() {
        (west, south) = (west.min(*lon), south.min(*lat));
        (east, north) = (east.max(*lon), north.max(*lat));
    }
    // The sweep rounds to some 2^-30 of the width.
    let cell = ((east - west).max(north - south) * 2f64.powi(-26)).max(f64::MIN_POSITIVE);
    let key = |[lon, lat]: [f64; 2]| [((lon - west) / cell).round() as i64, ((lat - south) / cell).round() as i64];
    let known: HashMap<[i64; 2], [f64; 2]> = drawn.iter().flatten().map(|point| (key(*point), *point)).collect();
    let near = |point: [f64; 2]| {
        let [x, y] = key(point);
        let cells = (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| [x + dx, y + dy]));
        let found = cells.filter_map(|cell| known.get(&cell));
        let off = |other: &&[f64; 2]| (other[0] - point[0]).hypot(other[1] - point[1]);
        found.min_by(|a, b| off(a).total_cmp(&off(b))).copied().filter(|other| off(&other) < cell).unwrap_or(point)
    };
    let ring = |ring: Vec<[f64; 2]>| ring.into_iter().map(near).collect();
    shape.0.iter().map(|polygon| rings(polygon).into_iter().map(ring).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::contains;
    use proptest::prelude::*;

    fn one(ring: &[[f64; 2]]) -> Vec<Vec<Vec<[f64; 2]>>> {
        vec![vec![ring.to_vec()]]
    }

    #[test]
    fn a_valid_outline_is_left_alone() {
        assert_eq!(repaired(&one(&[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])), None);
        assert_eq!(repaired(&one(&[[0.0, 0.0], [1.0, 1.0]])), None, "nothing to be repaired");
    }

    #[test]
    fn a_bow_tie_becomes_two_triangles_of_the_points_that_were_drawn() {
        let drawn = [[121.1, 31.1], [121.3, 31.3], [121.3, 31.1], [121.1, 31.3], [121.1, 31.1]];
        let found = repaired(&one(&drawn)).unwrap();
        assert!(matches!(found.flaw, Some(Flaw::Crossing(..))), "{found:?}");
        assert_eq!((found.polygons.len(), found.repeated, found.unclosed), (2, 0, 0));
        for polygon in &found.polygons {
            assert_eq!(flaw(polygon), None);
            let new: Vec<_> = polygon[0].iter().filter(|point| !drawn.contains(point)).collect();
            assert_eq!(new.len(), 1, "the crossing alone was not drawn: {polygon:?}");
        }
    }

    #[test]
    fn a_spike_goes_and_what_repeats_itself_or_stays_open_is_said() {
        let spike = [[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [3.0, 1.0], [2.0, 1.0], [2.0, 2.0], [0.0, 2.0], [0.0, 0.0]];
        let found = repaired(&one(&spike)).unwrap();
        assert!(matches!(found.flaw, Some(Flaw::Overlap(..))), "{found:?}");
        assert!(found.polygons.iter().flatten().flatten().all(|point| point[0] <= 2.0), "{found:?}");
        let open = [[0.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 1.0]];
        let found = repaired(&one(&open)).unwrap();
        assert_eq!((found.flaw, found.repeated, found.unclosed), (None, 1, 1));
        assert_eq!(found.polygons, one(&[[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 0.0]]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Whatever was drawn: what is repaired is valid and covers what the even–odd reading did, away from its edges.
        #[test]
        fn the_ground_stays_the_same(rings in prop::collection::vec(prop::collection::vec([0..16i32, 0..16i32], 3..9), 1..4)) {
            let degrees = |p: &[i32; 2]| [f64::from(p[0]) / 16.0, f64::from(p[1]) / 16.0];
            let drawn: Vec<Vec<[f64; 2]>> = rings.iter().map(|ring| ring.iter().map(degrees).collect()).collect();
            let Some(found) = repaired(std::slice::from_ref(&drawn)) else { return Ok(()) };
            let flat: Vec<Vec<[f64; 2]>> = found.polygons.into_iter().flatten().collect();
            prop_assert!(found.flaw.is_none() || flaw(&flat).is_none(), "{:?} of {:?}", flaw(&flat), drawn);
            for x in 0..40 {
                for y in 0..40 {
                    // Off every line through points of the lattice that could be an edge, by more than rounding.
                    let point = [f64::from(x) / 39.7 + 0.000_317, f64::from(y) / 39.3 + 0.000_731];
                    if !on_edge(&drawn, point) {
                        prop_assert_eq!(contains(&flat, point), contains(&drawn, point), "{:?} at {:?}", drawn, point);
                    }
                }
            }
        }
    }

    fn on_edge(rings: &[Vec<[f64; 2]>], point: [f64; 2]) -> bool {
        rings.iter().flat_map(|ring| crate::ring::edges(ring)).any(|edge| crate::ring::off(&edge, point) < 1e-6)
    }
}
