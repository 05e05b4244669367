//! The area index: which areas contain a point.
//!
//! A raster lies over the areas. Most squares answer at once: no area, or these. A square that some outline passes keeps the
//! areas in question, whether each holds the square's centre, and the edges that touch the square, each once with the areas
//! it borders; a point is then compared with these few edges only. Every comparison is exact, so is the answer (`GEO-1`).
//!
//! Why the few edges are enough. Let the answer for a point be the parity of its crossings to the east, and call an edge
//! *near* when it touches the square. The crossings with the other edges, seen as the point moves north within the square,
//! change only where an other edge ends to the east of the square; since rings are closed, an even number of edges ends in
//! every corner, so they change exactly where an odd number of *near* edges ends there. A near edge therefore counts: 1 if
//! the ray crosses it, plus 1 for each of its ends that lies to the east of the square and not above the point. What is
//! left is the same for every point of the square and is taken from the centre.

mod border;
mod builder;
mod fill;
mod grid;
mod records;
mod size;
mod stored;
mod threads;

use crate::{
    BuildError,
    ring::{Edge, one_name},
};
use grid::Grid;
pub use stored::FORMAT;

/// What an index may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexOptions {
    /// Memory it may take, in MiB. The raster gets coarser to keep within it.
    pub max_mib: usize,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self { max_mib: 96 }
    }
}

/// Finds the areas that contain a point. Immutable.
#[derive(Clone, Default)]
pub struct AreaIndex {
    grid: Grid,
    /// Per square: 0 = no area; `number + 1` = wholly in this area; [`SET`] + place in `sets`; [`BORDER`] + place in
    /// `borders`.
    squares: Vec<u32>,
    /// Length, then area numbers.
    sets: Vec<u32>,
    /// See [`records`].
    borders: Vec<u32>,
    edges: Vec<Edge>,
    areas: usize,
    bounds: Option<[f64; 4]>,
}

/// Mark of a square wholly inside several areas.
const SET: u32 = 1 << 30;
/// Mark of a square that some outline passes.
const BORDER: u32 = 1 << 31;
/// So few edges are not worth a second thread.
const ALONE: usize = 20_000;
/// The place beside a mark.
const PLACE: u32 = SET - 1;

impl AreaIndex {
    /// Builds the index over areas given as rings; even–odd over all rings of an area. Area `i` is reported as `i`; one
    /// without rings is never reported.
    pub fn build(areas: &[Vec<Vec<[f64; 2]>>], options: &IndexOptions) -> Result<Self, BuildError> {
        size::check(areas)?;
        let Some(shape) = size::Shape::of(areas) else {
            return Ok(Self { areas: areas.len(), ..Self::default() });
        };
        let limit = options.max_mib.saturating_mul(1 << 20);
        let threads = if shape.edges < ALONE { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
        let mut squares = shape.squares_within(limit);
        loop {
            let index = builder::build(areas, &shape, squares, threads)?;
            if index.memory_bytes() <= limit || squares <= size::MIN_SQUARES {
                return Ok(index);
            }
            squares = shape.squares_after(squares, index.memory_bytes(), limit);
        }
    }

    /// Reports every area that contains the point, in rising order. Does not allocate.
    #[inline]
    pub fn locate(&self, lon: f64, lat: f64, mut hit: impl FnMut(u32)) {
        let lon = one_name(lon);
        let square = self.grid.square(lon, lat);
        let Some(code) = square.and_then(|square| self.squares.get(square)).copied() else {
            return;
        };
        if code & BORDER != 0 {
            self.locate_at_border((code & !BORDER) as usize, [lon, lat], hit);
        } else if code & SET != 0 {
            let list = self.sets.get((code & PLACE) as usize..).unwrap_or_default();
            if let Some((length, numbers)) = list.split_first() {
                numbers.iter().take(*length as usize).copied().for_each(hit);
            }
        } else if let Some(number) = code.checked_sub(1) {
            hit(number);
        }
    }

    /// Loads what [`AreaIndex::locate`] will look at first. The raster is larger than any cache: asked for many points one
    /// after the other, before the first of them is located, memory answers for all of them in the time of one. The number
    /// means nothing; whoever drops it unused drops the load with it.
    #[inline]
    pub fn touch(&self, lon: f64, lat: f64) -> u32 {
        let square = self.grid.square(one_name(lon), lat);
        square.and_then(|square| self.squares.get(square)).copied().unwrap_or(0)
    }

    /// Loads what comes second where an outline passes; of use once [`AreaIndex::touch`] has been asked.
    #[inline]
    pub fn touch_border(&self, lon: f64, lat: f64) -> u32 {
        let code = self.touch(lon, lat);
        let place = if code & BORDER != 0 { (code & !BORDER) as usize } else { usize::MAX };
        self.borders.get(place).copied().unwrap_or(0)
    }

    /// Loads what comes third there, the first of the outlines' edges; of use once [`AreaIndex::touch_border`] has been asked.
    #[inline]
    pub fn touch_edges(&self, lon: f64, lat: f64) -> u32 {
        let code = self.touch(lon, lat);
        if code & BORDER == 0 {
            return 0;
        }
        let words = self.borders.get((code & !BORDER) as usize..).unwrap_or_default();
        let Some((record, _)) = records::Record::read(words, &self.edges) else { return 0 };
        record.touch()
    }

    /// The area a point lies in for certain because its whole square does; `None` also where it only takes a closer look.
    #[inline]
    pub fn sole(&self, lon: f64, lat: f64) -> Option<u32> {
        let code = self.touch(lon, lat);
        if code & (BORDER | SET) == 0 { code.checked_sub(1) } else { None }
    }

    #[inline]
    fn locate_at_border(&self, place: usize, point: [f64; 2], mut hit: impl FnMut(u32)) {
        let mut rest = self.borders.get(place..).unwrap_or_default();
        while let Some((record, after)) = records::Record::read(rest, &self.edges) {
            let mut inside = record.inside(point);
            while inside != 0 {
                if let Some(number) = record.areas.get(inside.trailing_zeros() as usize) {
                    hit(*number);
                }
                inside &= inside - 1;
            }
            if !record.more {
                break;
            }
            rest = after;
        }
    }

    /// `[west, south, east, north]` of all areas; `None` when there is no outline.
    pub fn bounds(&self) -> Option<[f64; 4]> {
        self.bounds
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        let words = self.squares.capacity() + self.sets.capacity() + self.borders.capacity();
        words * size_of::<u32>() + self.edges.capacity() * size_of::<Edge>() + size_of::<Self>()
    }

    /// Columns and rows of the raster.
    pub fn raster(&self) -> (u32, u32) {
        (self.grid.columns, self.grid.rows)
    }

    /// Number of areas, those without outline included.
    pub fn len(&self) -> usize {
        self.areas
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.areas == 0
    }
}

#[cfg(test)]
mod tests;
