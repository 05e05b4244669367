//! Kafka for Gridwarden: topics, static assignment, batch reading, producing, and the control topics as a timeline.
//!
//! The only crate that names `rdkafka`. Topic names are given without the configured prefix; the bus adds it.
//! It refuses to know what a message means: it hands out borrowed bytes and takes bytes. The exceptions are [`control`], which feeds
//! `domain::control` (that decides) and says how far the control topics have been read, and [`sources`], which puts beside each topic of
//! messages what decodes it.
//!
//! ```text
//!  topics.toml ─▶ topics::ensure / inspect            Reader::open ─▶ poll ─▶ Batch ─▶ Record (borrowed)
//!  Producer::send ─▶ acknowledged (partition, offset) control::ControlReader ─▶ Arc<Timeline> + covered_until_ms
//! ```
//!
//! Invariants:
//! * `BUS-1` partitions are assigned once per consumer, never re-assigned: librdkafka aborts otherwise (its issue #5573).
//! * `BUS-2` a range of offsets that is gone is an error, never skipped (`auto.offset.reset=error`).
//! * `BUS-3` a topic or partition that does not exist is refused with words before it is assigned; librdkafka says nothing.
//! * `BUS-4` no offset is ever committed: where a service stands is its own affair.
//! * `BUS-5` a message lives until its [`Batch`] is dropped, and the consumer outlives every batch.
//! * `BUS-7` a setting that is refused is named, and what it was set to is not shown when it is a secret.

mod clock;
mod config;
mod error;
mod ffi;
mod log;
mod offsets;
mod producer;
mod reader;

pub mod control;
pub mod headers;
pub mod rejects;
pub mod sources;
pub mod topics;

pub use config::KafkaConfig;
pub use error::{BusError, Hint};
pub use offsets::Offsets;
pub use producer::{Delivery, Message, Producer, ProducerOptions};
pub use reader::{Assignment, Batch, End, From, Headers, Position, Reader, ReaderOptions, Record};
pub use topics::{TopicMeta, topic_meta, topic_metas};
