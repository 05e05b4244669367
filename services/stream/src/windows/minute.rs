//! One minute of one shard: its sums, and which of them are still to be written.

use super::{
    Aggregate, At, PANES, WIDTH,
    lane::{ByLane, Lane},
    sketch::{Sketch, SketchKey},
    sums::Sums,
};

/// (area, metric group).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Key(u64);

impl Key {
    #[inline]
    pub(crate) fn new(area: u32, group: u16) -> Self {
        Self((u64::from(area) << 16) | u64::from(group))
    }

    /// As one number.
    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// From that number.
    pub(super) fn of(number: u64) -> Self {
        Self(number)
    }

    pub(crate) fn area(self) -> u32 {
        (self.0 >> 16) as u32
    }

    pub(crate) fn group(self) -> u16 {
        self.0 as u16
    }
}

/// The bit of a key whose panes were emitted without the minute they belong to.
pub(crate) const MINUTE: u8 = 1 << PANES;

/// One shard of one minute.
#[derive(Default)]
pub(crate) struct Shard {
    pub(super) sums: Sums,
    /// Keys with a dirty pane, each once, those put back in the last lane.
    dirty: ByLane<Vec<Key>>,
    /// Whether its sums may differ from what lies in the newest checkpoint.
    pub(super) sums_changed: bool,
    /// Whether fewer rows may be owed than the newest checkpoint says, or more.
    pub(super) owed_changed: bool,
    /// The chunk its rows were last handed out in.
    pub(super) handed: u32,
    /// What it held before lies in the newest checkpoint; what is here came since.
    pub(super) lent: Option<Lent>,
}

/// What is known of what was lent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lent {
    /// Whether rows are owed from it, besides those the whole minute owes.
    pub(super) dirty: bool,
    /// What it took here, in bytes.
    pub(super) bytes: usize,
}

impl Shard {
    /// The columns of a pane, at least `columns` of them, marked dirty.
    #[inline]
    pub(crate) fn block(&mut self, key: Key, of: (usize, usize), lane: Lane) -> &mut [Aggregate] {
        self.sums_changed = true;
        let dirty = self.dirty.of_mut(lane);
        self.sums.block(key, of, || dirty.push(key))
    }

    /// Changes the sketch of a column of a pane, marked dirty.
    pub(crate) fn sketch(&mut self, (key, column): (Key, usize), at: (usize, Lane), change: impl FnOnce(&mut Sketch)) {
        let (pane, lane) = at;
        self.block(key, (pane, 0), lane);
        self.sums.change_sketch(SketchKey::new(key, column), pane, change);
    }

    /// Takes the keys of a lane with dirty panes away; put back what stays dirty with [`Shard::keep_dirty`].
    pub(crate) fn take_dirty(&mut self, lane: Lane) -> Vec<Key> {
        std::mem::take(self.dirty.of_mut(lane))
    }

    /// Clears the dirty bits in `clean` and sets those in `more`; when any remain, the key is listed again.
    pub(crate) fn keep_dirty(&mut self, key: Key, (clean, more): (u8, u8), lane: Lane) {
        let Some(entry) = self.sums.known_mut(key) else { return };
        entry.dirty = entry.dirty & !clean | more;
        if entry.dirty != 0 {
            self.dirty.of_mut(lane).push(key);
        }
    }

    /// Adds what was saved of a key to what has come for it since.
    pub(super) fn put_back(&mut self, key: Key, dirty: u8, widths: [u8; PANES], cells: &[Aggregate]) {
        let before = self.sums.put_back(key, (dirty, widths), cells);
        if before == 0 && dirty != 0 {
            self.dirty.of_mut(Lane::Last).push(key);
        }
    }

    /// Whether a part of it lies in the newest checkpoint only.
    pub(super) fn is_lent(&self) -> bool {
        self.lent.is_some()
    }

    /// Whether it has something to say, here or where it is lent.
    pub(super) fn owes(&self) -> bool {
        Lane::ALL.into_iter().any(|lane| self.owes_in(lane))
    }

    /// Forgets what it holds, for the newest checkpoint has it.
    pub(super) fn lend(&mut self) {
        self.lent = Some(Lent { dirty: self.is_dirty(), bytes: self.bytes() });
        (self.sums, self.dirty) = Default::default();
    }

    /// Whether it holds nothing here.
    pub(super) fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// Whether something is dirty.
    pub(crate) fn is_dirty(&self) -> bool {
        Lane::ALL.into_iter().any(|lane| !self.dirty.of(lane).is_empty())
    }

    /// Whether something of a lane is dirty, here or, so far as that is known, where it is lent.
    pub(crate) fn owes_in(&self, lane: Lane) -> bool {
        !self.dirty.of(lane).is_empty() || lane == Lane::Last && self.lent.is_some_and(|lent| lent.dirty)
    }

    /// Bytes held, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let dirty: usize = Lane::ALL.into_iter().map(|lane| self.dirty.of(lane).capacity()).sum();
        self.sums.bytes() + dirty * size_of::<Key>()
    }
}

/// Adds what a delta's columns say.
#[inline]
pub(crate) fn add(block: &mut [Aggregate], values: &[i64; WIDTH], mask: u8, time: i64, at: At) {
    for (column, (aggregate, value)) in block.iter_mut().zip(values).enumerate() {
        if mask & (1 << column) != 0 {
            aggregate.add(*value, time, at);
        }
    }
}
