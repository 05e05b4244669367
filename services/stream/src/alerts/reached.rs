//! How far `alerts.v1` is known to be written, as checkpoints name it.

use crate::checkpoint::AlertPlace;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// From where each partition of `alerts.v1` may hold what a checkpoint does not: behind what is known to be written, once all
/// that stood there at the start was decided again. Until then from where it was read: who begins with a checkpoint that has
/// not come so far must learn it as well.
#[derive(Clone, Default)]
pub(crate) struct Reached {
    /// The process.
    own: usize,
    bounds: Arc<Mutex<Bounds>>,
}

#[derive(Default)]
struct Bounds {
    /// Behind what is known to be written in each partition, and behind this process's fence.
    known: Vec<AlertPlace>,
    /// From where each was read, until all of that is decided again.
    from: Option<Vec<AlertPlace>>,
    /// Processes that have not decided all of that again yet.
    awaited: BTreeSet<usize>,
}

impl Reached {
    /// Read from some places to where each partition ended behind the fence of `generation`, by process `own`; `others` will say
    /// how far they are.
    pub(super) fn new(
        from: &[AlertPlace],
        (ends, generation): (&[i64], u32),
        (own, others): (usize, Range<usize>),
    ) -> Self {
        let known: Vec<AlertPlace> = (0i32..)
            .zip(ends)
            .map(|(partition, end)| AlertPlace { partition, next: *end, fence: generation })
            .collect();
        let start = |place: &AlertPlace| {
            let beginning = AlertPlace { next: 0, fence: 0, ..*place };
            from.iter().find(|start| start.partition == place.partition).copied().unwrap_or(beginning)
        };
        let from = known.iter().map(start).collect();
        let awaited = others.chain([own]).collect();
        Self { own, bounds: Arc::new(Mutex::new(Bounds { known, from: Some(from), awaited })) }
    }

    fn bounds(&self) -> std::sync::MutexGuard<'_, Bounds> {
        self.bounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, partition: i32, offset: i64) {
        let mut bounds = self.bounds();
        if let Some(place) = bounds.known.iter_mut().find(|place| place.partition == partition) {
            place.next = place.next.max(offset + 1);
        }
    }

    /// All that stood there at the start is decided again in this process.
    pub(super) fn settle(&self) {
        self.settled(self.own);
    }

    fn settled(&self, process: usize) {
        let mut bounds = self.bounds();
        bounds.awaited.remove(&process);
        if bounds.awaited.is_empty() {
            bounds.from = None;
        }
    }

    /// Another process knows it to be written so far. What it writes later comes later, so this only spares reading.
    pub(crate) fn heard(&self, process: usize, places: &[AlertPlace], settled: bool) {
        places.iter().for_each(|place| self.note(place.partition, place.next - 1));
        if settled {
            self.settled(process);
        }
    }

    /// For another process: behind what is known to be written, and whether all that stood there at the start is decided again.
    pub(crate) fn told(&self) -> (Vec<AlertPlace>, bool) {
        let bounds = self.bounds();
        (bounds.known.clone(), bounds.awaited.is_empty())
    }

    /// From where each partition may hold what a checkpoint of now does not.
    pub(crate) fn places(&self) -> Vec<AlertPlace> {
        let bounds = self.bounds();
        bounds.from.as_ref().unwrap_or(&bounds.known).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_says_where_its_process_began_until_all_of_that_is_decided_again() {
        let from = [AlertPlace { partition: 0, next: 3, fence: 4 }];
        let reached = Reached::new(&from, (&[9, 4], 6), (0, 1..1));
        let places = |reached: &Reached| {
            reached.places().iter().map(|place| (place.partition, place.next, place.fence)).collect::<Vec<_>>()
        };
        reached.note(1, 6);
        reached.note(7, 1);
        assert_eq!(places(&reached), [(0, 3, 4), (1, 0, 0)]);
        reached.settle();
        assert_eq!(places(&reached), [(0, 9, 6), (1, 7, 6)]);
    }

    #[test]
    fn of_several_processes_all_must_have_decided_again() {
        let nexts = |reached: &Reached| reached.places().iter().map(|place| place.next).collect::<Vec<_>>();
        let (leads, follows) = (Reached::new(&[], (&[9, 4], 6), (0, 1..3)), Reached::new(&[], (&[9, 4], 6), (2, 0..0)));
        leads.settle();
        follows.note(0, 11);
        let (known, settled) = follows.told();
        leads.heard(2, &known, settled);
        leads.heard(1, &[], true);
        assert_eq!(nexts(&leads), [0, 0], "one is not settled");
        follows.settle();
        let (known, settled) = follows.told();
        leads.heard(2, &known, settled);
        assert_eq!((nexts(&leads), nexts(&follows)), (vec![12, 4], vec![12, 4]));
    }
}
