//! Outlines of groups of cells: the sides that no other cell of the group shares, chained into rings.

use super::Point;
use super::ground::{Cell, Ground};
use std::collections::HashMap;

/// A point as a key: coordinates are rounded to 1e-7 degrees, so equal points have equal keys.
fn key(point: Point) -> (i64, i64) {
    ((point[0] * 1e7).round() as i64, (point[1] * 1e7).round() as i64)
}

/// Rings of each group of cells: `group[number of cell]` → closed rings, read even–odd.
pub(super) fn outlines(ground: &Ground, group: &[u32], groups: usize) -> Vec<Vec<Vec<Point>>> {
    let group_of = |cell: Cell| group.get(ground.number(cell)).copied();
    let mut sides: Vec<Starting> = vec![HashMap::new(); groups];
    for cell in ground.cells() {
        let Some(own) = group_of(cell) else { continue };
        for (side, across) in ground.sides(cell).into_iter().zip(ground.neighbours(cell)) {
            let shared = across.is_some_and(|other| group_of(other) == Some(own));
            if let (false, Some(start), Some(of)) = (shared, side.first(), sides.get_mut(own as usize)) {
                of.entry(key(*start)).or_default().push(side);
            }
        }
    }
    sides.into_iter().map(rings).collect()
}

/// Sides of one group by the point they start at.
type Starting = HashMap<(i64, i64), Vec<Vec<Point>>>;

fn rings(mut starting: Starting) -> Vec<Vec<Point>> {
    let mut starts: Vec<(i64, i64)> = starting.keys().copied().collect();
    starts.sort_unstable();
    let mut rings = Vec::new();
    for start in starts {
        while let Some(side) = take(&mut starting, start) {
            rings.push(chain(&mut starting, side));
        }
    }
    rings
}

/// Follows sides from end to start until none goes on: back where it began.
fn chain(starting: &mut Starting, first: Vec<Point>) -> Vec<Point> {
    let mut ring = first;
    while let Some(next) = ring.last().and_then(|end| take(starting, key(*end))) {
        ring.extend(next.into_iter().skip(1));
    }
    ring
}

fn take(starting: &mut Starting, at: (i64, i64)) -> Option<Vec<Point>> {
    starting.get_mut(&at)?.pop()
}
