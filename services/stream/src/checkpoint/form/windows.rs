//! Windows of one shard and one minute.

use crate::windows::{Aggregate, PANES};
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

/// One shard of one minute.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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
}

impl ShardForm {
    /// Writes it down with entries that are written already, by [`write_list`](super::write_list).
    pub(crate) fn write_with(&self, entries: &[u8]) -> Vec<u8> {
        let head = (self.domains, self.closed, self.owed, self.owed_minute);
        let mut bytes = super::write("windows", &head);
        bytes.extend_from_slice(entries);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::form::{read, write, write_list};

    #[test]
    fn written_piece_by_piece_it_is_the_same() {
        let entry =
            EntryForm { key: 7, dirty: 3, widths: [1, 0, 0, 0, 0, 0], cells: SmallVec::from_elem(Aggregate::EMPTY, 1) };
        let form = ShardForm { domains: 5, closed: 1, owed: 1, owed_minute: true, entries: vec![entry.clone(), entry] };
        let pieces = form.write_with(&write_list(form.entries.iter()));
        assert_eq!(pieces, write("windows", &form));
        assert_eq!(read::<ShardForm>("windows", &pieces).expect("read"), form);
    }
}
