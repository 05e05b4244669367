//! The sketches of one minute and one shard, beside its sums.

use super::Sketch;
use crate::windows::{PANES, WIDTH, minute::Key};
use hashbrown::HashMap;
use std::sync::Arc;

/// (area, metric).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct SketchKey(u64);

impl SketchKey {
    /// A column of a key.
    pub(crate) fn new(key: Key, column: usize) -> Self {
        let metric = u64::from(key.group()) * WIDTH as u64 + column as u64;
        Self(u64::from(key.area()) << 32 | metric)
    }

    /// As one number.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// From that number.
    pub(crate) fn of(number: u64) -> Self {
        Self(number)
    }

    /// Number of the metric.
    pub(crate) fn metric(self) -> u32 {
        self.0 as u32
    }
}

/// Shared with copies until they change.
type Panes = Arc<[Sketch; PANES]>;

/// Sketches by key, pane by pane. Empty for metrics nobody asks them of.
#[derive(Clone, Default)]
pub(crate) struct Shelf {
    panes: HashMap<SketchKey, Panes, foldhash::fast::FixedState>,
    /// Room for cells, in bytes.
    bytes: usize,
}

impl Shelf {
    /// Changes the sketch of a pane.
    pub(crate) fn change(&mut self, key: SketchKey, pane: usize, change: impl FnOnce(&mut Sketch)) {
        let Some(sketch) = Arc::make_mut(self.panes.entry(key).or_default()).get_mut(pane) else { return };
        let before = sketch.room();
        change(sketch);
        self.bytes += sketch.room().saturating_sub(before);
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.panes.is_empty()
    }

    /// The sketch of a pane.
    pub(crate) fn pane(&self, key: SketchKey, pane: usize) -> Option<&Sketch> {
        self.panes.get(&key)?.get(pane)
    }

    /// Of the whole minute.
    pub(crate) fn minute(&self, key: SketchKey) -> Option<Sketch> {
        let panes = self.panes.get(&key)?;
        let mut whole = Sketch::default();
        panes.iter().for_each(|pane| whole.merge(pane));
        Some(whole)
    }

    /// Every sketch that holds something: key, pane.
    pub(crate) fn all(&self) -> impl Iterator<Item = (SketchKey, usize, &Sketch)> {
        self.panes.iter().flat_map(|(key, panes)| {
            let held = panes.iter().enumerate().filter(|(_, sketch)| sketch.events > 0 || sketch.torn);
            held.map(|(pane, sketch)| (*key, pane, sketch))
        })
    }

    /// Bytes held, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.panes.len() * (size_of::<[Sketch; PANES]>() + size_of::<(SketchKey, Panes)>())
    }
}
