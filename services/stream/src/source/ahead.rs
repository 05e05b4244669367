//! Which partitions are held back, so that what waits for rules over several entities stays bounded. Pure.
//!
//! What is seen waits until every partition's clock has passed it. If one partition lies far behind the others, as when hours are caught
//! up with, all that is seen in the others waits for it. Then those that are ahead are not read until it has come nearer.
//!
//! * `AHD-1` the partition that lies behind all others is never held back, so there is always one that is read.

/// So far ahead of the slowest partition, in ms of event time, nobody is held back.
const APART_MS: i64 = 10_000;

/// What becomes of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it is.
    Stay,
    /// It is not read any more: it is ahead, and too much waits.
    HoldBack,
    /// It is read again.
    GoOn,
}

/// What is known when it is decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    /// How many sightings wait, over all workers of the process.
    pub(super) waiting: usize,
    /// So many may wait.
    pub(super) most: usize,
    /// The clock of the slowest of all partitions; [`i64::MIN`] before it is known.
    pub(super) slowest: i64,
}

/// Decides about a partition with its own clock, [`i64::MIN`] before it has one.
pub(super) fn decide(crowd: Crowd, clock: i64, is_held_back: bool) -> Verdict {
    let Crowd { waiting, most, slowest } = crowd;
    if is_held_back {
        // Some room first, or it would go to and fro.
        let go_on = waiting <= most / 2 || clock <= slowest;
        return if go_on { Verdict::GoOn } else { Verdict::Stay };
    }
    if waiting > most && clock > slowest.saturating_add(APART_MS) { Verdict::HoldBack } else { Verdict::Stay }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn crowd(waiting: usize, slowest: i64) -> Crowd {
        Crowd { waiting, most: 100, slowest }
    }

    #[test]
    fn who_is_ahead_waits_while_there_are_too_many() {
        assert_eq!(decide(crowd(101, 0), APART_MS + 1, false), Verdict::HoldBack);
        assert_eq!(decide(crowd(101, 0), APART_MS, false), Verdict::Stay);
        assert_eq!(decide(crowd(100, 0), i64::MAX, false), Verdict::Stay);
        assert_eq!(decide(crowd(51, 0), APART_MS + 1, true), Verdict::Stay);
        assert_eq!(decide(crowd(50, 0), APART_MS + 1, true), Verdict::GoOn);
        assert_eq!(decide(crowd(101, 5), 5, true), Verdict::GoOn, "the slowest by now");
        // Before anything is known of some partition, those that have begun wait for it, and it does not.
        assert_eq!(decide(crowd(101, i64::MIN), 0, false), Verdict::HoldBack);
        assert_eq!(decide(crowd(101, i64::MIN), i64::MIN, false), Verdict::Stay);
    }

    proptest! {
        /// `AHD-1`
        #[test]
        fn the_slowest_is_always_read(clocks in prop::collection::vec(0i64..100_000, 1..8), waiting in 0usize..300, held in any::<u8>()) {
            let slowest = *clocks.iter().min().expect("one at least");
            let is_read = |(number, clock): (usize, &i64)| match held >> number & 1 == 1 {
                true => decide(crowd(waiting, slowest), *clock, true) == Verdict::GoOn,
                false => decide(crowd(waiting, slowest), *clock, false) != Verdict::HoldBack,
            };
            prop_assert!(clocks.iter().enumerate().filter(|(_, clock)| **clock == slowest).all(is_read));
        }
    }
}
