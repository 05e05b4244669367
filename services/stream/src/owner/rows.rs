//! Which rows a worker hands out next, and in which order: the first lane before all else, then what closed windows owe, then what
//! changed elsewhere.

use super::Owner;
use crate::{
    sink::{RowSink, Sink, Then},
    windows::{Lane, Mode, Row},
};
use std::time::{Duration, Instant};

/// Rows handed over at once.
pub(super) const CHUNK: usize = 8_192;

impl Owner {
    /// True when it stopped for want of room.
    pub(super) fn write_rows(&mut self, mode: Mode, now: Instant) -> bool {
        loop {
            if now >= self.next_first && self.sink.first.has_room() {
                if self.windows.emit_changed(Lane::First, mode, CHUNK, &mut self.chunk) {
                    self.next_first = now + Duration::from_millis(self.config.first_ms);
                }
                // Blocks of the others wait for it, so it does not wait for more.
                if self.hand_over(|sink| &sink.first, Then::Pause) {
                    continue;
                }
            }
            if !self.sink.others.has_room() {
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
            self.hand_over(|sink| &sink.others, then);
            if all {
                return false;
            }
        }
    }

    /// Hands the chunk over by one of both ways. Whether there was something.
    fn hand_over(&mut self, way: fn(&RowSink) -> &Sink<Row>, then: Then) -> bool {
        if self.chunk.is_empty() {
            return false;
        }
        self.shared.metrics.window_rows.inc_by(self.chunk.len() as u64);
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        way(&self.sink).push(self.windows.chunk, chunk, then);
        self.windows.chunk += 1;
        true
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
