//! Outlines of a layer's areas, one behind the other: for whoever keeps them by the ten thousand and draws none of them.
//!
//! It refuses to know polygons: an area is its rings, and what lies inside an odd number of them is inside.

use crate::layer::Area;

/// Rings of areas, by the area's place.
#[derive(Default)]
pub(super) struct Outlines {
    points: Vec<[f64; 2]>,
    /// Where each ring ends among the points.
    ring_ends: Vec<u32>,
    /// Where each area ends among the rings.
    area_ends: Vec<u32>,
}

impl Outlines {
    /// Takes the outlines of areas away from them. There are at most [`MAX_POINTS`](super::MAX_POINTS) points.
    pub(super) fn taken_from(areas: &mut [Area]) -> Self {
        let mut outlines = Self::default();
        for area in areas {
            for ring in area.polygons.take().iter().flatten().flatten() {
                outlines.points.extend_from_slice(ring);
                outlines.ring_ends.push(outlines.points.len() as u32);
            }
            outlines.area_ends.push(outlines.ring_ends.len() as u32);
        }
        outlines.points.shrink_to_fit();
        outlines.ring_ends.shrink_to_fit();
        outlines.area_ends.shrink_to_fit();
        outlines
    }

    /// The rings of an area; none of one that has no outline, or does not exist.
    pub(super) fn rings(&self, area: u32) -> Vec<Vec<[f64; 2]>> {
        let rings = span(&self.area_ends, area as usize);
        rings.map(|ring| self.points.get(span(&self.ring_ends, ring)).unwrap_or_default().to_vec()).collect()
    }
}

/// From the end of the one before to its own.
fn span(ends: &[u32], place: usize) -> std::ops::Range<usize> {
    let end = |place: usize| ends.get(place).copied().unwrap_or(0) as usize;
    let from = place.checked_sub(1).map_or(0, end);
    from..end(place).max(from)
}
