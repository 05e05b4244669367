//! Holds that may become due, by watermark domain. A hold that ends early leaves its timer behind; those are thinned out
//! when they crowd, so that a value that swings about its level costs no more memory than one that stays.

use hashbrown::HashSet;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// A hold that may become due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timer {
    /// Event time at which it is due.
    pub(super) due: i64,
    /// The entity.
    pub(crate) entity: u32,
    /// The rule.
    pub(super) slot: u32,
}

/// Whether something waits for a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// Nothing does any more.
    No,
    /// Something waits for this one.
    Yes,
    /// Something waits for one of this entity and rule, whichever is the first: it looks, when due, and goes on.
    ForOne,
}

/// So many of one domain are no crowd yet.
const FEW: usize = 4_096;

#[derive(Default)]
struct Heap {
    timers: BinaryHeap<Reverse<Timer>>,
    /// How many were left when it was thinned out last.
    left: usize,
}

/// All timers of a partition.
#[derive(Default)]
pub(super) struct Timers {
    domains: BTreeMap<u8, Heap>,
    crowded: bool,
}

impl Timers {
    pub(super) fn push(&mut self, domain: u8, timer: Timer) {
        let heap = self.domains.entry(domain).or_default();
        heap.timers.push(Reverse(timer));
        self.crowded |= heap.timers.len() > FEW.max(heap.left * 2);
    }

    /// The next that is due by a domain's clock, taken out.
    #[inline]
    pub(super) fn due(&mut self, domain: u8, clock: i64) -> Option<Timer> {
        if self.domains.is_empty() {
            return None;
        }
        let heap = self.domains.get_mut(&domain)?;
        if heap.timers.peek()?.0.due > clock {
            return None;
        }
        heap.timers.pop().map(|Reverse(timer)| timer)
    }

    #[inline]
    pub(super) fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Keeps those something waits for; where one is enough, the first that is due.
    pub(super) fn thin(&mut self, waits: impl Fn(&Timer) -> Waits) {
        for heap in self.domains.values_mut() {
            // Ascending by `Reverse`: the last to be due comes first.
            let mut timers = std::mem::take(&mut heap.timers).into_sorted_vec();
            timers.reverse();
            let mut once = HashSet::new();
            timers.retain(|Reverse(timer)| match waits(timer) {
                Waits::No => false,
                Waits::Yes => true,
                Waits::ForOne => once.insert((timer.entity, timer.slot)),
            });
            heap.left = timers.len();
            heap.timers = timers.into();
        }
        self.crowded = false;
    }

    /// For saving, in any order.
    pub(super) fn all(&self) -> impl Iterator<Item = (u8, Timer)> + '_ {
        self.domains.iter().flat_map(|(domain, heap)| heap.timers.iter().map(|Reverse(timer)| (*domain, *timer)))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.domains.values().map(|heap| heap.timers.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_one_is_enough_the_first_stays() {
        let mut timers = Timers::default();
        for due in (0..3 * FEW as i64).rev() {
            timers.push(0, Timer { due, entity: 7, slot: (due % 2) as u32 });
            timers.push(0, Timer { due, entity: 8, slot: 0 });
        }
        assert!(timers.is_crowded());
        timers.thin(|timer| match timer.entity {
            7 => Waits::ForOne,
            _ if timer.due < 10 => Waits::Yes,
            _ => Waits::No,
        });
        let mut left: Vec<Timer> = timers.all().map(|(_, timer)| timer).filter(|timer| timer.entity == 7).collect();
        left.sort_unstable();
        let first = |due: i64, slot| Timer { due, entity: 7, slot };
        assert_eq!((left, timers.len()), (vec![first(0, 0), first(1, 1)], 12));
        assert_eq!(timers.due(0, i64::MAX), Some(first(0, 0)));
    }
}
