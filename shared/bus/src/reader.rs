//! Reading statically assigned partitions in batches of borrowed records.

mod batch;

pub use batch::{Batch, Headers, Record};

use crate::ffi::{ConsumerQueue, NativeMessage};
use crate::{BusError, Hint, KafkaConfig, Offsets, error, ffi, log::Logs};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::Duration;

/// Where to begin reading a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    /// The oldest record kept.
    Beginning,
    /// What is appended from now on.
    End,
    /// This offset; an error when the log does not hold it any more (`BUS-2`).
    Offset(i64),
}

/// One partition to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Topic, without prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Where to begin.
    pub from: From,
}

/// How to read. The defaults suit a service that keeps up with a busy topic.
#[derive(Clone, Debug)]
pub struct ReaderOptions {
    /// Shown in the broker's log and metrics; also the name of the group nobody commits to.
    pub client_id: String,
    /// Whether [`Batch::ends`] reports reaching a partition's end.
    pub partition_ends: bool,
    /// Bound of the local queue, in MiB, over all partitions: above it nothing more is asked for. What was asked for comes on
    /// top, see `fetch_kib`.
    pub queue_mib: u32,
    /// Most a partition may answer with at once, in KiB as they are compressed in the log (a single batch may be longer);
    /// all partitions of a broker together eight times as much, a megabyte at least.
    pub fetch_kib: u32,
    /// How many messages per partition librdkafka tries to hold ready.
    pub queue_messages: u32,
    /// How long the broker may hold a fetch that has less than `fetch_least_kib` to give, in ms.
    pub fetch_wait_ms: u32,
    /// What a fetch waits for, in KiB; 0: for anything. Whoever writes blocks need not be told of every record.
    pub fetch_least_kib: u32,
}

impl ReaderOptions {
    /// Defaults with a client id.
    pub fn named(client_id: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            partition_ends: false,
            // Enough for the time an answer takes, little enough to be used again before it leaves the processor's cache.
            queue_mib: 16,
            fetch_kib: 1024,
            queue_messages: 20_000,
            fetch_wait_ms: 100,
            fetch_least_kib: 0,
        }
    }
}

/// librdkafka's own limits of an answer, in bytes.
const LEAST_OF_BROKER: u32 = 1_000_000;
const MOST_OF_BROKER: u32 = 52_428_800;

/// Consumer and queue; the queue goes first (field order), and both outlive every batch (`BUS-5`).
struct Source {
    queue: ConsumerQueue,
    consumer: BaseConsumer<Logs>,
}

/// Where a partition's reading stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// Index of the topic, in order of first mention in the assignments.
    pub topic: u16,
    /// Partition.
    pub partition: i32,
    /// The next offset to come, once anything (or the end) was read.
    pub next: Option<i64>,
}

/// A partition whose end was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// Index of the topic.
    pub topic: u16,
    /// Partition.
    pub partition: i32,
    /// The log's end: the offset the next record will have.
    pub offset: i64,
}

/// Reads its partitions from one thread. Back-pressure is not calling [`Reader::poll`]: the local queue is bounded.
pub struct Reader {
    /// What to assign with the first poll. Dropped before the consumer (field order).
    assignment: Option<TopicPartitionList>,
    scratch: Vec<NativeMessage>,
    source: Arc<Source>,
    topics: Vec<String>,
    /// librdkafka's handle of a topic → its index; filled as messages come.
    handles: Vec<(usize, u16)>,
    positions: Vec<Position>,
    pending: Option<BusError>,
    kafka: KafkaConfig,
    offsets: Option<Offsets>,
}

impl Reader {
    /// Makes a consumer for the partitions given. They are checked against the cluster's metadata first (`BUS-3`) and
    /// assigned with the first [`Reader::poll`].
    pub fn open(kafka: &KafkaConfig, assignments: &[Assignment], options: &ReaderOptions) -> Result<Self, BusError> {
        let consumer = consumer(kafka, options)?;
        let mut topics = Vec::<String>::new();
        let mut positions = Vec::with_capacity(assignments.len());
        let mut list = TopicPartitionList::with_capacity(assignments.len());
        for wanted in assignments {
            let topic = topic_index(&mut topics, &wanted.topic);
            positions.push(Position { topic, partition: wanted.partition, next: None });
            let offset = match wanted.from {
                From::Beginning => Offset::Beginning,
                From::End => Offset::End,
                From::Offset(offset) => Offset::Offset(offset),
            };
            list.add_partition_offset(&kafka.full_name(&wanted.topic), wanted.partition, offset)
                .map_err(|error| BusError::request(&kafka.bootstrap, &error))?;
        }
        check_partitions(kafka, &consumer, assignments)?;
        ffi::log_with_messages(consumer.client().native_ptr());
        let queue = ConsumerQueue::of(consumer.client().native_ptr())
            .ok_or_else(|| BusError::Settings("the consumer has no queue".to_owned()))?;
        Ok(Self {
            source: Arc::new(Source { queue, consumer }),
            scratch: Vec::new(),
            topics,
            handles: Vec::new(),
            positions,
            assignment: Some(list),
            pending: None,
            kafka: kafka.clone(),
            offsets: None,
        })
    }

    /// Calls `f` (on a thread of librdkafka) whenever something can be polled after nothing could. Set it before the
    /// first [`Reader::poll`]; `false` when it could not be set because a batch is alive.
    pub fn on_ready(&mut self, f: impl Fn() + Send + Sync + 'static) -> bool {
        match Arc::get_mut(&mut self.source) {
            Some(source) => {
                source.consumer.set_nonempty_callback(f);
                true
            }
            None => false,
        }
    }

    /// Up to `max` records, waiting at most `timeout` for the first. An empty batch is not an error.
    pub fn poll(&mut self, max: usize, timeout: Duration) -> Result<Batch, BusError> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        if let Some(list) = &self.assignment {
            self.source.consumer.assign(list).map_err(|error| BusError::request(&self.kafka.bootstrap, &error))?;
            // Not kept: a list that was used must be gone before the consumer is, or dropping that hangs.
            self.assignment = None;
        }
        self.source.queue.read(max, timeout, &mut self.scratch);
        let batch = self.sort_out();
        // Records that came before an error are handed out first.
        match self.pending.take() {
            Some(error) if batch.is_empty() => Err(error),
            kept => {
                self.pending = kept;
                Ok(batch)
            }
        }
    }

    /// Separates records from ends and errors, and notes where each partition stands.
    fn sort_out(&mut self) -> Batch {
        let mut batch = Batch {
            messages: Vec::with_capacity(self.scratch.len()),
            runs: Vec::new(),
            ends: Vec::new(),
            _source: Arc::clone(&self.source),
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut run = (usize::MAX, i32::MIN, 0u16);
        let mut next = 0i64;
        for message in scratch.drain(..) {
            if let Some(code) = message.error() {
                self.note_error(&message, code, &mut batch);
                continue;
            }
            let key = (message.topic_handle(), message.partition());
            if key != (run.0, run.1) {
                self.note_position(run.2, run.1, next);
                run = (key.0, key.1, self.topic_of(&message));
                batch.runs.push((batch.messages.len(), run.2));
            }
            next = message.offset() + 1;
            batch.messages.push(message);
        }
        self.note_position(run.2, run.1, next);
        self.scratch = scratch;
        batch
    }

    fn note_error(&mut self, message: &NativeMessage, code: RDKafkaErrorCode, batch: &mut Batch) {
        let (topic, partition) = (self.topic_of(message), message.partition());
        match code {
            RDKafkaErrorCode::PartitionEOF => {
                self.note_position(topic, partition, message.offset());
                batch.ends.push(End { topic, partition, offset: message.offset() });
            }
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                self.pending =
                    Some(BusError::OffsetGone { topic: message.topic_name(), partition, detail: message.error_text() });
            }
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition => {
                self.pending = Some(BusError::UnknownTopic { topic: message.topic_name() });
            }
            code if error::is_denied(code) => self.pending = Some(BusError::Denied(message.error_text())),
            code if error::hint_of(code) == Hint::Transient => {
                tracing::info!(topic = message.topic_name(), partition, error = message.error_text(), "reading waits");
            }
            _ => {
                self.pending = Some(BusError::Other { detail: message.error_text(), hint: error::hint_of(code) });
            }
        }
    }

    fn note_position(&mut self, topic: u16, partition: i32, next: i64) {
        if let Some(position) =
            self.positions.iter_mut().find(|known| known.topic == topic && known.partition == partition)
        {
            position.next = Some(position.next.map_or(next, |known| known.max(next)));
        }
    }

    fn topic_of(&mut self, message: &NativeMessage) -> u16 {
        let handle = message.topic_handle();
        if let Some((_, index)) = self.handles.iter().find(|(known, _)| *known == handle) {
            return *index;
        }
        let name = message.topic_name();
        let found = self.topics.iter().position(|topic| self.kafka.full_name(topic) == name);
        let index = found.and_then(|index| u16::try_from(index).ok()).unwrap_or(u16::MAX);
        if found.is_some() {
            self.handles.push((handle, index));
        }
        index
    }

    /// Goes on at another offset of a partition, after the batch last polled: for leaping over what is known already. When
    /// it fails, reading may go on at either place: whoever leaps must be able to tell.
    pub fn seek(&mut self, topic: u16, partition: i32, offset: i64) -> Result<(), BusError> {
        let name = self.topics.get(usize::from(topic)).map(|topic| self.kafka.full_name(topic)).unwrap_or_default();
        self.source
            .consumer
            .seek(&name, partition, Offset::Offset(offset), Duration::from_secs(5))
            .map_err(|error| BusError::request(&self.kafka.bootstrap, &error))?;
        let moved = self.positions.iter_mut().find(|known| known.topic == topic && known.partition == partition);
        if let Some(position) = moved {
            position.next = Some(offset);
        }
        Ok(())
    }

    /// Holds a partition back: nothing of it is handed out after the batch last polled until [`Reader::go_on`].
    pub fn hold_back(&mut self, topic: u16, partition: i32) -> Result<(), BusError> {
        let list = self.list_of(topic, partition);
        self.source.consumer.pause(&list).map_err(|error| BusError::request(&self.kafka.bootstrap, &error))
    }

    /// Goes on with a partition that was held back, behind the record handed out last.
    pub fn go_on(&mut self, topic: u16, partition: i32) -> Result<(), BusError> {
        let list = self.list_of(topic, partition);
        self.source.consumer.resume(&list).map_err(|error| BusError::request(&self.kafka.bootstrap, &error))
    }

    fn list_of(&self, topic: u16, partition: i32) -> TopicPartitionList {
        let name = self.topics.get(usize::from(topic)).map(|topic| self.kafka.full_name(topic)).unwrap_or_default();
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&name, partition);
        list
    }

    /// Topics by index, without prefix.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// Where each assigned partition stands, in the order of the assignments.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// The log's end of each assigned partition, in the order of the assignments. Asks over a connection of its own,
    /// because on the reader's it would wait behind a held fetch. Blocks for a round trip.
    pub fn end_offsets(&mut self) -> Result<Vec<i64>, BusError> {
        let offsets = match self.offsets.take() {
            Some(offsets) => offsets,
            None => Offsets::open(&self.kafka)?,
        };
        let wanted = self
            .positions
            .iter()
            .map(|position| {
                (self.topics.get(usize::from(position.topic)).map_or("", String::as_str), position.partition)
            })
            .collect::<Vec<_>>();
        let ends = offsets.ends(&wanted);
        self.offsets = Some(offsets);
        ends
    }
}

fn consumer(kafka: &KafkaConfig, options: &ReaderOptions) -> Result<BaseConsumer<Logs>, BusError> {
    let queue_kib = options.queue_mib.saturating_mul(1024).to_string();
    let queue_messages = options.queue_messages.to_string();
    let fetch = options.fetch_kib.saturating_mul(1024);
    let (of_partition, of_broker) =
        (fetch.to_string(), fetch.saturating_mul(8).clamp(LEAST_OF_BROKER, MOST_OF_BROKER).to_string());
    let fetch_wait = options.fetch_wait_ms.to_string();
    let fetch_least = options.fetch_least_kib.saturating_mul(1024).max(1).to_string();
    let ends = if options.partition_ends { "true" } else { "false" };
    // `fetch.queue.backoff.ms`: the default of 1 s stalls a partition whose local queue was full for a moment.
    let defaults = [
        ("queued.max.messages.kbytes", queue_kib.as_str()),
        ("queued.min.messages", &queue_messages),
        ("fetch.queue.backoff.ms", "3"),
        ("fetch.wait.max.ms", &fetch_wait),
        ("fetch.min.bytes", &fetch_least),
        ("fetch.message.max.bytes", &of_partition),
        ("fetch.max.bytes", &of_broker),
        ("check.crcs", "true"),
    ];
    // Not reading for a while is back-pressure here, never a reason to lose the partitions.
    let fixed = [
        ("group.id", options.client_id.as_str()),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "error"),
        ("enable.partition.eof", ends),
        ("max.poll.interval.ms", "86400000"),
        ("allow.auto.create.topics", "false"),
    ];
    kafka
        .client(&options.client_id, &defaults, &fixed)
        .create_with_context(Logs::default())
        .map_err(|error| BusError::request(&kafka.bootstrap, &error))
}

fn topic_index(topics: &mut Vec<String>, name: &str) -> u16 {
    let index = topics.iter().position(|known| known == name).unwrap_or_else(|| {
        topics.push(name.to_owned());
        topics.len() - 1
    });
    u16::try_from(index).unwrap_or(u16::MAX)
}

fn check_partitions(
    kafka: &KafkaConfig,
    consumer: &BaseConsumer<Logs>,
    assignments: &[Assignment],
) -> Result<(), BusError> {
    let mut seen = Vec::<(&str, i32)>::new();
    for wanted in assignments {
        let known = seen.iter().find(|(topic, _)| *topic == wanted.topic).map(|(_, count)| *count);
        let partitions = match known {
            Some(count) => count,
            None => {
                let count = crate::topics::partition_count(kafka, consumer, &wanted.topic, Duration::from_secs(10))?;
                seen.push((&wanted.topic, count));
                count
            }
        };
        if wanted.partition < 0 || wanted.partition >= partitions {
            return Err(BusError::UnknownPartition {
                topic: kafka.full_name(&wanted.topic),
                partition: wanted.partition,
                partitions,
            });
        }
    }
    Ok(())
}
