//! The panes of one minute and one shard: an index by (area, metric group) over blocks of aggregates that lie together.

use super::{
    Aggregate, At, PANES, WIDTH,
    lane::{ByLane, Lane},
    sketch::{Shelf, Sketch, SketchKey},
};
use gridwarden_geo::ahead::ask_for;
use hashbrown::HashMap;
use smallvec::SmallVec;

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

/// Where a block lies: start × 8 + number of columns; 0 columns: there is none.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span(u32);

impl Span {
    fn new(start: usize, width: usize) -> Self {
        Self((start as u32) << 3 | width as u32)
    }

    fn start(self) -> usize {
        (self.0 >> 3) as usize
    }

    fn width(self) -> usize {
        (self.0 & 7) as usize
    }
}

/// Aggregates in pages, so that more of them never means moving those that are there. A block lies in one page.
#[derive(Default)]
struct Cells(Vec<Vec<Aggregate>>);

/// Aggregates in a page: 32 KiB.
const PAGE: usize = 512;

impl Cells {
    #[inline]
    fn get(&self, span: Span) -> &[Aggregate] {
        let from = span.start() % PAGE;
        let page = self.0.get(span.start() / PAGE);
        page.and_then(|page| page.get(from..from + span.width())).unwrap_or_default()
    }

    #[inline]
    fn get_mut(&mut self, span: Span) -> &mut [Aggregate] {
        let from = span.start() % PAGE;
        let page = self.0.get_mut(span.start() / PAGE);
        page.and_then(|page| page.get_mut(from..from + span.width())).unwrap_or_default()
    }

    /// A wider copy of a block; the old place is given up. Rare but for new blocks: a source began to send one more value.
    fn grown(&mut self, old: Span, columns: usize) -> Span {
        let width = columns.min(WIDTH);
        let mut cells = [Aggregate::EMPTY; WIDTH];
        for (cell, known) in cells.iter_mut().zip(self.get(old)) {
            *cell = *known;
        }
        if self.0.last().is_none_or(|page| page.len() + width > PAGE) {
            self.0.push(Vec::with_capacity(PAGE));
        }
        let number = self.0.len() - 1;
        let Some(page) = self.0.last_mut() else { return old };
        let start = number * PAGE + page.len();
        page.extend(cells.iter().take(width));
        Span::new(start, width)
    }

    fn bytes(&self) -> usize {
        self.0.len() * PAGE * size_of::<Aggregate>()
    }
}

/// The blocks of one key.
#[derive(Clone, Copy, Default)]
pub(crate) struct Entry {
    blocks: [Span; PANES],
    /// Panes changed since they were last emitted, one bit each, and [`MINUTE`].
    dirty: u8,
}

/// The bit of a key whose panes were emitted without the minute they belong to.
pub(crate) const MINUTE: u8 = 1 << PANES;

/// One shard of one minute.
#[derive(Default)]
pub(crate) struct Shard {
    entries: HashMap<Key, Entry, foldhash::fast::FixedState>,
    cells: Cells,
    /// Of the metrics that have them.
    pub(super) sketches: Shelf,
    /// Keys with a dirty pane, each once, those put back in the last lane.
    dirty: ByLane<Vec<Key>>,
    /// Whether it is still to be copied, as it is.
    pub(super) due: bool,
    /// Whether it may have changed since it was copied last.
    pub(super) changed: bool,
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
}

impl Shard {
    /// The columns of a pane, at least `columns` of them, marked dirty.
    #[inline]
    pub(crate) fn block(&mut self, key: Key, (pane, columns): (usize, usize), lane: Lane) -> &mut [Aggregate] {
        let entry = self.entries.entry(key).or_default();
        if entry.dirty == 0 {
            self.dirty.of_mut(lane).push(key);
        }
        entry.dirty |= 1 << pane;
        let Some(span) = entry.blocks.get_mut(pane) else { return &mut [] };
        if span.width() < columns {
            *span = self.cells.grown(*span, columns);
        }
        self.cells.get_mut(*span)
    }

    /// Changes the sketch of a column of a pane, marked dirty.
    pub(crate) fn sketch(&mut self, (key, column): (Key, usize), at: (usize, Lane), change: impl FnOnce(&mut Sketch)) {
        let (pane, lane) = at;
        self.block(key, (pane, 0), lane);
        self.sketches.change(SketchKey::new(key, column), pane, change);
    }

    /// The columns of a pane, none if nothing came.
    pub(crate) fn pane(&self, entry: &Entry, pane: usize) -> &[Aggregate] {
        let span = entry.blocks.get(pane).copied().unwrap_or_default();
        self.cells.get(span)
    }

    /// Where the block of a pane lies, if it is there; of use with [`Shard::ask`] only.
    #[inline]
    pub(crate) fn guess(&self, key: Key, pane: usize) -> Span {
        let span = self.entries.get(&key).and_then(|entry| entry.blocks.get(pane));
        span.copied().unwrap_or_default()
    }

    /// Asks for a block.
    #[inline]
    pub(crate) fn ask(&self, block: Span) {
        ask_for(self.cells.get(block));
    }

    /// The columns of the whole minute.
    pub(crate) fn minute(&self, entry: &Entry) -> [Aggregate; WIDTH] {
        let mut sum = [Aggregate::EMPTY; WIDTH];
        for pane in 0..PANES {
            for (whole, part) in sum.iter_mut().zip(self.pane(entry, pane)) {
                whole.merge(part);
            }
        }
        sum
    }

    /// Every key and its entry.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Key, &Entry)> {
        self.entries.iter().map(|(key, entry)| (*key, entry))
    }

    /// The entry of a key.
    pub(crate) fn entry(&self, key: Key) -> Option<&Entry> {
        self.entries.get(&key)
    }

    /// Takes the keys of a lane with dirty panes away; put back what stays dirty with [`Shard::keep_dirty`].
    pub(crate) fn take_dirty(&mut self, lane: Lane) -> Vec<Key> {
        std::mem::take(self.dirty.of_mut(lane))
    }

    /// Clears the dirty bits in `clean` and sets those in `more`; when any remain, the key is listed again.
    pub(crate) fn keep_dirty(&mut self, key: Key, (clean, more): (u8, u8), lane: Lane) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.dirty = entry.dirty & !clean | more;
        if entry.dirty != 0 {
            self.dirty.of_mut(lane).push(key);
        }
    }

    /// For saving: the columns of each pane, those that hold nothing left out, and their values.
    pub(super) fn cells_of(&self, entry: &Entry) -> ([u8; PANES], SmallVec<[Aggregate; 8]>) {
        let mut cells = SmallVec::new();
        let widths = std::array::from_fn(|pane| {
            let columns = self.pane(entry, pane);
            cells.extend_from_slice(columns);
            columns.len() as u8
        });
        (widths, cells)
    }

    /// Puts back what [`Shard::cells_of`] gave, beside what has come for the key since.
    pub(super) fn put_back(&mut self, key: Key, dirty: u8, widths: [u8; PANES], cells: &[Aggregate]) {
        let entry = self.entries.entry(key).or_default();
        let listed = entry.dirty != 0;
        entry.dirty |= dirty;
        if !listed && dirty != 0 {
            self.dirty.of_mut(Lane::Last).push(key);
        }
        let mut rest = cells;
        for (span, width) in entry.blocks.iter_mut().zip(widths).filter(|(_, width)| *width > 0) {
            let (columns, left) = rest.split_at(rest.len().min(usize::from(width)));
            rest = left;
            if span.width() < columns.len() {
                *span = self.cells.grown(*span, columns.len());
            }
            for (cell, saved) in self.cells.get_mut(*span).iter_mut().zip(columns) {
                cell.merge(saved);
            }
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
        self.lent = Some(Lent { dirty: self.is_dirty() });
        (self.entries, self.cells, self.dirty, self.sketches) = Default::default();
    }

    /// Whether it holds nothing here.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many keys it holds.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
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
        self.cells.bytes()
            + self.entries.capacity() * (size_of::<(Key, Entry)>() + 1)
            + Lane::ALL.into_iter().map(|lane| self.dirty.of(lane).capacity()).sum::<usize>() * size_of::<Key>()
            + self.sketches.bytes()
    }
}

impl Entry {
    /// What changed since it was last emitted.
    pub(crate) fn dirty(&self) -> u8 {
        self.dirty
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
