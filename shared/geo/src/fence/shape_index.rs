//! Many fences at once: what a position costs does not grow with the fences that are nowhere near it.

use super::Fence;
use crate::{Ahead, AreaIndex, BuildError, IndexOptions, index::BareGround};

/// So many steps [`ShapeIndex::ask_next`] knows.
pub const STEPS: u8 = 3;

/// Fences, found by position. A polygon's answer is the area index's; circles and strips are looked up by a polygon around them
/// and then measured.
pub struct ShapeIndex {
    fences: Vec<Fence>,
    index: AreaIndex,
    /// Fences leave most of the ground bare.
    bare: BareGround,
    /// Whether a fence takes more than the raster's answer, a bit each.
    measured: Vec<u64>,
    /// Fences a raster cannot hold (over the date line or a pole): asked one by one.
    apart: Vec<u32>,
}

impl ShapeIndex {
    /// Builds the index; fence `i` is reported as `i`.
    pub fn build(fences: Vec<Fence>, options: &IndexOptions) -> Result<Self, BuildError> {
        let mut apart = Vec::new();
        let mut outlines = Vec::with_capacity(fences.len());
        let mut measured = vec![0; fences.len().div_ceil(64)];
        for (number, fence) in (0u32..).zip(&fences) {
            let [west, south, east, north] = fence.bounds();
            if let Some(bits) = measured.get_mut(number as usize / 64) {
                *bits |= u64::from(fence.is_measured()) << (number % 64);
            }
            let fits = west >= -179.0 && east <= 179.0 && south >= -88.0 && north <= 88.0;
            if fence.is_measured() && !fits {
                apart.push(number);
                outlines.push(Vec::new());
            } else {
                outlines.push(fence.outline());
            }
        }
        let index = AreaIndex::build(&outlines, options)?;
        let bare = BareGround::of(&index);
        Ok(Self { fences, index, bare, measured, apart })
    }

    /// Reports every fence that contains the position: indexed ones in rising order, then those kept apart.
    #[inline]
    pub fn locate(&self, lon: f64, lat: f64, mut hit: impl FnMut(u32)) {
        if let Some(square) = self.index.square(lon, lat).filter(|square| !self.bare.is_bare(*square)) {
            self.index.locate_in(square, [lon, lat], |number| {
                if !self.is_measured(number)
                    || self.fences.get(number as usize).is_some_and(|fence| fence.contains([lon, lat]))
                {
                    hit(number);
                }
            });
        }
        for number in &self.apart {
            let fence = self.fences.get(*number as usize);
            if fence.is_some_and(|fence| fence.contains([lon, lat])) {
                hit(*number);
            }
        }
    }

    /// The fences themselves are many: of most, all there is to know stands in the raster.
    #[inline]
    fn is_measured(&self, number: u32) -> bool {
        self.measured.get(number as usize / 64).is_some_and(|bits| bits >> (number % 64) & 1 == 1)
    }

    /// Asks for what [`ShapeIndex::locate`] will look at first; [`ShapeIndex::ask_next`] goes on.
    #[inline]
    pub fn ask(&self, lon: f64, lat: f64) -> Ahead {
        let Some(square) = self.index.square(lon, lat) else { return Ahead::NOTHING };
        self.bare.ask(square);
        Ahead::at(square)
    }

    /// Asks for what comes next, in [`STEPS`] from 0 on, each of use once what was asked for before is there.
    #[inline]
    pub fn ask_next(&self, step: u8, asked: Ahead) -> Ahead {
        let Some(place) = asked.place() else { return asked };
        match step {
            0 if self.bare.is_bare(place) => Ahead::NOTHING,
            0 => self.index.ask_square(place),
            1 => self.index.ask_border(asked),
            _ => {
                self.index.ask_edges(asked);
                Ahead::NOTHING
            }
        }
    }

    /// How far a position lies outside fence `number`, in metres; 0 inside.
    pub fn outside_m(&self, number: u32, position: [f64; 2]) -> f64 {
        self.fences.get(number as usize).map_or(f64::INFINITY, |fence| fence.outside_m(position))
    }

    /// Number of fences.
    pub fn len(&self) -> usize {
        self.fences.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.fences.is_empty()
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.index.memory_bytes() + self.bare.memory_bytes() + self.fences.len() * size_of::<Fence>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset_m;

    #[test]
    fn agrees_with_asking_every_fence() {
        let mut fences = vec![Fence::circle([179.9999, 10.0], 5000.0)];
        for i in 0..200u32 {
            let centre = [121.0 + f64::from(i % 20) * 0.01, 31.0 + f64::from(i / 20) * 0.01];
            if i % 3 == 1 {
                fences.push(Fence::strip([centre, offset_m(centre, f64::from(i) * 7.0, 2_500.0)], f64::from(i + 1)));
            } else if i % 3 == 0 {
                let corners = [10.0, 130.0, 250.0].map(|b| offset_m(centre, b, 900.0));
                fences.push(Fence::polygon(vec![corners.to_vec()]));
            } else {
                fences.push(Fence::circle(centre, 300.0 + f64::from(i) * 7.0));
            }
        }
        let index = ShapeIndex::build(fences.clone(), &IndexOptions::default()).unwrap();
        let mut positions = vec![[-179.9999, 10.0]];
        for i in 0..4000u32 {
            let i = f64::from(i);
            positions.push([120.95 + (i * 0.618_034).fract() * 0.3, 30.95 + (i * 0.414_214).fract() * 0.2]);
        }
        for position in positions {
            let mut found = Vec::new();
            index.locate(position[0], position[1], |number| found.push(number));
            found.sort_unstable();
            let expected: Vec<u32> =
                (0u32..).zip(&fences).filter(|(_, fence)| fence.contains(position)).map(|(number, _)| number).collect();
            assert_eq!(found, expected, "at {position:?}");
        }
    }
}
