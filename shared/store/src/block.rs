//! A block: rows of one table, already encoded, waiting to become one part.

use crate::{encode::Encoder, rows::Table};
use std::marker::PhantomData;

/// Most rows of a block. Above `max_insert_block_size` (1,048,576) the engine would cut the insert into several parts, and a
/// failure half way would leave the first ones behind.
pub const MAX_BLOCK_ROWS: usize = 1_000_000;

/// Rows of table `T` in RowBinary.
pub struct Block<T: Table> {
    bytes: Vec<u8>,
    rows: usize,
    partition: Option<i64>,
    mixed: bool,
    table: PhantomData<fn(T)>,
}

impl<T: Table> Default for Block<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Table> Block<T> {
    /// An empty block.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty block with room for `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), rows: 0, partition: None, mixed: false, table: PhantomData }
    }

    /// Appends a row.
    #[inline]
    pub fn push(&mut self, row: &T::Row<'_>) {
        let partition = T::partition(row);
        self.mixed |= *self.partition.get_or_insert(partition) != partition;
        T::encode(row, &mut Encoder(&mut self.bytes));
        self.rows += 1;
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Whether a row of this partition (of an archive table: of this append day) may join the block.
    pub fn takes(&self, row: &T::Row<'_>) -> bool {
        self.rows < MAX_BLOCK_ROWS && self.partition.is_none_or(|partition| partition == T::partition(row))
    }

    /// Whether rows of several partitions were pushed: such a block is refused (`STO-3`).
    pub(crate) fn is_mixed(&self) -> bool {
        self.mixed
    }

    /// The encoded rows.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the rows, keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows = 0;
        self.partition = None;
        self.mixed = false;
    }
}
