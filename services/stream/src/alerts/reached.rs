//! How far `alerts.v1` is known to be written, as checkpoints name it.

use crate::checkpoint::AlertPlace;
use std::sync::{Arc, Mutex, PoisonError};

/// From where each partition of `alerts.v1` may hold what a checkpoint does not: behind what is known to be written, once all
/// that stood there at the start was decided again. Until then from where it was read: who begins with a checkpoint that has
/// not come so far must learn it as well.
#[derive(Clone, Default)]
pub(crate) struct Reached(Arc<Mutex<Bounds>>);

#[derive(Default)]
struct Bounds {
    /// Behind what is known to be written in each partition, and behind this process's fence.
    known: Vec<AlertPlace>,
    /// From where each was read, until all of that is decided again.
    from: Option<Vec<AlertPlace>>,
}

impl Reached {
    /// Read from some places to where each partition ended behind the fence of `generation`.
    pub(super) fn new(from: &[AlertPlace], ends: &[i64], generation: u32) -> Self {
        let known: Vec<AlertPlace> = (0i32..)
            .zip(ends)
            .map(|(partition, end)| AlertPlace { partition, next: *end, fence: generation })
            .collect();
        let start = |place: &AlertPlace| {
            let beginning = AlertPlace { next: 0, fence: 0, ..*place };
            from.iter().find(|start| start.partition == place.partition).copied().unwrap_or(beginning)
        };
        let from = known.iter().map(start).collect();
        Self(Arc::new(Mutex::new(Bounds { known, from: Some(from) })))
    }

    fn bounds(&self) -> std::sync::MutexGuard<'_, Bounds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, partition: i32, offset: i64) {
        let mut bounds = self.bounds();
        if let Some(place) = bounds.known.iter_mut().find(|place| place.partition == partition) {
            place.next = place.next.max(offset + 1);
        }
    }

    /// All that stood there at the start is decided again.
    pub(super) fn settle(&self) {
        self.bounds().from = None;
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
        let reached = Reached::new(&from, &[9, 4], 6);
        let places = |reached: &Reached| {
            reached.places().iter().map(|place| (place.partition, place.next, place.fence)).collect::<Vec<_>>()
        };
        reached.note(1, 6);
        reached.note(7, 1);
        assert_eq!(places(&reached), [(0, 3, 4), (1, 0, 0)]);
        reached.settle();
        assert_eq!(places(&reached), [(0, 9, 6), (1, 7, 6)]);
    }
}
