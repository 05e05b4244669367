//! Rows of a slice put in the order of the log: piled up as they come, then partition by partition, chunk by chunk.
//!
//! Putting in order is left to whoever takes a partition, on its own thread. A chunk is a copy: its rows lie one behind the other and are
//! in the processor's cache when they are read, which those of a slice are not.

use super::row::{Outline, Spot, outline, spot};
use gridwarden_geo::ahead::ask_for;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// So much of a partition is handed out together.
const CHUNK_BYTES: usize = 256 << 10;
/// So much of a slice lies in one piece.
const BLOCK_BYTES: usize = 1 << 20;
/// So much is added to it at once, at most.
const PIECE_BYTES: usize = 64 << 10;

/// Rows asked of memory before their turn: in the log's order they lie anywhere in a slice.
const AHEAD: usize = 16;

/// Memory of slices that are done, for those to come: a page the system hands out anew is cleared first, which costs more than all that is
/// written into it.
#[derive(Clone, Default)]
pub(in crate::read) struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    fn with<T>(&self, of: impl FnOnce(&mut Vec<Vec<u8>>) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn block(&self) -> Vec<u8> {
        self.with(Vec::pop).unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES + 2 * PIECE_BYTES))
    }
}

/// Bytes of a slice. No row lies in two blocks.
struct Blocks {
    of: Vec<Vec<u8>>,
    spare: Spare,
}

impl Blocks {
    fn row(&self, spot: &Spot) -> Option<&[u8]> {
        let start = spot.start as usize;
        self.of.get(spot.block as usize)?.get(start..start + spot.length as usize)
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.of.iter_mut().for_each(Vec::clear);
        self.spare.with(|spare| spare.append(&mut self.of));
    }
}

/// Rows as they come, in any order, cut anywhere.
pub(super) struct Pile {
    blocks: Blocks,
    /// Written at present.
    block: Vec<u8>,
    /// Up to here its rows are known.
    whole: usize,
    spots: BTreeMap<u32, Vec<Spot>>,
}

impl Pile {
    /// An empty one, of memory that is to spare.
    pub(super) fn of(spare: &Spare) -> Self {
        let blocks = Blocks { of: Vec::new(), spare: spare.clone() };
        Self { block: spare.block(), blocks, whole: 0, spots: BTreeMap::new() }
    }

    /// Takes what came.
    pub(super) fn add(&mut self, more: &[u8]) {
        for piece in more.chunks(PIECE_BYTES) {
            self.block.extend_from_slice(piece);
            let block = self.blocks.of.len() as u32;
            while let Some((partition, spot)) = spot(&self.block, (block, self.whole)) {
                self.whole += spot.length as usize;
                self.spots.entry(partition).or_default().push(spot);
            }
            if self.whole >= BLOCK_BYTES {
                self.begin_block();
            }
        }
    }

    /// Goes on in another block, with what is no whole row yet.
    fn begin_block(&mut self) {
        let mut next = self.blocks.spare.block();
        next.extend_from_slice(self.block.get(self.whole..).unwrap_or_default());
        self.block.truncate(self.whole);
        self.blocks.of.push(std::mem::replace(&mut self.block, next));
        self.whole = 0;
    }

    /// All of it has come; the error is how many bytes are left over.
    pub(super) fn parts(mut self) -> Result<Vec<LogPart>, usize> {
        match self.block.len() - self.whole {
            0 => self.blocks.of.push(self.block),
            left => return Err(left),
        }
        let blocks = Arc::new(self.blocks);
        let part = |(partition, spots)| LogPart { partition: partition as i32, blocks: Arc::clone(&blocks), spots };
        Ok(self.spots.into_iter().map(part).collect())
    }
}

/// The archived records of a slice in one partition.
pub struct LogPart {
    partition: i32,
    /// Those of all partitions of the slice.
    blocks: Arc<Blocks>,
    spots: Vec<Spot>,
}

impl LogPart {
    /// Which partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Its records, as they stood in the log.
    pub fn chunks(mut self) -> LogChunks {
        self.spots.sort_unstable_by_key(|spot| (spot.offset, spot.what));
        LogChunks { blocks: self.blocks, spots: self.spots, done: 0 }
    }
}

/// Chunks of a partition, in the order of the log.
pub struct LogChunks {
    blocks: Arc<Blocks>,
    spots: Vec<Spot>,
    done: usize,
}

impl Iterator for LogChunks {
    type Item = LogChunk;

    fn next(&mut self) -> Option<LogChunk> {
        let (room, rows) = (CHUNK_BYTES + CHUNK_BYTES / 8, CHUNK_BYTES / 64);
        let mut chunk = LogChunk { bytes: Vec::with_capacity(room), rows: Vec::with_capacity(rows) };
        let left = self.spots.get(self.done..).unwrap_or_default();
        for same in left.chunk_by(|one, other| one.offset == other.offset) {
            if chunk.bytes.len() >= CHUNK_BYTES {
                break;
            }
            for spot in self.spots.iter().skip(self.done + AHEAD).take(same.len()) {
                if let Some(row) = self.blocks.row(spot) {
                    ask_for(row);
                }
            }
            self.done += same.len();
            chunk.take(&self.blocks, same);
        }
        // Only what was sent again and never archived itself makes a chunk empty: then nothing follows.
        Some(chunk).filter(|chunk| !chunk.is_empty())
    }
}

/// Archived records, one behind the other.
pub struct LogChunk {
    bytes: Vec<u8>,
    rows: Vec<Outline>,
}

/// One of them, as it stood in the log.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Append time, epoch ms.
    pub appended_ms: i64,
    /// Its row, for [`LogSaid::read`](super::LogSaid::read).
    pub row: &'a [u8],
    /// Feed; empty for the live one.
    pub feed: &'a [u8],
    /// Of one that was sent again: where it stood first, as the header says it.
    pub origin: Option<&'a [u8]>,
    /// Whether it was made up.
    pub simulated: bool,
}

impl LogChunk {
    /// Takes the record of an offset from what stands there, in order: perhaps that it was sent again, then itself, perhaps twice.
    fn take(&mut self, blocks: &Blocks, same: &[Spot]) {
        let itself = same.iter().find(|spot| !spot.is_again());
        let Some(row) = itself.and_then(|spot| self.copy(blocks.row(spot)?)) else { return };
        let again = same.first().filter(|spot| spot.is_again());
        let again = again.and_then(|spot| self.copy(blocks.row(spot)?));
        let origin = again.map_or(row.origin, |again| again.origin);
        self.rows.push(Outline { origin, ..row });
    }

    fn copy(&mut self, row: &[u8]) -> Option<Outline> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(row);
        outline(&self.bytes, start, self.bytes.len())
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The records from one on, in order.
    pub fn records(&self, from: usize) -> impl Iterator<Item = LogRecord<'_>> {
        let text = |(start, end): (u32, u32)| self.bytes.get(start as usize..end as usize).unwrap_or_default();
        self.rows.get(from..).unwrap_or_default().iter().map(move |row| LogRecord {
            partition: row.partition as i32,
            offset: row.offset,
            appended_ms: row.appended_ms,
            row: self.bytes.get(row.start..row.end).unwrap_or_default(),
            feed: text(row.feed),
            origin: Some(text(row.origin)).filter(|origin| !origin.is_empty()),
            simulated: row.simulated,
        })
    }
}
