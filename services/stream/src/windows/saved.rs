//! Copies of windows of one moment, for saving: made at once, written down by another thread while the owner goes on (`CKP-5`).

use super::{
    Aggregate, MINUTE_MS, Windows,
    minute::{Key, MINUTE, Shard},
    sketch::{Sketch, SketchKey},
    store::{ALL, Minute},
    sums::{Soon, SumsCopy},
};
use crate::checkpoint::{EntryForm, EntryView, Renumber, ShardForm, ShardHead, SketchForm, SketchView, write_shard};
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

impl Cut {
    fn of(minute: &Minute) -> Self {
        let Minute { domains, closed, owed, owed_minute, cursor, .. } = *minute;
        Self { domains, closed, owed, owed_minute, cursor }
    }

    /// What is said of a shard. `unsure`: it has rows that were handed out and are not known to be in ClickHouse; they are owed again.
    fn head(self, index: usize, unsure: bool) -> ShardHead {
        let owes = index >= self.cursor;
        ShardHead {
            domains: self.domains,
            closed: self.closed,
            owed: match (unsure, owes) {
                (true, _) => self.closed,
                (false, true) => self.owed,
                (false, false) => 0,
            },
            owed_minute: unsure && self.closed == ALL || owes && self.owed_minute,
        }
    }
}

/// A shard of a minute as it was at the moment of copying.
pub(crate) struct CopiedShard {
    /// Start of the minute.
    pub(crate) start: i64,
    /// The shard.
    pub(crate) shard: u16,
    /// Whether it is what came since the rest was lent.
    pub(crate) more: bool,
    /// The copy; none when it is as it was the last time.
    pub(crate) body: Option<ShardCopy>,
}

/// What a shard held, to be written down.
pub(crate) struct ShardCopy {
    head: ShardHead,
    /// What all its keys say again.
    again: u8,
    sums: SumsCopy,
}

impl ShardCopy {
    /// Writes it down, into a list that is empty.
    pub(crate) fn write(&self, into: Vec<u8>) -> Vec<u8> {
        let Self { head, again, sums } = self;
        let entries = sums.entries().into_iter().map(|(key, entry)| EntryView {
            key: key.number(),
            dirty: entry.dirty() | again,
            panes: sums.panes(entry),
        });
        let sketches = sums.sketches().all().map(|(key, pane, sketch)| SketchView {
            key: key.number(),
            pane: pane as u8,
            events: sketch.events,
            cells: sketch.cells(),
        });
        write_shard(*head, entries, &sketches.collect::<Vec<_>>(), into)
    }
}

impl Windows {
    /// Copies all there is, as it is now: the newest first, for they change most and what is written down by then need not be copied
    /// for it. `taken`: the chunks known to be in ClickHouse.
    pub(crate) fn copy(&mut self, taken: u32) -> Vec<CopiedShard> {
        let mut copies = Vec::new();
        for (start, minute) in self.minutes.iter_mut().rev() {
            let cut = Cut::of(minute);
            let other = std::mem::replace(&mut minute.cut, cut) != cut;
            for (index, shard) in minute.shards.iter_mut().enumerate() {
                copy(shard, (*start, index), (cut, other, taken), &mut copies);
            }
        }
        copies
    }
}

fn copy(shard: &mut Shard, (start, index): (i64, usize), minute: (Cut, bool, u32), copies: &mut Vec<CopiedShard>) {
    let ((cut, other, taken), more, number) = (minute, shard.is_lent(), index as u16);
    if more {
        // What was lent is as it was, or it would be here.
        copies.push(CopiedShard { start, shard: number, more: false, body: None });
    }
    if shard.is_empty() {
        return;
    }
    let changed = shard.sums_changed || shard.owed_changed || other;
    (shard.sums_changed, shard.owed_changed) = (false, false);
    let unsure = shard.handed > taken && !seeded("rows-not-owed");
    let body = changed.then(|| ShardCopy {
        head: cut.head(index, unsure),
        again: if unsure { !cut.closed & ALL | MINUTE } else { 0 },
        sums: shard.sums.share(if cut.closed == ALL { Soon::Rests } else { Soon::Changes }),
    });
    copies.push(CopiedShard { start, shard: number, more, body });
}

impl Windows {
    /// The metrics with sketches, of those that were known when what will be restored was saved.
    pub(crate) fn know_sketched(&mut self, metrics: HashSet<u32>) {
        self.known_sketched = metrics;
    }

    /// Puts back a shard of a minute.
    pub(crate) fn restore(&mut self, start: i64, index: u16, mut form: ShardForm, renumber: &Renumber) {
        let start = start.div_euclid(MINUTE_MS) * MINUTE_MS;
        let is_new = !self.minutes.contains_key(&start);
        let minute = self.minutes.entry(start).or_insert_with(Minute::new);
        minute.domains |= renumber.domains(form.head.domains);
        // Shards of several owners may have seen the watermark at different moments: what not all saw closes again.
        minute.closed = if is_new { form.head.closed } else { minute.closed & form.head.closed };
        minute.owed = (minute.owed | form.head.owed) & minute.closed;
        minute.owed_minute = (minute.owed_minute | form.head.owed_minute) && minute.is_closed();
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
        (shard.sums_changed, shard.owed_changed) = (true, true);
    }

    /// Takes back a shard that was lent; what came since is added. The minute's own words stand: it was here all the time.
    pub(crate) fn take_back(&mut self, start: i64, index: u16, form: &ShardForm) {
        self.wanted.has(start, index);
        let Some(minute) = self.minutes.get_mut(&start) else { return };
        let Some(shard) = minute.shard_mut(usize::from(index)) else { return };
        if shard.lent.take().is_some() {
            shard.sums_changed = !shard.is_empty();
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
        shard.sums.change_sketch(key, pane, |known| known.merge(&sketch));
    }
    if sketched.is_empty() {
        return;
    }
    for (key, pane, events) in form.entries.iter().flat_map(columns) {
        // What was saved is of one moment: a sketch has every event of its window, or lacks some for ever.
        if sketched.contains(&key.metric()) && saved.get(&(key, pane)).copied().unwrap_or(0) != events {
            shard.sums.change_sketch(key, pane, |sketch| sketch.torn = true);
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
