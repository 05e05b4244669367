//! How far time has come in one partition, from its own records alone.
//!
//! `WMK-1` what a record is admitted to is a function of the records before it in its own partition: a replay decides the
//! same, however partitions are interleaved.
//! `WMK-2` a partition's live watermark never goes back.

use std::collections::BTreeMap;

/// A stamp this far below the partition's highest is too late for rules.
pub(crate) const STEP_BACK_MS: i64 = 1_000;

/// The clock of a partition.
#[derive(Debug)]
pub(crate) struct PartClock {
    lateness_ms: i64,
    /// Highest append time, or the moment at which the partition was known to be read to its end.
    highest: i64,
    /// Highest append time of a record.
    appended: i64,
    feeds: BTreeMap<u8, FeedClock>,
}

/// A historical feed in one partition.
#[derive(Clone, Copy, Debug)]
struct FeedClock {
    /// Highest event time since the feed (re)began.
    highest: i64,
    ended: bool,
}

/// What a record's stamp says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stamp {
    /// In order, or nearly.
    Steady,
    /// The broker's clock stepped back: too late for rules.
    SteppedBack,
}

impl PartClock {
    pub(crate) fn new(lateness_ms: i64) -> Self {
        Self { lateness_ms, highest: i64::MIN, appended: i64::MIN, feeds: BTreeMap::new() }
    }

    /// For saving: highest append time of a record, and historical feeds by domain: highest event time, whether it ended.
    pub(crate) fn saved(&self) -> (i64, Vec<(u8, i64, bool)>) {
        let feeds = self.feeds.iter().map(|(domain, feed)| (*domain, feed.highest, feed.ended));
        (self.appended, feeds.collect())
    }

    /// As it was saved. What was known of idleness is asked for again.
    pub(crate) fn restored(lateness_ms: i64, appended: i64, feeds: impl Iterator<Item = (u8, i64, bool)>) -> Self {
        let feeds = feeds.map(|(domain, highest, ended)| (domain, FeedClock { highest, ended }));
        Self { lateness_ms, highest: appended, appended, feeds: feeds.collect() }
    }

    /// Takes a record's append time.
    #[inline]
    pub(crate) fn appended(&mut self, appended_ms: i64) -> Stamp {
        if appended_ms < self.appended.saturating_sub(STEP_BACK_MS) {
            return Stamp::SteppedBack;
        }
        self.appended = self.appended.max(appended_ms);
        self.highest = self.highest.max(appended_ms);
        Stamp::Steady
    }

    /// The partition was read to its end, which was asked for at `asked_ms` (less a margin already taken off).
    pub(crate) fn idle(&mut self, asked_ms: i64) {
        self.highest = self.highest.max(asked_ms);
    }

    /// The live watermark: for releasing windows.
    pub(crate) fn watermark(&self) -> i64 {
        self.highest.saturating_sub(self.lateness_ms)
    }

    /// Highest append time of a record.
    pub(crate) fn newest(&self) -> i64 {
        self.appended
    }

    /// The clock of rules over single live entities: records alone move it, so that a replay decides the same.
    #[inline]
    pub(crate) fn rules(&self) -> i64 {
        self.appended.saturating_sub(self.lateness_ms)
    }

    /// Takes the event time of a historical feed's record; the highest before that, and its clock.
    pub(crate) fn historical(&mut self, domain: u8, time: i64) -> (i64, i64) {
        let fresh = FeedClock { highest: i64::MIN, ended: false };
        let feed = self.feeds.entry(domain).or_insert(fresh);
        if feed.ended {
            *feed = fresh;
        }
        let before = feed.highest;
        feed.highest = feed.highest.max(time);
        (before, before.saturating_sub(self.lateness_ms))
    }

    /// A historical feed's end in this partition.
    pub(crate) fn end(&mut self, domain: u8) {
        let feed = self.feeds.entry(domain).or_insert(FeedClock { highest: i64::MIN, ended: true });
        feed.ended = true;
    }

    /// Watermarks of the historical feeds seen here.
    pub(crate) fn historical_watermarks(&self) -> impl Iterator<Item = (u8, i64)> {
        let lateness = self.lateness_ms;
        self.feeds.iter().map(move |(domain, feed)| {
            (*domain, if feed.ended { i64::MAX } else { feed.highest.saturating_sub(lateness) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_steps_back_are_steady_and_larger_ones_are_not() {
        let mut clock = PartClock::new(10_000);
        assert_eq!(clock.appended(100_000), Stamp::Steady);
        assert_eq!(clock.appended(99_000), Stamp::Steady);
        assert_eq!(clock.appended(98_999), Stamp::SteppedBack);
        assert_eq!(clock.watermark(), 90_000);
    }

    #[test]
    fn an_idle_partition_moves_windows_but_not_rules() {
        let mut clock = PartClock::new(10_000);
        clock.appended(100_000);
        clock.idle(200_000);
        assert_eq!((clock.watermark(), clock.rules()), (190_000, 90_000));
        assert_eq!(clock.appended(150_000), Stamp::Steady, "records are measured against records");
    }

    #[test]
    fn a_feed_ends_and_begins_anew() {
        let mut clock = PartClock::new(1_000);
        clock.historical(3, 50_000);
        clock.historical(3, 40_000);
        assert_eq!(clock.historical_watermarks().collect::<Vec<_>>(), [(3, 49_000)]);
        clock.end(3);
        assert_eq!(clock.historical_watermarks().collect::<Vec<_>>(), [(3, i64::MAX)]);
        clock.historical(3, 10_000);
        assert_eq!(clock.historical_watermarks().collect::<Vec<_>>(), [(3, 9_000)]);
    }

    proptest! {
        #[test]
        fn the_live_watermark_never_goes_back(
            steps in prop::collection::vec((any::<bool>(), -1_000_000i64..1_000_000), 1..100),
        ) {
            let mut clock = PartClock::new(10_000);
            let (mut watermark, mut rules) = (clock.watermark(), clock.rules());
            for (idle, time) in steps {
                if idle { clock.idle(time) } else { clock.appended(time); }
                prop_assert!(clock.watermark() >= watermark && clock.rules() >= rules);
                prop_assert!(clock.watermark() >= clock.rules());
                (watermark, rules) = (clock.watermark(), clock.rules());
            }
        }
    }
}
