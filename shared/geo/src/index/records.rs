//! What is kept of a square that outlines pass: one record per 30 areas in question.
//!
//! In words: `areas | edges << 8 | more << 31`, place of the first edge, mask of the areas that hold the square's centre
//! (less what the edges count there), the areas in rising order, then per edge the mask of areas it borders with
//! [`LOW_EAST`] and [`HIGH_EAST`].

use crate::ahead::ask_for;
use crate::ring::Edge;

/// Areas per record: as many bits as a mask has beside the marks.
pub(super) const AREAS: usize = 30;
/// Most edges per record.
pub(super) const MAX_EDGES: usize = (1 << 23) - 1;
/// The edge's lower end lies to the east of the square.
pub(super) const LOW_EAST: u32 = 1 << 30;
/// The edge's upper end lies to the east of the square.
pub(super) const HIGH_EAST: u32 = 1 << 31;
/// The bits of areas.
pub(super) const MASK: u32 = LOW_EAST - 1;
/// Another record of the same square follows.
const MORE: u32 = 1 << 31;

#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) areas: &'a [u32],
    masks: &'a [u32],
    edges: &'a [Edge],
    start: u32,
    pub(super) more: bool,
}

impl<'a> Record<'a> {
    #[inline]
    pub(super) fn read(words: &'a [u32], edges: &'a [Edge]) -> Option<(Self, &'a [u32])> {
        let ([head, first, start], rest) = words.split_first_chunk::<3>()?;
        let count = ((head & !MORE) >> 8) as usize;
        let (areas, rest) = rest.split_at_checked((head & 0xff) as usize)?;
        let (masks, rest) = rest.split_at_checked(count)?;
        let edges = edges.get(*first as usize..)?.get(..count)?;
        let record = Self { areas, masks, edges, start: *start, more: head & MORE != 0 };
        Some((record, rest))
    }

    /// Asks for its edges.
    #[inline]
    pub(super) fn ask(&self) {
        ask_for(self.edges);
    }

    /// The mask of the record's areas that hold the point, which must lie in the record's square.
    #[inline]
    pub(super) fn inside(&self, point: [f64; 2]) -> u32 {
        let counts = self.edges.iter().zip(self.masks);
        let toggled = counts.fold(self.start, |mask, (edge, word)| mask ^ count(edge, *word, point));
        toggled & MASK
    }
}

/// The areas whose parity an edge changes for a point of the square; see the module above.
#[inline]
pub(super) fn count(edge: &Edge, word: u32, point: [f64; 2]) -> u32 {
    if edge.low[1] > point[1] {
        return 0;
    }
    let mut odd = word & LOW_EAST != 0;
    if edge.high[1] <= point[1] {
        odd ^= word & HIGH_EAST != 0;
    } else {
        odd ^= edge.is_west(point);
    }
    if odd { word & MASK } else { 0 }
}

/// Counts the edges of every record from a later place.
pub(super) fn move_edges(words: &mut [u32], by: u32) {
    let mut rest = words;
    while let Some(([head, first, _], after)) = rest.split_first_chunk_mut::<3>() {
        *first += by;
        let length = (*head & 0xff) + ((*head & !MORE) >> 8);
        rest = after.get_mut(length as usize..).unwrap_or_default();
    }
}

/// Appends a record.
pub(super) fn write(
    words: &mut Vec<u32>,
    edges: &mut Vec<Edge>,
    areas: &[u32],
    masked: &[(Edge, u32)],
    (start, more): (u32, bool),
) {
    let head = areas.len() as u32 | ((masked.len() as u32) << 8) | if more { MORE } else { 0 };
    words.extend([head, edges.len() as u32, start]);
    words.extend(areas);
    words.extend(masked.iter().map(|(_, word)| word));
    edges.extend(masked.iter().map(|(edge, _)| edge));
}
