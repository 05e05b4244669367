//! Sketches of what a worker read, area by area, until its next turn: then they go to the owners, lifted from leaves to the
//! areas above as sums are.

use super::{Cell, Piece, Sketch};
use crate::windows::{Above, Tree};
use hashbrown::HashMap;

/// Of what.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    /// Start of the pane, epoch milliseconds.
    pub(crate) pane: i64,
    /// The area's place in the tree.
    pub(crate) place: u32,
    /// Number of the metric.
    pub(crate) metric: u32,
    /// Watermark domain.
    pub(crate) domain: u8,
    /// Whether the areas above get it from here. Not where areas overlap: there each is told itself.
    pub(crate) rises: bool,
}

type Sums = HashMap<Slot, Sketch, foldhash::fast::FixedState>;

/// Sketches not sent yet, by level of their area.
#[derive(Default)]
pub(crate) struct SketchSums(Vec<Sums>);

impl SketchSums {
    /// Adds an event to an area.
    pub(crate) fn add(&mut self, level: u8, slot: Slot, cells: impl Iterator<Item = Cell>) {
        self.level(level).entry(slot).or_default().add_event(cells);
    }

    fn level(&mut self, level: u8) -> &mut Sums {
        let level = usize::from(level);
        if self.0.len() <= level {
            self.0.resize_with(level + 1, Sums::default);
        }
        // Just made long enough.
        #[allow(clippy::indexing_slicing, reason = "resized above")]
        &mut self.0[level]
    }

    /// Hands out every sketch, of every level up to the root, and forgets them.
    pub(crate) fn drain(&mut self, tree: &impl Tree, mut send: impl FnMut(&Slot, Above, Piece)) {
        for level in (0..self.0.len()).rev() {
            let sums = self.0.get_mut(level).map(std::mem::take).unwrap_or_default();
            for (slot, sketch) in sums {
                let Some(area) = tree.area(slot.place) else { continue };
                sketch.pieces(|piece| send(&slot, area, piece));
                let parent = tree.parent(slot.place).filter(|_| slot.rises);
                if let Some((place, above)) = parent.and_then(|place| Some((place, tree.area(place)?))) {
                    debug_assert!(usize::from(above.level) < level, "parents stand above");
                    self.level(above.level).entry(Slot { place, ..slot }).or_default().merge(&sketch);
                }
            }
        }
    }
}
