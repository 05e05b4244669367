//! How often changed windows of many areas and the latest state of entities are written: not so often that ClickHouse has time for
//! little else.
//!
//! There are about as many of these rows as events, where sensors stand far apart. A ClickHouse with cores of its own takes a round of
//! them in a moment; one that shares them with the stream would be busy with them all the time, and what most people look at,
//! the city and its districts, would wait behind them. It knows moments and chunks; it refuses to know of what.
//!
//! * `CAD-1` from one round to the next passes the time asked for, and [`SHARE`] times as long as ClickHouse took for the round;
//!   never more than [`LONGEST`].

use std::time::{Duration, Instant};

/// A round in so many is what ClickHouse is busy with, at most.
const SHARE: u32 = 4;
/// A pane's length: once in its life it is written at least.
const LONGEST: Duration = Duration::from_secs(10);

/// Where a round stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Round {
    /// The next begins then.
    Waits(Instant),
    /// Its rows are being handed out.
    Goes { begun: Instant },
    /// All of them are handed out, the last ones in this chunk.
    IsUnderWay { begun: Instant, chunk: u32 },
}

/// When rounds begin.
pub(crate) struct Cadence {
    every: Duration,
    round: Round,
}

impl Cadence {
    /// The first begins at once.
    pub(crate) fn new(every: Duration, now: Instant) -> Self {
        Self { every, round: Round::Waits(now) }
    }

    /// Whether rows are to be handed out now. `taken`: the last chunk known to be in ClickHouse.
    pub(crate) fn is_due(&mut self, now: Instant, taken: u32) -> bool {
        if let Round::IsUnderWay { begun, chunk } = self.round
            && taken >= chunk
        {
            let pause = self.every.max(SHARE * now.duration_since(begun)).min(LONGEST.max(self.every));
            self.round = Round::Waits(begun + pause);
        }
        if matches!(self.round, Round::Waits(until) if now >= until) {
            self.round = Round::Goes { begun: now };
        }
        matches!(self.round, Round::Goes { .. })
    }

    /// All that had changed is handed out, the last of it in this chunk.
    pub(crate) fn is_out(&mut self, chunk: u32) {
        if let Round::Goes { begun } = self.round {
            self.round = Round::IsUnderWay { begun, chunk };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins a round at a second and ends it `took` tenths later; when the next one begins, in tenths since then.
    fn next(took: u64) -> u64 {
        let begun = Instant::now();
        let at = |tenths: u64| begun + Duration::from_millis(100 * tenths);
        let mut cadence = Cadence::new(Duration::from_secs(1), begun);
        assert!(cadence.is_due(begun, 0) && cadence.is_due(begun, 0), "until all is handed out");
        cadence.is_out(3);
        assert!(!cadence.is_due(at(took), 2), "the last chunk is still under way");
        (took..1_000).find(|tenths| cadence.is_due(at(*tenths), 3)).expect("a next round")
    }

    #[test]
    fn a_round_waits_for_as_long_as_asked_for_and_for_four_times_as_long_as_it_took() {
        assert_eq!(next(0), 10);
        assert_eq!(next(2), 10);
        assert_eq!(next(5), 20);
        assert_eq!(next(20), 80);
        assert_eq!(next(30), 100, "never longer than a pane");
        assert_eq!(next(300), 300, "or than ClickHouse was away");
    }
}
