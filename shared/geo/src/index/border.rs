//! Squares that outlines pass, put together from the edges that touch them.

use super::{
    AreaIndex, BORDER,
    builder::{Touch, place},
    grid::Grid,
    records,
};
use crate::{BuildError, ring::Edge};
use rayon::prelude::*;

/// Touches of a stretch of squares: small enough for threads to share the work, large enough to be worth a list of its own.
const STRETCH: usize = 1 << 16;

/// Writes the records of all squares that outlines pass. Touches come by square and area, areas that hold a centre by square.
pub(super) fn write(
    all: &[Edge],
    touches: &[Touch],
    covered: &[(u32, u32)],
    index: &mut AreaIndex,
) -> Result<(), BuildError> {
    let grid = index.grid;
    let write = |touches: &&[Touch]| Stretch::write(&grid, all, touches, covered);
    // As much as it can be, about: what is not written takes no memory, and what grows by doubling is there twice on its way.
    index.edges.reserve_exact(touches.len());
    index.borders.reserve_exact(3 * touches.len() + covered.len());
    // Some at a time: what is written is there twice until it is appended.
    for some in stretches(touches).chunks(2 * rayon::current_num_threads()) {
        let written: Vec<Stretch> = some.par_iter().map(write).collect::<Result<_, _>>()?;
        for stretch in written {
            stretch.append(index)?;
        }
    }
    index.edges.shrink_to_fit();
    index.borders.shrink_to_fit();
    Ok(())
}

/// Cuts between squares.
fn stretches(touches: &[Touch]) -> Vec<&[Touch]> {
    let mut rest = touches;
    let mut stretches = Vec::new();
    while let Some(last) = rest.get(STRETCH.min(rest.len()).saturating_sub(1)) {
        let end = rest.partition_point(|touch| touch.square <= last.square);
        let (stretch, after) = rest.split_at(end);
        stretches.push(stretch);
        rest = after;
    }
    stretches
}

/// Records of some squares; places are counted from its own begin.
#[derive(Default)]
struct Stretch {
    words: Vec<u32>,
    edges: Vec<Edge>,
    /// Squares and the places of their records.
    squares: Vec<(u32, u32)>,
}

impl Stretch {
    fn write(grid: &Grid, all: &[Edge], touches: &[Touch], covered: &[(u32, u32)]) -> Result<Self, BuildError> {
        let mut stretch = Self::default();
        let mut border = Border::default();
        let mut covered = covered;
        for group in touches.chunk_by(|a, b| a.square == b.square) {
            let Some(square) = group.first().map(|touch| touch.square) else {
                continue;
            };
            let after = covered.partition_point(|(other, _)| *other < square);
            let (_, rest) = covered.split_at(after);
            let (own, rest) = rest.split_at(rest.partition_point(|(other, _)| *other == square));
            covered = rest;
            let offset = place(stretch.words.len(), "words of borders")?;
            border.gather(all, group, own);
            border.write(grid, square, &mut stretch)?;
            stretch.squares.push((square, offset));
        }
        Ok(stretch)
    }

    fn append(mut self, index: &mut AreaIndex) -> Result<(), BuildError> {
        let words = place(index.borders.len() + self.words.len(), "words of borders")? - self.words.len() as u32;
        let edges = place(index.edges.len() + self.edges.len(), "edges in squares")? - self.edges.len() as u32;
        records::move_edges(&mut self.words, edges);
        index.borders.extend(self.words);
        index.edges.extend(self.edges);
        for (square, offset) in self.squares {
            if let Some(code) = index.squares.get_mut(square as usize) {
                *code = BORDER | (words + offset);
            }
        }
        Ok(())
    }
}

/// One square with outlines, while it is put together.
#[derive(Default)]
struct Border {
    /// Edges with one area each; equal edges stand together.
    edges: Vec<(Edge, u32)>,
    /// Areas in question, rising.
    areas: Vec<u32>,
    /// Areas that hold the centre, rising.
    centre: Vec<u32>,
}

impl Border {
    fn gather(&mut self, all: &[Edge], touches: &[Touch], covered: &[(u32, u32)]) {
        self.edges.clear();
        let found = touches.iter().filter_map(|touch| Some((*all.get(touch.edge as usize)?, touch.area)));
        self.edges.extend(found);
        self.edges.sort_by(|a, b| order(&a.0, &b.0));
        self.centre.clear();
        self.centre.extend(covered.iter().map(|(_, area)| *area));
        self.areas.clear();
        self.areas.extend(touches.iter().map(|touch| touch.area));
        self.areas.extend(&self.centre);
        self.areas.sort_unstable();
        self.areas.dedup();
    }

    fn write(&self, grid: &Grid, square: u32, stretch: &mut Stretch) -> Result<(), BuildError> {
        let (column, row) = (square % grid.columns, square / grid.columns);
        let centre = grid.centre(column, row);
        let east = grid.east_of(column);
        let records = self.areas.chunks(records::AREAS);
        let last = records.len().saturating_sub(1);
        for (number, areas) in records.enumerate() {
            let masked = self.masked(areas, east);
            if masked.len() > records::MAX_EDGES {
                return Err(BuildError::TooMany { what: "edges in one square", max: records::MAX_EDGES });
            }
            let mut start = 0;
            for (bit, area) in areas.iter().enumerate() {
                start |= u32::from(self.centre.binary_search(area).is_ok()) << bit;
            }
            for (edge, word) in &masked {
                start ^= records::count(edge, *word, centre);
            }
            place(stretch.edges.len(), "edges in squares")?;
            let more = number < last;
            records::write(&mut stretch.words, &mut stretch.edges, areas, &masked, (start, more));
        }
        Ok(())
    }

    /// Every edge of these areas once, with its mask; without those that border each area an even number of times.
    fn masked(&self, areas: &[u32], east: f64) -> Vec<(Edge, u32)> {
        let mut masked = Vec::new();
        for group in self.edges.chunk_by(|a, b| a.0 == b.0) {
            let Some((edge, _)) = group.first() else {
                continue;
            };
            let mut word = 0u32;
            for (_, area) in group {
                if let Ok(bit) = areas.binary_search(area) {
                    word ^= 1 << bit;
                }
            }
            if word == 0 {
                continue;
            }
            let [low, high] = [edge.low[0] > east, edge.high[0] > east];
            word |= if low { records::LOW_EAST } else { 0 };
            word |= if high { records::HIGH_EAST } else { 0 };
            masked.push((*edge, word));
        }
        masked
    }
}

fn order(a: &Edge, b: &Edge) -> std::cmp::Ordering {
    let key = |edge: &Edge| [edge.low[1], edge.low[0], edge.high[1], edge.high[0]];
    key(a)
        .iter()
        .zip(&key(b))
        .map(|(a, b)| a.total_cmp(b))
        .find(|order| order.is_ne())
        .unwrap_or(std::cmp::Ordering::Equal)
}
