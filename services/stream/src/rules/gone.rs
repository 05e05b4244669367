//! Rules that are no longer in force: what they held against entities ends (`RUL-2`).

use super::{Change, EntityRules, Held, Phase, act::cleared, book::Book};
use std::sync::Arc;

/// Rules that are no longer in force, as they were.
pub(crate) struct Gone {
    pub(super) book: Arc<Book>,
    pub(super) slots: Vec<u32>,
}

impl Gone {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes their state from an entity and clears its open alerts (`RUL-2`).
    pub(crate) fn release(&self, time: i64, state: &mut EntityRules, out: &mut Vec<Change>) {
        state.inside.retain(|slot| !self.slots.contains(slot));
        state.held.retain(|held| {
            if !self.slots.contains(&held.slot) {
                return true;
            }
            if let (Held { phase: Phase::Open(open), .. }, Some(ready)) = (held, self.book.rule(held.slot)) {
                out.push(cleared(ready, *open, time, None));
            }
            false
        });
    }
}
