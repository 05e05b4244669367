//! Windows of one shard and one minute. They are written from where they lie, for there are many.

use super::{FormError, append, append_list, or_nothing};
use crate::windows::{Aggregate, PANES, sketch::Cell};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use smallvec::SmallVec;

/// The panes of one key.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(crate) struct EntryForm {
    /// Area and metric group.
    pub(crate) key: u64,
    /// What changed since it was last handed out.
    pub(crate) dirty: u8,
    /// Columns of each pane; 0: it holds nothing.
    pub(crate) widths: [u8; PANES],
    /// Sums, pane by pane, column by column.
    pub(crate) cells: SmallVec<[Aggregate; 8]>,
}

/// What is read as an [`EntryForm`].
pub(crate) struct EntryView<'w> {
    pub(crate) key: u64,
    pub(crate) dirty: u8,
    /// The columns of each pane.
    pub(crate) panes: [&'w [Aggregate]; PANES],
}

impl Serialize for EntryView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_struct("EntryForm", 4)?;
        entry.serialize_field("key", &self.key)?;
        entry.serialize_field("dirty", &self.dirty)?;
        entry.serialize_field("widths", &self.panes.map(|columns| columns.len() as u8))?;
        entry.serialize_field("cells", &Cells(&self.panes))?;
        entry.end()
    }
}

/// All columns, one after the other.
struct Cells<'w>(&'w [&'w [Aggregate]; PANES]);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.0.iter().map(|columns| columns.len()).sum();
        serializer.collect_seq(Counted { items: self.0.iter().copied().flatten(), left: count })
    }
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

/// What is read as a [`SketchForm`].
#[derive(Serialize)]
pub(crate) struct SketchView<'w> {
    pub(crate) key: u64,
    pub(crate) pane: u8,
    pub(crate) events: u64,
    pub(crate) cells: &'w [Cell],
}

/// The sketch of one pane. Since version 2.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(crate) struct SketchForm {
    /// Area and metric.
    pub(crate) key: u64,
    /// Which of the minute.
    pub(crate) pane: u8,
    /// Number of events.
    pub(crate) events: u64,
    /// Rising by place.
    pub(crate) cells: Vec<Cell>,
}

/// One shard of one minute.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct ShardForm {
    /// Domains that have put something into the minute, one bit each.
    pub(crate) domains: u64,
    /// Panes the watermark had passed.
    pub(crate) closed: u8,
    /// Of those, the ones whose rows are not known to be in ClickHouse.
    pub(crate) owed: u8,
    /// The same of the minute itself.
    pub(crate) owed_minute: bool,
    /// By key.
    pub(crate) entries: Vec<EntryForm>,
    /// By key and pane. Since version 2: in version 1 the entries were the last there was.
    pub(crate) sketches: Vec<SketchForm>,
}

/// What stands before the entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct ShardHead {
    /// As in [`ShardForm`].
    pub(crate) domains: u64,
    pub(crate) closed: u8,
    pub(crate) owed: u8,
    pub(crate) owed_minute: bool,
}

/// Writes what is read as a [`ShardForm`] into a list that is empty.
pub(crate) fn write_shard<'w>(
    head: ShardHead,
    entries: impl ExactSizeIterator<Item = EntryView<'w>>,
    sketches: &[SketchView<'_>],
    into: Vec<u8>,
) -> Vec<u8> {
    let head = append("windows", &head, into);
    let entries = head.and_then(|head| append_list(entries, head));
    or_nothing(entries.and_then(|entries| append("sketches", &sketches, entries)))
}

impl ShardForm {
    /// Reads what this version or version 1 wrote.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FormError> {
        let (head, rest) = super::read_some::<ShardHead>("windows", bytes)?;
        let (entries, rest) = super::read_some("windows", rest)?;
        let sketches = if rest.is_empty() { Vec::new() } else { super::read("sketches", rest)? };
        let ShardHead { domains, closed, owed, owed_minute } = head;
        Ok(Self { domains, closed, owed, owed_minute, entries, sketches })
    }
}

#[cfg(test)]
impl ShardForm {
    /// What reads as this.
    pub(crate) fn written(&self) -> Vec<u8> {
        let Self { domains, closed, owed, owed_minute, entries, sketches } = self;
        let head = ShardHead { domains: *domains, closed: *closed, owed: *owed, owed_minute: *owed_minute };
        let entries = entries.iter().map(|form| {
            let mut rest = form.cells.as_slice();
            let panes = form.widths.map(|width| rest.split_off(..usize::from(width)).expect("as many as widths say"));
            EntryView { key: form.key, dirty: form.dirty, panes }
        });
        let sketches = sketches.iter().map(|form| {
            let SketchForm { key, pane, events, cells } = form;
            SketchView { key: *key, pane: *pane, events: *events, cells }
        });
        write_shard(head, entries, &sketches.collect::<Vec<_>>(), Vec::new())
    }
}
