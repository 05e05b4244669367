//! Records read together, borrowed from the memory librdkafka lent (`BUS-5`).

use super::{End, Source};
use crate::ffi::{NativeHeaders, NativeMessage};
use std::sync::Arc;

/// Records read together; owns their memory.
pub struct Batch {
    pub(super) messages: Vec<NativeMessage>,
    /// (index of the first message, topic) of each run of one topic and partition.
    pub(super) runs: Vec<(usize, u16)>,
    pub(super) ends: Vec<End>,
    /// Dropped after the messages (field order): the consumer outlives them.
    pub(super) _source: Arc<Source>,
}

impl Batch {
    /// The records, each partition's in order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut runs = self.runs.iter().peekable();
        let mut topic = 0;
        self.messages.iter().enumerate().map(move |(index, message)| {
            while let Some((_, of_run)) = runs.next_if(|(first, _)| *first <= index) {
                topic = *of_run;
            }
            Record {
                topic,
                partition: message.partition(),
                offset: message.offset(),
                appended_ms: message.timestamp_ms(),
                key: message.key(),
                payload: message.payload(),
                message,
            }
        })
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are no records (there may be ends).
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Partitions whose end was reached (with [`ReaderOptions::partition_ends`]).
    pub fn ends(&self) -> &[End] {
        &self.ends
    }
}

/// A record, borrowed from its batch.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Index of the topic, in order of first mention in the assignments.
    pub topic: u16,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// When the broker appended it, epoch milliseconds (topics use LogAppendTime).
    pub appended_ms: i64,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is a tombstone or a marker.
    pub payload: Option<&'a [u8]>,
    message: &'a NativeMessage,
}

impl<'a> Record<'a> {
    /// The headers. Costs something even where there are none: ask once per record.
    pub fn headers(&self) -> Headers<'a> {
        Headers(self.message.headers())
    }
}

/// A record's headers.
#[derive(Clone, Copy)]
pub struct Headers<'a>(NativeHeaders<'a>);

impl<'a> Headers<'a> {
    /// The value of the first header of that name.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.get(name)
    }
}
