//! Which square centres an area holds.

use super::grid::Grid;
use crate::ring::edges;

/// Visits, for one area, the runs of squares whose centres lie in it: (row, first column, column after the last).
pub(super) fn runs(
    grid: &Grid,
    rings: &[Vec<[f64; 2]>],
    flips: &mut Vec<(u32, u32)>,
    mut visit: impl FnMut(u32, u32, u32),
) {
    flips.clear();
    for edge in rings.iter().flat_map(|ring| edges(ring)) {
        grid.flips(&edge, |row, column| flips.push((row, column)));
    }
    flips.sort_unstable();
    // Rings are closed, so the flips of a row come in pairs: a centre is inside when an odd number of edges is east of it.
    for pair in flips.chunks_exact(2) {
        if let [(row, from), (_, to)] = pair {
            visit(*row, *from, *to);
        }
    }
}
