//! Building the index for a given fineness. Areas are traced part by part and squares put together stretch by stretch, on all cores;
//! the index is the same whatever the number of parts.

use super::{AreaIndex, BORDER, PLACE, SET, border, fill, grid::Grid, size::Shape};
use crate::{
    BuildError,
    ring::{Edge, edges},
};
use rayon::prelude::*;
use std::collections::HashMap;

/// An edge of an area that touches a square.
pub(super) struct Touch {
    pub(super) square: u32,
    pub(super) area: u32,
    pub(super) edge: u32,
}

/// Squares of a row whose centres an area holds, the last one not included.
struct Run {
    area: u32,
    first: u32,
    end: u32,
}

type Areas<'a> = &'a [Vec<Vec<[f64; 2]>>];

pub(super) fn build(areas: Areas<'_>, shape: &Shape, squares: usize, parts: usize) -> Result<AreaIndex, BuildError> {
    let (columns, rows) = shape.raster(squares);
    let grid = Grid::new(shape.bounds, columns, rows);
    let mut index = AreaIndex {
        grid,
        squares: vec![0; columns as usize * rows as usize],
        areas: areas.len(),
        bounds: Some(shape.bounds),
        ..AreaIndex::default()
    };
    let Traced { edges, touches, runs } = trace(areas, shape, &grid, parts)?;
    for touch in &touches {
        if let Some(code) = index.squares.get_mut(touch.square as usize) {
            *code = BORDER;
        }
    }
    let (mut covered, mut overlaps) = cover(&runs, &mut index);
    drop(runs);
    // Stable by area, which both lists rise in already.
    overlaps.sort_by_key(|(square, _)| *square);
    covered.sort_by_key(|(square, _)| *square);
    write_sets(&overlaps, &mut index)?;
    index.sets.shrink_to_fit();
    border::write(&edges, &touches, &covered, &mut index)?;
    Ok(index)
}

/// Edges of all areas, in their order; touches by square, then area; runs by area.
struct Traced {
    edges: Vec<Edge>,
    touches: Vec<Touch>,
    runs: Vec<Run>,
}

fn trace(areas: Areas<'_>, shape: &Shape, grid: &Grid, parts: usize) -> Result<Traced, BuildError> {
    let length = areas.len().div_ceil(parts).max(1);
    let parts: Vec<(u32, Areas<'_>)> = (0u32..).step_by(length).zip(areas.chunks(length)).collect();
    let mut all = Traced { edges: Vec::with_capacity(shape.edges), touches: Vec::new(), runs: Vec::new() };
    let traced: Vec<Traced> = parts.par_iter().map(|(first, areas)| trace_part(*first, areas, grid)).collect();
    all.touches.reserve_exact(traced.iter().map(|part| part.touches.len()).sum());
    all.runs.reserve_exact(traced.iter().map(|part| part.runs.len()).sum());
    for part in traced {
        let before = place(all.edges.len() + part.edges.len(), "edges")? - part.edges.len() as u32;
        all.edges.extend(part.edges);
        all.touches.extend(part.touches.into_iter().map(|touch| Touch { edge: touch.edge + before, ..touch }));
        all.runs.extend(part.runs);
    }
    // Stable, and quick: each part is in order already.
    all.touches.sort_by_key(|touch| touch.square);
    Ok(all)
}

fn trace_part(first: u32, areas: Areas<'_>, grid: &Grid) -> Traced {
    let mut part = Traced { edges: Vec::new(), touches: Vec::new(), runs: Vec::new() };
    let mut flips = Vec::new();
    for (area, rings) in (first..).zip(areas) {
        for edge in rings.iter().flat_map(|ring| edges(ring)) {
            let number = part.edges.len() as u32;
            part.edges.push(edge);
            grid.trace(&edge, |row, first, last| {
                let touch = |column| Touch { square: grid.number(column, row), area, edge: number };
                part.touches.extend((first..=last).map(touch));
            });
        }
        fill::runs(grid, rings, &mut flips, |row, from, to| {
            part.runs.push(Run { area, first: grid.number(from, row), end: grid.number(to, row) });
        });
    }
    part.touches.sort_by_key(|touch| touch.square);
    part
}

type Pairs = Vec<(u32, u32)>;

/// Gives squares without outlines their area. Returns, as (square, area): areas that hold the centre of a square with
/// outlines, and areas of squares that have one already.
fn cover(runs: &[Run], index: &mut AreaIndex) -> (Pairs, Pairs) {
    let (mut covered, mut overlaps) = (Vec::new(), Vec::new());
    for Run { area, first, end } in runs {
        let run = index.squares.get_mut(*first as usize..*end as usize);
        for (square, code) in (*first..).zip(run.into_iter().flatten()) {
            match *code {
                BORDER => covered.push((square, *area)),
                0 => *code = area + 1,
                _ => overlaps.push((square, *area)),
            }
        }
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

/// A place as it fits beside a mark.
pub(super) fn place(length: usize, what: &'static str) -> Result<u32, BuildError> {
    let max = PLACE as usize;
    match u32::try_from(length) {
        Ok(place) if length <= max => Ok(place),
        _ => Err(BuildError::TooMany { what, max }),
    }
}
