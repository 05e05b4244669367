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

mod bare;
mod border;
mod builder;
mod fill;
mod grid;
mod records;
mod size;
mod stored;

use crate::ahead::{ask_for, ask_for_item};
use crate::{
    BuildError,
    ring::{Edge, one_name},
};
pub(crate) use bare::BareGround;
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

/// How far looking ahead has come for a point: what was asked for, one more than its number; 0 when there is nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ahead(u32);

impl Ahead {
    pub(crate) const NOTHING: Self = Self(0);

    #[inline]
    pub(crate) fn at(place: usize) -> Self {
        Self(place as u32 + 1)
    }

    #[inline]
    pub(crate) fn place(self) -> Option<usize> {
        self.0.checked_sub(1).map(|place| place as usize)
    }
}

/// So many words tell of most squares that an outline passes.
const USUAL_WORDS: usize = 16;
/// Mark of a square wholly inside several areas.
const SET: u32 = 1 << 30;
/// Mark of a square that some outline passes.
const BORDER: u32 = 1 << 31;
/// Parts for each core, so that none waits long for the others.
const PARTS: usize = 8;
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
        let parts = rayon::current_num_threads() * PARTS;
        let mut squares = shape.squares_within(limit);
        loop {
            let index = builder::build(areas, &shape, squares, parts)?;
            if index.memory_bytes() <= limit || squares <= size::MIN_SQUARES {
                return Ok(index);
            }
            squares = shape.squares_after(squares, index.memory_bytes(), limit);
        }
    }

    /// Reports every area that contains the point, in rising order. Does not allocate.
    #[inline]
    pub fn locate(&self, lon: f64, lat: f64, hit: impl FnMut(u32)) {
        if let Some(square) = self.square(lon, lat) {
            self.locate_in(square, [lon, lat], hit);
        }
    }

    /// The square a point falls into.
    #[inline]
    pub(crate) fn square(&self, lon: f64, lat: f64) -> Option<usize> {
        self.grid.square(one_name(lon), lat)
    }

    /// [`AreaIndex::locate`] for a point of a square.
    #[inline]
    pub(crate) fn locate_in(&self, square: usize, [lon, lat]: [f64; 2], mut hit: impl FnMut(u32)) {
        let code = self.code(square);
        if code & BORDER != 0 {
            self.locate_at_border((code & !BORDER) as usize, [one_name(lon), lat], hit);
        } else if code & SET != 0 {
            let list = self.sets.get((code & PLACE) as usize..).unwrap_or_default();
            if let Some((length, numbers)) = list.split_first() {
                numbers.iter().take(*length as usize).copied().for_each(hit);
            }
        } else if let Some(number) = code.checked_sub(1) {
            hit(number);
        }
    }

    #[inline]
    fn code(&self, square: usize) -> u32 {
        self.squares.get(square).copied().unwrap_or(0)
    }

    /// Asks for what [`AreaIndex::locate`] will look at first. The raster is larger than any cache: asked for many points one
    /// after the other, before the first of them is located, memory answers for all of them in the time of one.
    #[inline]
    pub fn ask(&self, lon: f64, lat: f64) -> Ahead {
        self.square(lon, lat).map_or(Ahead::NOTHING, |square| self.ask_square(square))
    }

    #[inline]
    pub(crate) fn ask_square(&self, square: usize) -> Ahead {
        ask_for_item(&self.squares, square);
        Ahead::at(square)
    }

    /// Asks for what comes second where an outline passes, once what [`AreaIndex::ask`] asked for is there.
    #[inline]
    pub fn ask_border(&self, asked: Ahead) -> Ahead {
        let code = asked.place().map_or(0, |square| self.code(square));
        if code & BORDER == 0 {
            return Ahead::NOTHING;
        }
        let place = (code & !BORDER) as usize;
        let words = self.borders.get(place..).unwrap_or_default();
        ask_for(words.get(..USUAL_WORDS).unwrap_or(words));
        Ahead::at(place)
    }

    /// Asks for what comes third there, the outlines' edges, once what [`AreaIndex::ask_border`] asked for is there.
    #[inline]
    pub fn ask_edges(&self, asked: Ahead) {
        let words = asked.place().and_then(|place| self.borders.get(place..)).unwrap_or_default();
        if let Some((record, _)) = records::Record::read(words, &self.edges) {
            record.ask();
        }
    }

    /// The area a point lies in for certain because its whole square does, once what [`AreaIndex::ask`] asked for is there; `None` also
    /// where it only takes a closer look.
    #[inline]
    pub fn sole(&self, asked: Ahead) -> Option<u32> {
        let code = self.code(asked.place()?);
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
