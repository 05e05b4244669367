//! Ids seen lately: an id that comes again within `max_age` marks a repeat of a record that was taken already.
//!
//! `INT-3` what is a repeat is a function of the records before it in its own partition. What is remembered is bounded: the
//! last ids of each source, the last ids of reports (and origins of messages sent again) of each partition. An id older than that
//! is new again.

use gridwarden_domain::origin::Origin;
use gridwarden_geo::ahead::ask_for_item;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// An id's place in memory: 64 bits of its hash, the same for ever.
#[inline]
pub(crate) fn fingerprint(id: &str) -> u64 {
    foldhash::quality::FixedState::with_seed(0x6964).hash_one(id)
}

/// The same for where a message sent again stood first; another seed keeps it apart from ids that look like it.
#[cold]
pub(crate) fn fingerprint_of_origin(origin: &Origin) -> u64 {
    foldhash::quality::FixedState::with_seed(0x6f72).hash_one(origin.record)
}

/// An id of a source: fingerprint, and append time to the second. Both in halves, for a number of 64 bits would take 16 bytes of
/// every entity's every id instead of 12.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "(u64, i64)", into = "(u64, i64)")]
pub(crate) struct SeenId {
    high: u32,
    low: u32,
    at_s: u32,
}

impl SeenId {
    #[inline]
    fn id(&self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }
}

impl From<(u64, i64)> for SeenId {
    /// Fingerprint, and append time in milliseconds.
    #[inline]
    fn from((id, appended): (u64, i64)) -> Self {
        Self { high: (id >> 32) as u32, low: id as u32, at_s: seconds(appended) }
    }
}

impl From<SeenId> for (u64, i64) {
    fn from(seen: SeenId) -> Self {
        (seen.id(), i64::from(seen.at_s) * 1000)
    }
}

/// Whole seconds of an append time, until the year 2106.
#[inline]
fn seconds(appended: i64) -> u32 {
    u32::try_from(appended.div_euclid(1000).max(0)).unwrap_or(u32::MAX)
}

/// Ids a source is given room for at a time.
const STEP: usize = 8;

/// The last ids of one source: few, looked through one by one, and mostly not even that.
#[derive(Default)]
pub(crate) struct SourceIds {
    /// A ring once it is full.
    seen: Vec<SeenId>,
    next: usize,
    /// Two bits per fingerprint in `seen`: where one is missing, it is new for certain.
    filter: [u128; 2],
}

impl SourceIds {
    /// Whether an id was there within `max_age`, to the second; it is remembered otherwise, as one of `most`.
    #[inline]
    pub(crate) fn is_repeat(&mut self, id: u64, appended: i64, max_age: i64, most: usize) -> bool {
        if self.may_be_there(id)
            && let Some(seen) = self.seen.iter_mut().find(|seen| seen.id() == id)
        {
            let age = seconds(appended).saturating_sub(seen.at_s);
            let repeats = i64::from(age) <= max_age / 1000;
            if !repeats {
                seen.at_s = seconds(appended);
            }
            return repeats;
        }
        self.remember(id, appended, most);
        false
    }

    /// Asks for where the next id will be put.
    #[inline]
    pub(crate) fn ask(&self) {
        ask_for_item(&self.seen, self.next);
    }

    #[inline]
    fn remember(&mut self, id: u64, appended: i64, most: usize) {
        self.filter = with(self.filter, id);
        let seen = SeenId::from((id, appended));
        if self.seen.len() < most {
            if self.seen.len() == self.seen.capacity() {
                self.seen.reserve_exact(STEP.min(most - self.seen.len()));
            }
            self.seen.push(seen);
            return;
        }
        if let Some(oldest) = self.seen.get_mut(self.next) {
            *oldest = seen;
        }
        self.next += 1;
        if self.next >= self.seen.len() {
            self.next = 0;
            self.filter = filter(&self.seen);
        }
    }

    /// For saving: the ring, and where its next id goes.
    pub(crate) fn saved(&self) -> (&[SeenId], u32) {
        (&self.seen, self.next as u32)
    }

    /// As it was saved.
    pub(crate) fn restored(seen: Vec<SeenId>, next: u32) -> Self {
        let filter = filter(&seen);
        Self { seen, next: next as usize, filter }
    }

    #[inline]
    fn may_be_there(&self, id: u64) -> bool {
        with(self.filter, id) == self.filter
    }
}

fn filter(seen: &[SeenId]) -> [u128; 2] {
    seen.iter().fold([0; 2], |filter, seen| with(filter, seen.id()))
}

/// A filter with the bits of one more fingerprint.
#[inline]
fn with([high, low]: [u128; 2], id: u64) -> [u128; 2] {
    [high | 1 << (id >> 57), low | 1 << (id & 127)]
}

/// The last ids of reports, and origins of messages sent again, in one partition.
#[derive(Default)]
pub(crate) struct PartIds {
    /// Append time by fingerprint.
    seen: HashMap<u64, i64, foldhash::fast::FixedState>,
    order: VecDeque<u64>,
}

impl PartIds {
    /// For saving: oldest first.
    pub(crate) fn saved(&self) -> Vec<(u64, i64)> {
        self.order.iter().filter_map(|id| Some((*id, *self.seen.get(id)?))).collect()
    }

    /// As it was saved.
    pub(crate) fn restored(saved: &[(u64, i64)]) -> Self {
        Self { seen: saved.iter().copied().collect(), order: saved.iter().map(|(id, _)| *id).collect() }
    }

    /// Whether an id was there within `max_age`; it is remembered otherwise, as one of `most`.
    pub(crate) fn is_repeat(&mut self, id: u64, appended: i64, max_age: i64, most: usize) -> bool {
        if let Some(at) = self.seen.get_mut(&id) {
            let repeats = appended.saturating_sub(*at) <= max_age;
            if !repeats {
                *at = appended;
            }
            return repeats;
        }
        self.remember(id, appended, most);
        false
    }

    /// Whether an id was there within `max_age`.
    pub(crate) fn knows(&self, id: u64, appended: i64, max_age: i64) -> bool {
        self.seen.get(&id).is_some_and(|at| appended.saturating_sub(*at) <= max_age)
    }

    /// Remembers an id as one of `most`.
    pub(crate) fn remember(&mut self, id: u64, appended: i64, most: usize) {
        if self.seen.insert(id, appended).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > most
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All ids ever, in order.
    #[derive(Default)]
    struct Naive(Vec<(u64, i64)>);

    impl Naive {
        fn is_repeat(&mut self, id: u64, appended: i64, max_age: i64, most: usize) -> bool {
            let from = self.0.len().saturating_sub(most);
            if let Some((_, at)) = self.0[from..].iter_mut().find(|(known, _)| *known == id) {
                let repeats = appended - *at <= max_age;
                *at = if repeats { *at } else { appended };
                return repeats;
            }
            self.0.push((id, appended));
            false
        }
    }

    proptest! {
        #[test]
        fn an_id_is_a_repeat_among_the_last_so_many_within_the_age(
            records in prop::collection::vec((0u16..40, 0i64..30), 1..400),
            most in 1usize..20,
            max_age_s in 0i64..400,
        ) {
            let (mut few, mut many) = (SourceIds::default(), PartIds::default());
            let (mut naive, mut clock, max_age) = (Naive::default(), 0, max_age_s * 1000);
            for (id, step) in records {
                // In whole seconds, for ids of a source have no others.
                clock += step * 1000;
                let id = fingerprint(&id.to_string());
                let expected = naive.is_repeat(id, clock, max_age, most);
                prop_assert_eq!(few.is_repeat(id, clock, max_age, most), expected);
                prop_assert_eq!(many.is_repeat(id, clock, max_age, most), expected);
                prop_assert!(few.seen.len() <= most && many.seen.len() <= most && many.order.len() <= most);
            }
        }
    }
}
