//! How areas cover the ground together: where two of them do at once, where none does, what leaves the area above it.
//!
//! For people who mend maps, not for look-up: figures of the sweep are rounded to about a billionth of the map's width, so
//! what is asked for has a least size and what is smaller is not told. Knows numbers of areas, no names and no times.
//!
//! Invariants:
//! * `GEO-4` A place is told when its surface is `least_m2` or more, whoever shares it; an outline that crosses itself is taken
//!   even–odd, as look-up takes it.
//! * One sweep over all edges finds the places; pairs of areas are only looked at near those.

mod gap;
mod outside;
mod overlap;
pub(crate) mod shape;

pub use gap::{Gap, gaps};
pub use outside::{Outside, outside};
pub use overlap::{Overlap, overlaps};

use shape::Shape;

/// A connected place on the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Its surface in m².
    pub area_m2: f64,
    /// A point in it, `[lon, lat]`.
    pub at: [f64; 2],
}

/// Areas made ready to be compared: each by its number in the list it was made of. An area without rings covers nothing.
pub struct Cover {
    shapes: Vec<Shape>,
    tree: shape::Tree,
}

impl Cover {
    /// Takes areas as rings, even–odd over all rings of an area.
    pub fn new(areas: &[Vec<Vec<[f64; 2]>>]) -> Self {
        let shapes: Vec<Shape> = areas.iter().map(|rings| Shape::of(rings)).collect();
        let tree = shape::tree(&shapes);
        Self { shapes, tree }
    }

    /// Numbers of the areas whose bounds meet these, rising.
    fn near(&self, bounds: &shape::Bounds) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.tree.locate_in_envelope_intersecting(bounds).map(|found| found.data).collect();
        numbers.sort_unstable();
        numbers
    }

    fn shape(&self, number: u32) -> Option<&Shape> {
        self.shapes.get(number as usize)
    }
}

#[cfg(test)]
mod tests;
