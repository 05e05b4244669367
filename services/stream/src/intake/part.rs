//! A partition on its way through its log: its clock, what is in force at its append times.

use super::repeats::PartIds;
use crate::{
    intern::{Entities, View},
    rules::{Ordered, PartRules, SavedRules},
    shared::Shared,
    watermark::PartClock,
    windows::LIVE,
};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// One partition.
pub(crate) struct PartState {
    /// Its clock.
    pub(crate) clock: PartClock,
    /// The offset that comes next; none before the first.
    pub(crate) next: Option<i64>,
    /// Rules in force, from the first record on.
    pub(crate) rules: Option<PartRules>,
    /// What rules knew when it was saved, until the first record.
    pub(crate) saved: Option<SavedRules>,
    /// Rules in the order of event time, and what waits for them.
    pub(crate) ordered: Ordered,
    /// Layers in force.
    pub(crate) view: Option<Arc<View>>,
    /// Which roll-up belongs to the view.
    pub(crate) rollup: usize,
    /// The timeline the above was taken from, and the append times it is known to hold for.
    pub(crate) epoch: u64,
    pub(crate) holds: Range<i64>,
    domains: SmallVec<[(u16, u8); 4]>,
    /// What is known of the entities seen here. Of this partition alone: nothing of it depends on who reads other partitions.
    pub(crate) entities: Entities,
    /// Those whose latest state is still to be written.
    pub(crate) dirty: Vec<u32>,
    /// Ids of reports, and origins of messages sent again, seen lately.
    pub(crate) ids: PartIds,
    /// The marks last sent, by domain.
    pub(crate) marked: SmallVec<[(u8, i64); 2]>,
}

impl PartState {
    pub(crate) fn new(lateness_ms: i64) -> Self {
        Self {
            clock: PartClock::new(lateness_ms),
            next: None,
            rules: None,
            saved: None,
            ordered: Ordered::default(),
            view: None,
            rollup: 0,
            epoch: 0,
            holds: 0..0,
            domains: SmallVec::new(),
            entities: Entities::default(),
            dirty: Vec::new(),
            ids: PartIds::default(),
            marked: SmallVec::new(),
        }
    }

    /// Whether what is in force must be asked for again.
    #[inline]
    pub(crate) fn is_outdated(&self, appended: i64, epoch: u64) -> bool {
        self.rules.is_none() || self.epoch != epoch || !self.holds.contains(&appended)
    }

    /// The watermark domain of a feed in this partition's topic.
    #[inline]
    pub(crate) fn domain(&mut self, feed: u16, topic: u16, shared: &Shared) -> u8 {
        if feed == 0 {
            return LIVE;
        }
        if let Some((_, domain)) = self.domains.iter().find(|(known, _)| *known == feed) {
            return *domain;
        }
        let historical = shared.world.feeds.get(feed).is_some_and(|feed| feed.historical);
        let domain = if historical { shared.world.domains.historical(feed, topic) } else { LIVE };
        self.domains.push((feed, domain));
        domain
    }

    /// Notes a mark; whether it is another than the last one.
    pub(crate) fn mark(&mut self, domain: u8, watermark: i64) -> bool {
        match self.marked.iter_mut().find(|(known, _)| *known == domain) {
            Some((_, last)) if *last == watermark => false,
            Some((_, last)) => {
                *last = watermark;
                true
            }
            None => {
                self.marked.push((domain, watermark));
                true
            }
        }
    }
}
