//! Sketches: what a window can tell besides sums, for metrics the city asks it of. Quantiles from buckets of values, the number
//! of sources from registers of hashes.
//!
//! Both are lists of numbers by place that add up ([`buckets`]) or of which the larger counts ([`registers`]); so one list
//! holds both, and ClickHouse merges them as it merges sums.
//!
//! * `SKE-1` a sketch is a function of the *set* of its events: adding and merging give the same cells in any order.
//! * `SKE-2`, `SKE-3` how wrong an answer can be: see [`buckets`] and [`registers`].

mod buckets;
mod lifted;
mod registers;
mod row;
mod shelf;
mod wanted;

pub(crate) use lifted::{SketchSums, Slot};
pub(crate) use row::push_sketch;
pub(crate) use shelf::{Shelf, SketchKey};
pub(crate) use wanted::{Kept, Sketches};

use gridwarden_domain::value::Fixed;
use serde::{Deserialize, Serialize};

/// A number at a place: events in a bucket, or the rank in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// Registers first, then buckets.
    pub(crate) place: u16,
    /// Events or rank.
    pub(crate) amount: u32,
}

impl Cell {
    /// An event with this value, in millionths.
    pub(crate) fn of_value(value: Fixed) -> Self {
        Self { place: buckets::place(value.0), amount: 1 }
    }

    /// An event of this source.
    pub(crate) fn of_source(source: &str) -> Self {
        let (place, amount) = registers::of(source);
        Self { place, amount }
    }

    fn is_register(self) -> bool {
        self.place < registers::COUNT
    }

    fn join(&mut self, other: Self) {
        self.amount = match self.is_register() {
            true => self.amount.max(other.amount),
            false => self.amount.saturating_add(other.amount),
        };
    }
}

/// A sketch of a set of events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sketch {
    /// Number of events.
    pub(crate) events: u64,
    /// Rising by place, each place once.
    cells: Vec<Cell>,
    /// Events are missing that were there before the city asked for sketches of the metric: it is not written.
    pub(crate) torn: bool,
}

impl Sketch {
    /// As it was saved.
    pub(crate) fn of(events: u64, cells: Vec<Cell>) -> Self {
        Self { events, cells, torn: false }
    }

    /// Adds one cell, but not to the number of events.
    fn add(&mut self, cell: Cell) {
        match self.cells.binary_search_by_key(&cell.place, |known| known.place) {
            Ok(at) => {
                if let Some(known) = self.cells.get_mut(at) {
                    known.join(cell);
                }
            }
            Err(at) => self.cells.insert(at, cell),
        }
    }

    /// Adds an event.
    pub(crate) fn add_event(&mut self, cells: impl Iterator<Item = Cell>) {
        self.events += 1;
        cells.for_each(|cell| self.add(cell));
    }

    /// Adds all of another, whose events are not among ours.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.torn |= other.torn;
        if self.cells.is_empty() {
            self.cells.clone_from(&other.cells);
            return;
        }
        let mut merged = Vec::with_capacity(self.cells.len().max(other.cells.len()));
        let mut theirs = other.cells.iter().copied().peekable();
        for mut cell in self.cells.drain(..) {
            while let Some(before) = theirs.next_if(|their| their.place < cell.place) {
                merged.push(before);
            }
            if let Some(same) = theirs.next_if(|their| their.place == cell.place) {
                cell.join(same);
            }
            merged.push(cell);
        }
        merged.extend(theirs);
        self.cells = merged;
    }

    /// Room its cells take, in bytes.
    fn room(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
    }

    /// Its cells, rising by place.
    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Registers and their ranks, rising.
    pub(crate) fn registers(&self) -> impl Iterator<Item = (u16, u8)> {
        let registers = self.cells.iter().filter(|cell| cell.is_register());
        registers.map(|cell| (cell.place, u8::try_from(cell.amount).unwrap_or(u8::MAX)))
    }

    /// Values that stand for buckets and the events in them, rising.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (Fixed, u64)> {
        let buckets = self.cells.iter().filter(|cell| !cell.is_register());
        buckets.map(|cell| (buckets::value(cell.place), u64::from(cell.amount)))
    }

    /// Hands it out in pieces that travel between workers. The last one alone carries the events: what has come of it so far
    /// never counts for more than it is.
    pub(crate) fn pieces(&self, mut send: impl FnMut(Piece)) {
        let mut left = self.cells.chunks(Piece::CELLS).peekable();
        while let Some(some) = left.next() {
            let events = if left.peek().is_none() { self.events } else { 0 };
            let mut cells = [Cell::default(); Piece::CELLS];
            for (cell, ours) in cells.iter_mut().zip(some) {
                *cell = *ours;
            }
            send(Piece { events: events as u32, used: some.len() as u8, cells });
        }
    }
}

/// Some cells of a sketch, small enough to be handed around by copying.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    cells: [Cell; Self::CELLS],
    events: u32,
    used: u8,
}

impl Piece {
    const CELLS: usize = 7;

    /// Adds it to a sketch.
    pub(crate) fn add_to(&self, sketch: &mut Sketch) {
        self.cells.iter().take(usize::from(self.used)).for_each(|cell| sketch.add(*cell));
        sketch.events += u64::from(self.events);
    }
}

#[cfg(test)]
mod tests;
