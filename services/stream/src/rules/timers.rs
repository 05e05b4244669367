//! Holds that may become due, by watermark domain. A hold that ends early leaves its timer behind; those are thinned out
//! when they crowd, so that a value that swings about its level costs no more memory than one that stays.

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

    /// Keeps those something waits for.
    pub(super) fn thin(&mut self, waits: impl Fn(&Timer) -> bool) {
        for heap in self.domains.values_mut() {
            heap.timers.retain(|Reverse(timer)| waits(timer));
            heap.left = heap.timers.len();
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
