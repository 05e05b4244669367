//! Windows of one shard and one minute. They are written from where they lie, for there are many.

use super::{FormError, append, append_list, or_nothing};
use crate::windows::{Aggregate, PANES, sketch::Cell};
use serde::{
    Deserialize, Serialize, Serializer,
    ser::{SerializeSeq, SerializeStruct},
};
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
        let mut cells = serializer.serialize_seq(Some(count))?;
        self.0.iter().copied().flatten().try_for_each(|cell| cells.serialize_element(cell))?;
        cells.end()
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

/// What belongs to all entries of a shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ShardHead {
    /// Domains that have put something into the minute, one bit each.
    pub(crate) domains: u64,
    /// Panes the watermark had passed.
    pub(crate) closed: u8,
    /// Of those, the ones whose rows are not known to be in ClickHouse.
    pub(crate) owed: u8,
    /// The same of the minute itself.
    pub(crate) owed_minute: bool,
}

/// One shard of one minute.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct ShardForm {
    /// Stands before the entries.
    pub(crate) head: ShardHead,
    /// By key.
    pub(crate) entries: Vec<EntryForm>,
    /// By key and pane. Since version 2: in version 1 the entries were the last there was.
    pub(crate) sketches: Vec<SketchForm>,
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
        Ok(Self { head, entries, sketches })
    }
}

#[cfg(test)]
impl ShardForm {
    /// What reads as this.
    pub(crate) fn written(&self) -> Vec<u8> {
        let entries = self.entries.iter().map(|form| {
            let mut rest = form.cells.as_slice();
            let panes = form.widths.map(|width| rest.split_off(..usize::from(width)).expect("as many as widths say"));
            EntryView { key: form.key, dirty: form.dirty, panes }
        });
        let sketches = self.sketches.iter().map(|form| {
            let SketchForm { key, pane, events, cells } = form;
            SketchView { key: *key, pane: *pane, events: *events, cells }
        });
        write_shard(self.head, entries, &sketches.collect::<Vec<_>>(), Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_entries_and_sketches_read_as_they_were_written() {
        let entry =
            EntryForm { key: 7, dirty: 3, widths: [1, 0, 2, 0, 0, 0], cells: SmallVec::from_elem(Aggregate::EMPTY, 3) };
        let sketch = SketchForm { key: 9, pane: 2, events: 3, cells: vec![Cell { place: 5, amount: 1 }] };
        let form = ShardForm {
            head: ShardHead { domains: 5, closed: 1, owed: 1, owed_minute: true },
            entries: vec![entry.clone(), EntryForm { key: 8, ..entry }],
            sketches: vec![sketch.clone(), SketchForm { key: 10, ..sketch }],
        };
        assert_eq!(ShardForm::read(&form.written()).expect("read"), form);
    }
}
