//! Copies of windows of one moment, for saving, made shard by shard while others change (`CKP-5`).

use super::{
    Aggregate, MINUTE_MS, Windows,
    minute::{Key, MINUTE, Shard},
    sketch::{Sketch, SketchKey},
    store::{ALL, Minute},
};
use crate::checkpoint::{EntryForm, Renumber, ShardForm, SketchForm, write_list};
use gridwarden_runtime::seeded::seeded;
use hashbrown::{HashMap, HashSet};

/// What belongs to all shards of a minute, at the moment of copying.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cut {
    domains: u64,
    closed: u8,
    owed: u8,
    owed_minute: bool,
    cursor: usize,
}

/// A shard of a minute as it was when the copying began.
pub(crate) struct CopiedShard {
    /// Start of the minute.
    pub(crate) start: i64,
    /// The shard.
    pub(crate) shard: u16,
    /// Whether it is what came since the rest was lent.
    pub(crate) more: bool,
    /// The copy; none when it is as it was the last time.
    pub(crate) body: Option<Vec<u8>>,
}

/// Copies under way.
#[derive(Default)]
pub(crate) struct Copies {
    /// Chunks known to be in ClickHouse when the copying began.
    taken: u32,
    /// Shards still to be copied.
    due: usize,
    made: Vec<CopiedShard>,
}

impl Copies {
    /// Whether some are still to be made.
    pub(super) fn are_due(&self) -> bool {
        self.due > 0
    }

    #[cold]
    pub(super) fn copy(&mut self, start: i64, minute: &mut Minute, index: usize) {
        let cut = minute.cut;
        let Some(shard) = minute.shards.get_mut(index) else { return };
        shard.due = false;
        self.due -= 1;
        let more = shard.is_lent();
        if more {
            // What was lent is as it was, or it would be here.
            self.made.push(CopiedShard { start, shard: index as u16, more: false, body: None });
            if shard.is_empty() {
                return;
            }
        }
        let body = std::mem::take(&mut shard.changed).then(|| body(shard, index, cut, self.taken));
        self.made.push(CopiedShard { start, shard: index as u16, more, body });
    }
}

/// One shard, written down. Rows that were handed out and are not known to be in ClickHouse are owed again.
fn body(shard: &Shard, index: usize, cut: Cut, taken: u32) -> Vec<u8> {
    let unsure = shard.handed > taken && !seeded("rows-not-owed");
    let owes = index >= cut.cursor;
    let closed = cut.closed == ALL;
    let head = ShardForm {
        domains: cut.domains,
        closed: cut.closed,
        owed: match (unsure, owes) {
            (true, _) => cut.closed,
            (false, true) => cut.owed,
            (false, false) => 0,
        },
        owed_minute: unsure && closed || owes && cut.owed_minute,
        ..ShardForm::default()
    };
    let entry = |(key, entry): (Key, &super::minute::Entry)| {
        let (widths, cells) = shard.cells_of(entry);
        let again = if unsure { !cut.closed & ALL | MINUTE } else { 0 };
        EntryForm { key: key.number(), dirty: entry.dirty() | again, widths, cells }
    };
    let sketch = |(key, pane, sketch): (SketchKey, usize, &Sketch)| SketchForm {
        key: key.number(),
        pane: pane as u8,
        events: sketch.events,
        cells: sketch.cells().to_vec(),
    };
    let sketches: Vec<SketchForm> = shard.sketches.all().map(sketch).collect();
    head.write_with(&write_list(Counted { items: shard.entries().map(entry), left: shard.len() }), &sketches)
}

/// An iterator whose length is known from elsewhere.
struct Counted<I> {
    items: I,
    left: usize,
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.left = self.left.saturating_sub(1);
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<I: Iterator> ExactSizeIterator for Counted<I> {}

impl Windows {
    /// Begins to copy all there is, as it is now. `taken`: the chunks known to be in ClickHouse.
    pub(crate) fn begin_copy(&mut self, taken: u32) {
        self.copies = Copies { taken, ..Copies::default() };
        for minute in self.minutes.values_mut() {
            let cut = Cut {
                domains: minute.domains,
                closed: minute.closed,
                owed: minute.owed,
                owed_minute: minute.owed_minute,
                cursor: minute.cursor,
            };
            let other = std::mem::replace(&mut minute.cut, cut) != cut;
            for shard in minute.shards.iter_mut().filter(|shard| !shard.is_empty() || shard.is_lent()) {
                shard.due = true;
                shard.changed |= other && !shard.is_empty();
                self.copies.due += 1;
            }
        }
    }

    /// Copies one shard more; false when all are.
    pub(crate) fn copy_next(&mut self) -> bool {
        if !self.copies.are_due() {
            return false;
        }
        for (start, minute) in &mut self.minutes {
            if let Some(index) = minute.shards.iter().position(|shard| shard.due) {
                self.copies.copy(*start, minute, index);
                return true;
            }
        }
        false
    }

    /// Whether copies are still to be made.
    pub(crate) fn is_copying(&self) -> bool {
        self.copies.are_due()
    }

    /// The copies made.
    pub(crate) fn copies(&mut self) -> std::vec::Drain<'_, CopiedShard> {
        self.copies.made.drain(..)
    }

    /// The metrics with sketches, of those that were known when what will be restored was saved.
    pub(crate) fn know_sketched(&mut self, metrics: HashSet<u32>) {
        self.known_sketched = metrics;
    }

    /// Puts back a shard of a minute.
    pub(crate) fn restore(&mut self, start: i64, index: u16, mut form: ShardForm, renumber: &Renumber) {
        let start = start.div_euclid(MINUTE_MS) * MINUTE_MS;
        let is_new = !self.minutes.contains_key(&start);
        let minute = self.minutes.entry(start).or_insert_with(Minute::new);
        minute.domains |= renumber.domains(form.domains);
        // Shards of several owners may have seen the watermark at different moments: what not all saw closes again.
        minute.closed = if is_new { form.closed } else { minute.closed & form.closed };
        minute.owed = (minute.owed | form.owed) & minute.closed;
        minute.owed_minute = (minute.owed_minute | form.owed_minute) && minute.is_closed();
        let Some(shard) = minute.shards.get_mut(usize::from(index)) else { return };
        for cell in form.entries.iter_mut().flat_map(|entry| &mut entry.cells) {
            cell.last_at = renumber.at(cell.last_at);
            if seeded("restored-windows-twice") {
                let once = *cell;
                cell.merge(&once);
            }
        }
        form.sketches.retain(|sketch| self.known_sketched.contains(&SketchKey::of(sketch.key).metric()));
        if seeded("sketches-forgotten") {
            form.sketches.clear();
        }
        fill(shard, &form, &self.known_sketched);
        shard.changed = true;
    }

    /// Takes back a shard that was lent; what came since is added. The minute's own words stand: it was here all the time.
    pub(crate) fn take_back(&mut self, start: i64, index: u16, form: &ShardForm) {
        self.wanted.has(start, index);
        let Some(minute) = self.minutes.get_mut(&start) else { return };
        let Some(shard) = minute.shard_mut(start, usize::from(index), &mut self.copies) else { return };
        if shard.lent.take().is_some() {
            fill(shard, form, &self.known_sketched);
        }
    }
}

fn fill(shard: &mut Shard, form: &ShardForm, sketched: &HashSet<u32>) {
    for entry in &form.entries {
        shard.put_back(Key::of(entry.key), entry.dirty, entry.widths, &entry.cells);
    }
    let saved: HashMap<(SketchKey, usize), u64> = form.sketches.iter().map(|form| (place(form), form.events)).collect();
    for form in &form.sketches {
        let ((key, pane), sketch) = (place(form), Sketch::of(form.events, form.cells.clone()));
        shard.sketches.change(key, pane, |known| known.merge(&sketch));
    }
    if sketched.is_empty() {
        return;
    }
    for (key, pane, events) in form.entries.iter().flat_map(columns) {
        // What was saved is of one moment: a sketch has every event of its window, or lacks some for ever.
        if sketched.contains(&key.metric()) && saved.get(&(key, pane)).copied().unwrap_or(0) != events {
            shard.sketches.change(key, pane, |sketch| sketch.torn = true);
        }
    }
}

fn place(form: &SketchForm) -> (SketchKey, usize) {
    (SketchKey::of(form.key), usize::from(form.pane))
}

/// Key, pane and number of events of each column of an entry that has any.
fn columns(entry: &EntryForm) -> impl Iterator<Item = (SketchKey, usize, u64)> {
    let panes = entry.widths.iter().enumerate();
    let places = panes.flat_map(|(pane, width)| (0..usize::from(*width)).map(move |column| (pane, column)));
    let key = Key::of(entry.key);
    let column = move |((pane, column), cell): ((usize, usize), &Aggregate)| {
        (cell.count > 0).then_some((SketchKey::new(key, column), pane, cell.count))
    };
    places.zip(&entry.cells).filter_map(column)
}
