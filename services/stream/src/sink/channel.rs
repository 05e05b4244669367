//! The way of rows from workers to writers, in chunks, and how it is known back there which of them are in ClickHouse.
//!
//! Channels are short. A worker that finds no room keeps its windows and entities dirty, where what comes next adds up; so
//! ClickHouse may be away for as long as it likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Chunks between a worker and its writer.
const CHUNKS: usize = 4;

/// A worker's end of a channel of chunks. Its chunks are numbered from 1, and taken in that order.
pub(crate) struct Sink<T> {
    sender: Sender<Chunk<T>>,
    /// The last chunk known to be in ClickHouse.
    taken: Arc<AtomicU32>,
}

impl<T> Clone for Sink<T> {
    /// The same end: numbers go on.
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), taken: Arc::clone(&self.taken) }
    }
}

/// What comes after a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Then {
    /// More, at once.
    #[default]
    More,
    /// Nothing for now.
    Pause,
    /// It does not matter: the chunk is waited for.
    Now,
}

/// Rows handed over together.
pub(crate) struct Chunk<T> {
    rows: Vec<T>,
    number: u32,
    then: Then,
    taken: Arc<AtomicU32>,
}

#[cfg(test)]
impl<T> Chunk<T> {
    /// Its rows; they are in ClickHouse now.
    pub(crate) fn rows(self) -> Vec<T> {
        self.taken.store(self.number, Ordering::Release);
        self.rows
    }
}

/// Room for one chunk.
pub(crate) struct Room<'s, T> {
    permit: mpsc::Permit<'s, Chunk<T>>,
    taken: &'s Arc<AtomicU32>,
}

impl<T> Room<'_, T> {
    /// Hands a chunk over under its number.
    pub(crate) fn send(self, number: u32, rows: Vec<T>, then: Then) {
        self.permit.send(Chunk { rows, number, then, taken: Arc::clone(self.taken) });
    }
}

impl<T> Sink<T> {
    /// A sink and what comes out of it.
    pub(crate) fn new() -> (Self, Receiver<Chunk<T>>) {
        let (sender, receiver) = mpsc::channel(CHUNKS);
        (Self { sender, taken: Arc::default() }, receiver)
    }

    /// Another worker's end of the same channel, with numbers of its own.
    pub(crate) fn of_another(&self) -> Self {
        Self { sender: self.sender.clone(), taken: Arc::default() }
    }

    /// The last chunk known to be in ClickHouse, and all before it; 0: none.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(Ordering::Acquire)
    }

    /// Whether the only sender may push a chunk.
    pub(crate) fn has_room(&self) -> bool {
        self.sender.capacity() > 0
    }

    /// Hands a chunk over, for the only sender after [`Sink::has_room`]. Dropped when nobody takes it any more: at the end.
    pub(crate) fn push(&self, number: u32, rows: Vec<T>, then: Then) {
        self.sender.try_send(Chunk { rows, number, then, taken: Arc::clone(&self.taken) }).ok();
    }

    /// Room for a chunk, if there is, where there are several senders.
    pub(crate) fn room(&self) -> Option<Room<'_, T>> {
        self.sender.try_reserve().ok().map(|permit| Room { permit, taken: &self.taken })
    }
}

/// The last number gathered from each sender.
#[derive(Default)]
pub(super) struct Gathered {
    numbers: Vec<(Arc<AtomicU32>, u32)>,
    /// What comes after the last of them.
    pub(super) then: Then,
}

impl Gathered {
    pub(super) fn add<T>(&mut self, mut chunk: Chunk<T>, rows: &mut Vec<T>) {
        rows.append(&mut chunk.rows);
        self.then = chunk.then;
        match self.numbers.iter_mut().find(|(taken, _)| Arc::ptr_eq(taken, &chunk.taken)) {
            Some((_, number)) => *number = chunk.number,
            None => self.numbers.push((chunk.taken, chunk.number)),
        }
    }

    /// All of it is in ClickHouse.
    pub(super) fn are_taken(self) {
        for (taken, number) in self.numbers {
            taken.store(number, Ordering::Release);
        }
    }
}
