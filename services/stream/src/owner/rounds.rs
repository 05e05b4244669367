//! Rounds through the changed windows of a lane: when the next one begins, and whether open minutes go with it.

use crate::{
    cadence::Cadence,
    windows::{Lane, Mode, Row, Windows},
};
use std::time::{Duration, Instant};

/// Open minutes go with one round in so many, at most: where ClickHouse is slow rounds are seldom.
const MINUTES_EVERY: u32 = 3;

/// The rounds of one lane.
pub(super) struct Rounds {
    lane: Lane,
    cadence: Cadence,
    minutes_every: Duration,
    /// Whether open minutes go with this round; when they do again, and how many rounds went without them.
    minutes: bool,
    next_minutes: Instant,
    without: u32,
}

impl Rounds {
    /// Begun so often, with open minutes so often.
    pub(super) fn new(lane: Lane, (every, minutes_every): (Duration, Duration), now: Instant) -> Self {
        let cadence = Cadence::new(every, now);
        Self { lane, cadence, minutes_every, minutes: true, next_minutes: now + minutes_every, without: 0 }
    }

    /// As [`Cadence::is_due`].
    pub(super) fn are_due(&mut self, now: Instant, taken: u32) -> bool {
        self.cadence.is_due(now, taken)
    }

    /// Appends rows of this round until there are `room` in `chunk`, which will be handed over as the next one. True when all are out.
    pub(super) fn write(
        &mut self,
        windows: &mut Windows,
        (mode, now): (Mode, Instant),
        room: usize,
        chunk: &mut Vec<Row>,
    ) -> bool {
        let before = chunk.len();
        let all = windows.emit_changed(self.lane, self.mode(mode), room, chunk);
        if all {
            let last = windows.chunk - u32::from(chunk.is_empty());
            self.are_out(now, last, chunk.len() == before);
        }
        all
    }

    /// What to write in this round.
    fn mode(&self, mode: Mode) -> Mode {
        if mode == Mode::Live && !self.minutes { Mode::Panes } else { mode }
    }

    /// As [`Cadence::is_out`]. `was_empty`: there was nothing else to write, and minutes are no burden.
    fn are_out(&mut self, now: Instant, chunk: u32, was_empty: bool) {
        self.cadence.is_out(chunk);
        self.without += 1;
        self.minutes = now >= self.next_minutes && (was_empty || self.without >= MINUTES_EVERY);
        if self.minutes {
            self.next_minutes = now + self.minutes_every;
            self.without = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_minutes_go_with_every_third_round_and_with_one_that_has_nothing_else_to_write() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut rounds = Rounds::new(Lane::Last, (Duration::from_secs(1), Duration::from_secs(5)), begun);
        let mut modes = Vec::new();
        for second in 0..14 {
            assert!(rounds.are_due(at(second), 0));
            modes.push(rounds.mode(Mode::Live) == Mode::Live);
            assert_eq!(rounds.mode(Mode::CatchUp), Mode::CatchUp);
            rounds.are_out(at(second), 0, false);
            assert!(!rounds.are_due(at(second), 0), "not twice in a second");
        }
        let with: Vec<usize> = (0..14).filter(|second| modes[*second]).collect();
        assert_eq!(with, [0, 6, 11], "the first, and the one after five seconds");
        // Rounds that come seldom.
        let mut with = |second, was_empty| {
            rounds.are_out(at(second), 0, was_empty);
            rounds.mode(Mode::Live) == Mode::Live
        };
        assert!(with(20, false) && !with(30, false) && !with(40, false) && with(50, false) && with(60, true));
    }
}
