//! The index as bytes and back, for who keeps it beside the areas it was built of. No file and no hash here: whoever keeps the
//! bytes sees to it that they come back as they were, and under the name of the very same areas.

use super::{AreaIndex, grid::Grid};
use crate::ring::Edge;

/// Goes up with every change of what the words of an index mean, or of how they are made.
pub const FORMAT: u32 = 1;

const NUMBERS: usize = 6;
const WORDS: usize = 3;

impl AreaIndex {
    /// Everything the index holds; little-endian, the lengths first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let lists = [&self.squares, &self.sets, &self.borders];
        let mut bytes = Vec::with_capacity(self.memory_bytes() + 128);
        let Some(bounds) = self.bounds else {
            bytes.extend((self.areas as u64).to_le_bytes());
            return bytes;
        };
        bytes.extend((self.areas as u64).to_le_bytes());
        bytes.extend(bounds.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend([self.grid.columns, self.grid.rows].iter().flat_map(|count| u64::from(*count).to_le_bytes()));
        bytes.extend(lists.iter().flat_map(|list| (list.len() as u64).to_le_bytes()));
        bytes.extend((self.edges.len() as u64).to_le_bytes());
        for list in lists {
            bytes.extend(list.iter().flat_map(|word| word.to_le_bytes()));
        }
        for edge in &self.edges {
            let [low, high] = [edge.low, edge.high];
            bytes.extend([low[0], low[1], high[0], high[1]].iter().flat_map(|number| number.to_le_bytes()));
        }
        bytes
    }

    /// Reads what [`AreaIndex::to_bytes`] wrote; `None` when lengths do not agree. Bytes that were changed give an index that
    /// answers something else, but never one that fails.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (areas, rest) = count(bytes)?;
        if rest.is_empty() {
            return Some(Self { areas, ..Self::default() });
        }
        let (bounds, mut rest) = rest.split_at_checked(4 * size_of::<f64>())?;
        let mut bounds = numbers(bounds);
        let bounds = [bounds.next()?, bounds.next()?, bounds.next()?, bounds.next()?];
        let mut lengths = [0usize; NUMBERS];
        for length in &mut lengths {
            (*length, rest) = count(rest)?;
        }
        let [columns, rows, squares, sets, borders, edges] = lengths;
        let (columns, rows) = (u32::try_from(columns).ok()?, u32::try_from(rows).ok()?);
        let mut lists = [const { Vec::new() }; WORDS];
        for (list, length) in lists.iter_mut().zip([squares, sets, borders]) {
            let (own, after) = rest.split_at_checked(length.checked_mul(size_of::<u32>())?)?;
            *list = own.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
            rest = after;
        }
        let whole = rest.len() == edges.checked_mul(size_of::<Edge>())? && squares == columns as usize * rows as usize;
        let [squares, sets, borders] = lists;
        let edges = rest.as_chunks::<{ size_of::<Edge>() }>().0.iter().filter_map(edge).collect();
        let grid = Grid::new(bounds, columns, rows);
        whole.then_some(Self { grid, squares, sets, borders, edges, areas, bounds: Some(bounds) })
    }
}

fn count(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u64::from_le_bytes(*number)).ok()?, rest))
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = f64> + '_ {
    bytes.as_chunks().0.iter().map(|number| f64::from_le_bytes(*number))
}

fn edge(bytes: &[u8; size_of::<Edge>()]) -> Option<Edge> {
    let mut numbers = numbers(bytes);
    let low = [numbers.next()?, numbers.next()?];
    Some(Edge { low, high: [numbers.next()?, numbers.next()?] })
}
