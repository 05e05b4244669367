//! Which rows a worker hands out next, and in which order: the first lane before all else, then what closed windows owe, then what
//! changed elsewhere.

use super::Owner;
use crate::{
    sink::{Sink, Then},
    windows::{Lane, Mode, Row},
};
use std::time::{Duration, Instant};

/// Rows handed over at once.
pub(super) const CHUNK: usize = 4_096;

/// A chunk on its way to the writer of other lanes: a closed shard of a busy minute comes in one, however large, and goes in parts
/// (`SNK-2`), or what waits for ClickHouse would be several times as much.
pub(super) struct Parts {
    rows: Vec<Row>,
    number: u32,
    then: Then,
}

impl Parts {
    /// Nothing to hand over.
    pub(super) fn none() -> Self {
        Self { rows: Vec::new(), number: 0, then: Then::More }
    }

    /// Hands over as much as there is room for. Whether that is all.
    fn hand_over(&mut self, sink: &Sink<Row>) -> bool {
        while !self.rows.is_empty() {
            if !sink.has_room() {
                return false;
            }
            if self.rows.len() <= CHUNK + CHUNK / 2 {
                sink.push(self.number, std::mem::take(&mut self.rows), self.then);
            } else {
                sink.push_part(self.number, self.rows.drain(..CHUNK).collect());
            }
        }
        true
    }
}

impl Owner {
    /// True when it stopped for want of room.
    pub(super) fn write_rows(&mut self, mode: Mode, now: Instant) -> bool {
        loop {
            if now >= self.next_first && self.sink.first.has_room() {
                if self.windows.emit_changed(Lane::First, mode, CHUNK, &mut self.chunk) {
                    self.next_first = now + Duration::from_millis(self.config.first_ms);
                }
                // Blocks of the others wait for it, so it does not wait for more.
                if let Some(Parts { rows, number, then }) = self.take_chunk(Then::Pause) {
                    self.sink.first.push(number, rows, then);
                    continue;
                }
            }
            if !self.parts.hand_over(&self.sink.others) || !self.sink.others.has_room() {
                return true;
            }
            // Asked each time, for they see how long the last round took.
            let taken = self.sink.taken();
            let (second, last) = (self.second.are_due(now, taken), self.last.are_due(now, taken));
            let mut all = !second || self.second.write(&mut self.windows, (mode, now), CHUNK, &mut self.chunk);
            all &= self.windows.emit_closed(CHUNK, &mut self.chunk);
            if all && self.budget > 0 && last {
                all = self.write_last(mode, now);
            }
            let then = if all && mode.is_live() { Then::Pause } else { Then::More };
            if let Some(parts) = self.take_chunk(then) {
                self.parts = parts;
            }
            if !self.parts.hand_over(&self.sink.others) {
                return true;
            }
            if all {
                return false;
            }
        }
    }

    /// What was written into the chunk, if there is something, under its number.
    fn take_chunk(&mut self, then: Then) -> Option<Parts> {
        if self.chunk.is_empty() {
            return None;
        }
        self.shared.metrics.window_rows.inc_by(self.chunk.len() as u64);
        let rows = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        let number = self.windows.chunk;
        self.windows.chunk += 1;
        Some(Parts { rows, number, then })
    }

    /// True when all that changed in the last lane is out, or the interval's rows are used up.
    fn write_last(&mut self, mode: Mode, now: Instant) -> bool {
        let before = self.chunk.len();
        let room = CHUNK.min(before + self.budget);
        let done = self.last.write(&mut self.windows, (mode, now), room, &mut self.chunk);
        // Once it is done, the rest of the interval is for what changes next time.
        self.budget = if done { 0 } else { self.budget.saturating_sub(self.chunk.len() - before) };
        self.budget == 0
    }
}
