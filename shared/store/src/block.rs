//! A block: rows of one table, already in columns, waiting to become one part.

use crate::{
    native::{self, Column, Encoder},
    rows::Table,
};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::marker::PhantomData;

/// Most rows of a block. Above `max_insert_block_size` (1,048,576) the engine would cut the insert into several parts, and a
/// failure half way would leave the first ones behind.
pub const MAX_BLOCK_ROWS: usize = 1_000_000;

/// Rows of table `T` in ClickHouse's Native format.
pub struct Block<T: Table> {
    columns: Vec<Column>,
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
        let columns = T::COLUMNS.iter().map(|(_, kind)| Column::new(*kind)).collect();
        Self { columns, rows: 0, partition: None, mixed: false, table: PhantomData }
    }

    /// An empty block with room for so many rows of the usual size.
    pub fn with_capacity(rows: usize) -> Self {
        let mut block = Self::new();
        block.columns.iter_mut().for_each(|column| column.reserve(rows));
        block
    }

    /// An empty block with room for rows like those of this one.
    pub fn like(&self) -> Self {
        Self { columns: self.columns.iter().map(Column::like).collect(), ..Self::new() }
    }

    /// Appends a row.
    #[inline]
    pub fn push(&mut self, row: &T::Row<'_>) {
        let partition = T::partition(row);
        self.mixed |= *self.partition.get_or_insert(partition) != partition;
        let mut out = Encoder::new(&mut self.columns);
        T::encode(row, &mut out);
        out.end();
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

    /// Bytes it takes, about.
    pub fn size(&self) -> usize {
        self.columns.iter().map(Column::size).sum()
    }

    /// A digest of what is sent.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        self.pieces().iter().for_each(|piece| digest.update(piece));
        hex::encode(digest.finalize())
    }

    /// What is sent, in order.
    pub fn pieces(&self) -> Vec<Cow<'_, [u8]>> {
        native::pieces(&self.columns, T::COLUMNS, self.rows)
    }

    /// Forgets the rows, keeps the room.
    pub fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
        self.rows = 0;
        self.partition = None;
        self.mixed = false;
    }
}
