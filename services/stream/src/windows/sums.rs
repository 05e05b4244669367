//! What is known of one shard in one minute: an index by (area, metric group) over blocks of aggregates that lie together, and sketches.
//!
//! `CKP-5` a copy is made at once and stays as it was: blocks lie in pages, and a page is copied when it changes first.

use super::{
    Aggregate, PANES, WIDTH,
    minute::Key,
    shareable::Shareable,
    sketch::{Shelf, Sketch, SketchKey},
};
use gridwarden_geo::ahead::ask_for;
use hashbrown::HashMap;

/// Where a block lies: start × 8 + number of columns; 0 columns: there is none.
#[derive(Clone, Copy, Default)]
struct Span(u32);

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

/// Aggregates in a page: 4 KiB. What comes late changes a block here and there, and copies its page while a checkpoint is written: with
/// larger ones nearly all there are.
const PAGE: usize = 64;

/// Blocks that lie together; it never grows beyond the room it is made with.
#[derive(Default)]
struct Page(Vec<Aggregate>);

impl Page {
    fn new() -> Self {
        Self(Vec::with_capacity(PAGE))
    }
}

impl Clone for Page {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        copy.0.extend_from_slice(&self.0);
        copy
    }
}

/// Aggregates in pages, so that more of them never means moving those that are there. A block lies in one page.
#[derive(Default)]
struct Cells(Vec<Shareable<Page>>);

impl Cells {
    #[inline]
    fn get(&self, span: Span) -> &[Aggregate] {
        let from = span.start() % PAGE;
        let page = self.0.get(span.start() / PAGE);
        page.and_then(|page| page.get().0.get(from..from + span.width())).unwrap_or_default()
    }

    #[inline]
    fn pane(&self, entry: &Entry, pane: usize) -> &[Aggregate] {
        self.get(entry.blocks.get(pane).copied().unwrap_or_default())
    }

    fn panes(&self, entry: &Entry) -> [&[Aggregate]; PANES] {
        std::array::from_fn(|pane| self.pane(entry, pane))
    }

    #[inline]
    fn get_mut(&mut self, span: Span) -> &mut [Aggregate] {
        let from = span.start() % PAGE;
        let page = self.0.get_mut(span.start() / PAGE);
        page.and_then(|page| page.change().0.get_mut(from..from + span.width())).unwrap_or_default()
    }

    /// A wider copy of a block; the old place is given up. Rare but for new blocks: a source began to send one more value.
    fn grown(&mut self, old: Span, columns: usize) -> Span {
        let width = columns.min(WIDTH);
        let mut cells = [Aggregate::EMPTY; WIDTH];
        for (cell, known) in cells.iter_mut().zip(self.get(old)) {
            *cell = *known;
        }
        if self.0.last().is_none_or(|page| page.get().0.len() + width > PAGE) {
            self.0.push(Shareable::Own(Page::new()));
        }
        let number = self.0.len() - 1;
        let Some(page) = self.0.last_mut().map(Shareable::change) else { return old };
        let start = number * PAGE + page.0.len();
        page.0.extend(cells.iter().take(width));
        Span::new(start, width)
    }
}

/// The blocks of one key.
#[derive(Clone, Copy, Default)]
pub(crate) struct Entry {
    blocks: [Span; PANES],
    /// Panes changed since they were last emitted, one bit each, and [`MINUTE`](super::minute::MINUTE).
    pub(super) dirty: u8,
}

impl Entry {
    /// What changed since it was last emitted.
    pub(crate) fn dirty(&self) -> u8 {
        self.dirty
    }
}

type Entries = HashMap<Key, Entry, foldhash::fast::FixedState>;

/// The entries of a copy.
enum Copied {
    /// Held by the owner too, until it changes one.
    Shared(Shareable<Entries>),
    /// Of the copy alone, without the room a map keeps.
    Listed(Box<[(Key, Entry)]>),
}

/// Whether the owner is about to change what is copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Soon {
    /// Something comes for it all the time: its map would be copied whole at the next event.
    Changes,
    /// Little does, or nothing.
    Rests,
}

/// Sums and sketches as they were.
pub(super) struct SumsCopy {
    entries: Copied,
    cells: Cells,
    sketches: Shareable<Shelf>,
}

impl SumsCopy {
    /// Every key and its entry.
    pub(super) fn entries(&self) -> Vec<(Key, &Entry)> {
        match &self.entries {
            Copied::Shared(entries) => entries.get().iter().map(|(key, entry)| (*key, entry)).collect(),
            Copied::Listed(entries) => entries.iter().map(|(key, entry)| (*key, entry)).collect(),
        }
    }

    /// The columns of all panes.
    pub(super) fn panes(&self, entry: &Entry) -> [&[Aggregate]; PANES] {
        self.cells.panes(entry)
    }

    /// Its sketches.
    pub(super) fn sketches(&self) -> &Shelf {
        self.sketches.get()
    }
}

/// The sums and sketches of one shard in one minute.
#[derive(Default)]
pub(crate) struct Sums {
    entries: Shareable<Entries>,
    cells: Cells,
    /// Of the metrics that have them.
    sketches: Shareable<Shelf>,
}

impl Sums {
    /// A copy of them as they are now.
    pub(super) fn share(&mut self, soon: Soon) -> SumsCopy {
        let entries = match soon {
            Soon::Changes => Copied::Listed(self.entries.get().iter().map(|(key, entry)| (*key, *entry)).collect()),
            Soon::Rests => Copied::Shared(self.entries.share()),
        };
        SumsCopy {
            entries,
            cells: Cells(self.cells.0.iter_mut().map(Shareable::share).collect()),
            sketches: self.sketches.share(),
        }
    }

    /// The entry of a key, to change, if it is there.
    pub(super) fn known_mut(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.change().get_mut(&key)
    }

    /// The columns of a pane, at least so many, marked dirty; `first` is called when nothing of the key was.
    #[inline]
    pub(super) fn block(
        &mut self,
        key: Key,
        (pane, columns): (usize, usize),
        first: impl FnOnce(),
    ) -> &mut [Aggregate] {
        let entry = self.entries.change().entry(key).or_default();
        if entry.dirty == 0 {
            first();
        }
        entry.dirty |= 1 << pane;
        let Some(span) = entry.blocks.get_mut(pane) else { return &mut [] };
        if span.width() < columns {
            *span = self.cells.grown(*span, columns);
        }
        self.cells.get_mut(*span)
    }

    /// Changes the sketch of a column of a pane.
    pub(super) fn change_sketch(&mut self, key: SketchKey, pane: usize, change: impl FnOnce(&mut Sketch)) {
        self.sketches.change().change(key, pane, change);
    }

    /// Its sketches.
    pub(super) fn sketches(&self) -> &Shelf {
        self.sketches.get()
    }

    /// The columns of a pane, none if nothing came.
    pub(crate) fn pane(&self, entry: &Entry, pane: usize) -> &[Aggregate] {
        self.cells.pane(entry, pane)
    }

    /// Asks for the block of a pane, if it is there.
    #[inline]
    pub(super) fn ask(&self, key: Key, pane: usize) {
        if let Some(entry) = self.entry(key) {
            ask_for(self.pane(entry, pane));
        }
    }

    /// The columns of the whole minute.
    pub(crate) fn minute(&self, entry: &Entry) -> [Aggregate; WIDTH] {
        let mut sum = [Aggregate::EMPTY; WIDTH];
        for pane in self.cells.panes(entry) {
            for (whole, part) in sum.iter_mut().zip(pane) {
                whole.merge(part);
            }
        }
        sum
    }

    /// Every key and its entry.
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = (Key, &Entry)> {
        self.entries.get().iter().map(|(key, entry)| (*key, entry))
    }

    /// The entry of a key.
    pub(crate) fn entry(&self, key: Key) -> Option<&Entry> {
        self.entries.get().get(&key)
    }

    /// Adds to a key's panes what was saved of them: what is dirty, the columns of each pane, those that hold nothing left out, and their
    /// values. What was dirty before.
    pub(super) fn put_back(&mut self, key: Key, (dirty, widths): (u8, [u8; PANES]), cells: &[Aggregate]) -> u8 {
        let entry = self.entries.change().entry(key).or_default();
        let before = entry.dirty;
        entry.dirty |= dirty;
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
        before
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.get().is_empty()
    }

    /// Bytes held, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.cells.0.len() * PAGE * size_of::<Aggregate>()
            + self.entries.get().capacity() * (size_of::<(Key, Entry)>() + 1)
            + self.sketches.get().bytes()
    }
}
