//! Writing down what became of what a process has read.

use crate::{
    Block, BlockWriter, ClickHouseConfig, StoreMetrics, WriterOptions,
    rows::{CountsRow, Table},
};
use std::time::Duration;

/// Writes the counts of one process into table `T`. Counts stand for all that came before, so one that cannot be written is let
/// go: the next one says it as well.
pub struct CountsWriter<T> {
    writer: BlockWriter,
    process: String,
    table: std::marker::PhantomData<fn(T)>,
}

impl<T> CountsWriter<T>
where
    T: for<'a> Table<Row<'a> = CountsRow<'a>>,
{
    /// For the process of this name.
    pub fn new(config: &ClickHouseConfig, metrics: StoreMetrics, process: &str) -> Self {
        let options = WriterOptions { patience: Some(Duration::ZERO), ..WriterOptions::default() };
        let writer = BlockWriter::new(config, options, metrics);
        Self { writer, process: process.to_owned(), table: std::marker::PhantomData }
    }

    /// Writes: read, accepted, duplicate, late, rejected, marker, in flight.
    pub async fn write(&self, at_ms: i64, counts: [u64; 7]) {
        let mut block = Block::<T>::new();
        block.push(&CountsRow { process: &self.process, at_ms, counts });
        if let Err(error) = self.writer.insert(&block, &format!("counts/{}/{at_ms}", self.process)).await {
            tracing::debug!(%error, "counts cannot be written now");
        }
    }
}
