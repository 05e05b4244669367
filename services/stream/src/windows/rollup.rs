//! From leaves to the areas above: each worker sums what it read for every area above a leaf and sends the sums to the
//! owners, who merge them. Sums of disjoint sets of events, so order does not matter (`WIN-1`).

use super::{
    Aggregate, Delta, Lane, Partial, Share, WIDTH, minute, pane_of,
    sketch::{Cell, Piece, SketchSums, Slot as SketchSlot},
};
use hashbrown::HashMap;

/// An area as the roll-up sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Above {
    /// Number of the area, for all workers.
    pub(crate) area: u32,
    /// Shard of the area.
    pub(crate) shard: u16,
    /// Its level: smaller than that of the areas below.
    pub(crate) level: u8,
    /// When its rows are written.
    pub(crate) lane: Lane,
}

/// The tree of areas in one version of the layers.
pub(crate) trait Tree {
    /// The area with this place in the tree.
    fn area(&self, place: u32) -> Option<Above>;
    /// The place of the area above.
    fn parent(&self, place: u32) -> Option<u32>;
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Slot {
    pane: i64,
    place: u32,
    group: u16,
    domain: u8,
}

type Sums = HashMap<Slot, [Aggregate; WIDTH], foldhash::fast::FixedState>;

/// Sums not sent yet, by level.
#[derive(Default)]
pub(crate) struct Rollup {
    levels: Vec<Sums>,
    sketches: SketchSums,
    events: u64,
}

impl Rollup {
    /// Adds an event to the area at `place`, which is above the one the delta is for.
    #[inline]
    pub(crate) fn add(&mut self, place: u32, level: u8, delta: &Delta) {
        let slot = Slot { pane: pane_of(delta.time), place, group: delta.group, domain: delta.domain };
        let sums = self.level(level).entry(slot).or_insert([Aggregate::EMPTY; WIDTH]);
        minute::add(sums, &delta.values, delta.mask, delta.time, delta.at);
        self.events += 1;
    }

    /// Adds an event to the sketch of the area at a place.
    pub(crate) fn sketch(&mut self, level: u8, slot: SketchSlot, cells: impl Iterator<Item = Cell>) {
        self.sketches.add(level, slot, cells);
        self.events += 1;
    }

    fn level(&mut self, level: u8) -> &mut Sums {
        let level = usize::from(level);
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Sums::default);
        }
        // Just made long enough.
        #[allow(clippy::indexing_slicing, reason = "resized above")]
        &mut self.levels[level]
    }

    /// Whether there is nothing to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Hands out every sum, of every level up to the root, and forgets them.
    pub(crate) fn drain(&mut self, tree: &impl Tree, mut send: impl FnMut(Partial)) {
        self.events = 0;
        self.sketches.drain(tree, |slot, area, piece| send(sketched(slot, area, piece)));
        for level in (0..self.levels.len()).rev() {
            let mut sums = self.levels.get_mut(level).map(std::mem::take).unwrap_or_default();
            for (slot, aggregates) in sums.drain() {
                let Some(above) = tree.area(slot.place) else { continue };
                send_sums(&slot, above, &aggregates, &mut send);
                self.lift(tree, level, slot, &aggregates);
            }
            // Empty, but large enough for the next time.
            if let Some(kept) = self.levels.get_mut(level) {
                *kept = sums;
            }
        }
    }

    fn lift(&mut self, tree: &impl Tree, from: usize, slot: Slot, aggregates: &[Aggregate; WIDTH]) {
        let Some(place) = tree.parent(slot.place) else { return };
        let Some(above) = tree.area(place) else { return };
        // A layer whose parents were not above their children is refused when it is read.
        debug_assert!(usize::from(above.level) < from, "parents stand above");
        let sums = self.level(above.level).entry(Slot { place, ..slot }).or_insert([Aggregate::EMPTY; WIDTH]);
        for (sum, part) in sums.iter_mut().zip(aggregates) {
            sum.merge(part);
        }
    }
}

fn sketched(slot: &SketchSlot, area: Above, piece: Piece) -> Partial {
    Partial {
        share: Share::Sketch(piece),
        pane: slot.pane,
        area: area.area,
        group: (slot.metric / WIDTH as u32) as u16,
        shard: area.shard,
        domain: slot.domain,
        column: (slot.metric % WIDTH as u32) as u8,
        lane: area.lane,
    }
}

fn send_sums(slot: &Slot, above: Above, aggregates: &[Aggregate; WIDTH], send: &mut impl FnMut(Partial)) {
    for (column, aggregate) in (0u8..).zip(aggregates) {
        if aggregate.count > 0 {
            send(Partial {
                share: Share::Sum(*aggregate),
                pane: slot.pane,
                area: above.area,
                group: slot.group,
                shard: above.shard,
                domain: slot.domain,
                column,
                lane: above.lane,
            });
        }
    }
}
