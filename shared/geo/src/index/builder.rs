//! Building the index for a given fineness.

use super::{AreaIndex, BORDER, PLACE, SET, fill, grid::Grid, records, size::Shape};
use crate::{
    BuildError,
    ring::{Edge, edges},
};
use std::collections::HashMap;

/// An edge of an area that touches a square.
struct Touch {
    square: u32,
    area: u32,
    edge: u32,
}

type Areas<'a> = &'a [Vec<Vec<[f64; 2]>>];

pub(super) fn build(areas: Areas<'_>, shape: &Shape, squares: usize) -> Result<AreaIndex, BuildError> {
    let (columns, rows) = shape.raster(squares);
    let grid = Grid::new(shape.bounds, columns, rows);
    let mut index = AreaIndex {
        grid,
        squares: vec![0; columns as usize * rows as usize],
        areas: areas.len(),
        bounds: Some(shape.bounds),
        ..AreaIndex::default()
    };
    let (all_edges, mut touches) = trace(areas, shape, &mut index)?;
    let (mut covered, mut overlaps) = cover(areas, &mut index);
    // Stable by area, which both lists rise in already.
    overlaps.sort_by_key(|(square, _)| *square);
    covered.sort_by_key(|(square, _)| *square);
    touches.sort_by_key(|touch| touch.square);
    write_sets(&overlaps, &mut index)?;
    write_borders(&all_edges, &touches, &covered, &mut index)?;
    index.sets.shrink_to_fit();
    index.borders.shrink_to_fit();
    index.edges.shrink_to_fit();
    Ok(index)
}

/// Marks the squares that outlines pass.
fn trace(areas: Areas<'_>, shape: &Shape, index: &mut AreaIndex) -> Result<(Vec<Edge>, Vec<Touch>), BuildError> {
    let mut all = Vec::with_capacity(shape.edges);
    let mut touches = Vec::with_capacity(shape.edges * 2);
    let AreaIndex { grid, squares, .. } = index;
    for (area, rings) in (0u32..).zip(areas) {
        for edge in rings.iter().flat_map(|ring| edges(ring)) {
            let number = place(all.len(), "edges")?;
            all.push(edge);
            grid.trace(&edge, |row, first, last| {
                for column in first..=last {
                    let square = grid.number(column, row);
                    touches.push(Touch { square, area, edge: number });
                    if let Some(code) = squares.get_mut(square as usize) {
                        *code = BORDER;
                    }
                }
            });
        }
    }
    Ok((all, touches))
}

type Pairs = Vec<(u32, u32)>;

/// Gives squares without outlines their area. Returns, as (square, area): areas that hold the centre of a square with
/// outlines, and areas of squares that have one already.
fn cover(areas: Areas<'_>, index: &mut AreaIndex) -> (Pairs, Pairs) {
    let (mut covered, mut overlaps) = (Vec::new(), Vec::new());
    let mut flips = Vec::new();
    let AreaIndex { grid, squares, .. } = index;
    for (area, rings) in (0u32..).zip(areas) {
        fill::runs(grid, rings, &mut flips, |row, from, to| {
            let first = grid.number(from, row);
            let run = squares.get_mut(first as usize..grid.number(to, row) as usize);
            for (square, code) in (first..).zip(run.into_iter().flatten()) {
                match *code {
                    BORDER => covered.push((square, area)),
                    0 => *code = area + 1,
                    _ => overlaps.push((square, area)),
                }
            }
        });
    }
    (covered, overlaps)
}

fn write_sets(overlaps: &[(u32, u32)], index: &mut AreaIndex) -> Result<(), BuildError> {
    let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
    for group in overlaps.chunk_by(|a, b| a.0 == b.0) {
        let Some(code) = group.first().and_then(|(square, _)| index.squares.get_mut(*square as usize)) else {
            continue;
        };
        let first = code.saturating_sub(1);
        let numbers: Vec<u32> = std::iter::once(first).chain(group.iter().map(|(_, area)| *area)).collect();
        let offset = match known.get(&numbers) {
            Some(offset) => *offset,
            None => {
                let offset = place(index.sets.len(), "sets of areas")?;
                index.sets.push(numbers.len() as u32);
                index.sets.extend(&numbers);
                known.insert(numbers, offset);
                offset
            }
        };
        *code = SET | offset;
    }
    Ok(())
}

fn write_borders(
    all: &[Edge],
    touches: &[Touch],
    covered: &[(u32, u32)],
    index: &mut AreaIndex,
) -> Result<(), BuildError> {
    let mut covered = covered;
    let mut border = Border::default();
    for group in touches.chunk_by(|a, b| a.square == b.square) {
        let Some(square) = group.first().map(|touch| touch.square) else {
            continue;
        };
        let after = covered.partition_point(|(other, _)| *other < square);
        let (_, rest) = covered.split_at(after);
        let (own, rest) = rest.split_at(rest.partition_point(|(other, _)| *other == square));
        covered = rest;
        let offset = place(index.borders.len(), "words of borders")?;
        border.gather(all, group, own);
        border.write(square, index)?;
        if let Some(code) = index.squares.get_mut(square as usize) {
            *code = BORDER | offset;
        }
    }
    Ok(())
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

    fn write(&self, square: u32, index: &mut AreaIndex) -> Result<(), BuildError> {
        let grid = index.grid;
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
            place(index.edges.len(), "edges in squares")?;
            let more = number < last;
            records::write(&mut index.borders, &mut index.edges, areas, &masked, (start, more));
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

/// A place as it fits beside a mark.
fn place(length: usize, what: &'static str) -> Result<u32, BuildError> {
    let max = PLACE as usize;
    match u32::try_from(length) {
        Ok(place) if length <= max => Ok(place),
        _ => Err(BuildError::TooMany { what, max }),
    }
}
