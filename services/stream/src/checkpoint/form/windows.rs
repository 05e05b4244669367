//! Windows of one shard and one minute.

use super::FormError;
use crate::windows::{Aggregate, PANES, sketch::Cell};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The panes of one key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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

/// The sketch of one pane. Since version 2.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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
type Head = (u64, u8, u8, bool);

impl ShardForm {
    /// Writes it down with entries that are written already, by [`write_list`](super::write_list).
    pub(crate) fn write_with(&self, entries: &[u8], sketches: &[SketchForm]) -> Vec<u8> {
        let head: Head = (self.domains, self.closed, self.owed, self.owed_minute);
        let (mut bytes, sketches) = (super::write("windows", &head), super::write("sketches", &sketches));
        // Not one byte more: pieces wait by the hundred until they are written.
        bytes.reserve_exact(entries.len() + sketches.len());
        bytes.extend_from_slice(entries);
        bytes.extend_from_slice(&sketches);
        bytes
    }

    /// Reads what this version or version 1 wrote.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FormError> {
        let (head, rest) = super::read_some::<Head>("windows", bytes)?;
        let (entries, rest) = super::read_some("windows", rest)?;
        let sketches = if rest.is_empty() { Vec::new() } else { super::read("sketches", rest)? };
        let (domains, closed, owed, owed_minute) = head;
        Ok(Self { domains, closed, owed, owed_minute, entries, sketches })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::form::{write, write_list};

    #[test]
    fn written_piece_by_piece_it_is_the_same() {
        let entry =
            EntryForm { key: 7, dirty: 3, widths: [1, 0, 0, 0, 0, 0], cells: SmallVec::from_elem(Aggregate::EMPTY, 1) };
        let sketch = SketchForm { key: 9, pane: 2, events: 3, cells: vec![Cell { place: 5, amount: 1 }] };
        let entries = vec![entry.clone(), entry];
        let form = ShardForm {
            domains: 5,
            closed: 1,
            owed: 1,
            owed_minute: true,
            entries,
            sketches: vec![sketch.clone(), sketch],
        };
        let pieces = form.write_with(&write_list(form.entries.iter()), &form.sketches);
        assert_eq!(ShardForm::read(&pieces).expect("read"), form);
        let whole = (form.domains, form.closed, form.owed, form.owed_minute, &form.entries, &form.sketches);
        assert_eq!(pieces, write("windows", &whole));
        assert_eq!(pieces.capacity(), pieces.len(), "no room is left over");
    }
}
