//! The bus's only unsafe code: what librdkafka offers and the safe crate does not — reading a queue in batches, and a
//! topic's id — and the allocator it works with. Everything here is private; the types outside keep the lifetimes (`BUS-5`).
#![allow(unsafe_code, reason = "FFI to librdkafka and its allocator: none of this is in the safe crate")]

use crate::log;
use gridwarden_domain::identity::TopicId;
use rdkafka::bindings as native;
use rdkafka::types::{RDKafka, RDKafkaErrorCode, RDKafkaRespErr};
use std::ffi::{CStr, CString, c_char, c_int};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::time::Duration;

/// A message librdkafka lent us; given back when dropped.
#[repr(transparent)]
pub(crate) struct NativeMessage(NonNull<native::rd_kafka_message_t>);

// SAFETY: a message may be read and destroyed on any thread; it is not `Sync`, because headers are parsed on first use.
unsafe impl Send for NativeMessage {}

impl Drop for NativeMessage {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `rd_kafka_consume_batch_queue`, is owned by this value and destroyed once.
        unsafe { native::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

impl NativeMessage {
    fn raw(&self) -> &native::rd_kafka_message_t {
        // SAFETY: valid and unchanged from delivery to destroy.
        unsafe { self.0.as_ref() }
    }

    /// The error this entry carries, if it is not a record.
    pub(crate) fn error(&self) -> Option<RDKafkaErrorCode> {
        match self.raw().err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            code => Some(code.into()),
        }
    }

    /// librdkafka's words for the error.
    pub(crate) fn error_text(&self) -> String {
        // SAFETY: returns null or a NUL-terminated string that lives as long as the message.
        unsafe {
            let text = native::rd_kafka_message_errstr(self.0.as_ptr());
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        }
    }

    /// A number that is equal for messages of the same topic while the consumer lives.
    pub(crate) fn topic_handle(&self) -> usize {
        self.raw().rkt as usize
    }

    /// The topic's name on the cluster; empty for entries without topic.
    pub(crate) fn topic_name(&self) -> String {
        let topic = self.raw().rkt;
        if topic.is_null() {
            return String::new();
        }
        // SAFETY: the message holds a reference to its topic; the name is NUL-terminated and lives with it.
        unsafe { CStr::from_ptr(native::rd_kafka_topic_name(topic)).to_string_lossy().into_owned() }
    }

    pub(crate) fn partition(&self) -> i32 {
        self.raw().partition
    }

    pub(crate) fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// The record's timestamp in epoch milliseconds; −1 when it has none.
    pub(crate) fn timestamp_ms(&self) -> i64 {
        let mut kind = native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: reads the message, writes `kind`.
        unsafe { native::rd_kafka_message_timestamp(self.0.as_ptr(), &mut kind) }
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        // SAFETY: null, or `key_len` bytes that live until destroy.
        unsafe { bytes(self.raw().key.cast(), self.raw().key_len) }
    }

    pub(crate) fn payload(&self) -> Option<&[u8]> {
        // SAFETY: null, or `len` bytes that live until destroy.
        unsafe { bytes(self.raw().payload.cast(), self.raw().len) }
    }

    /// The headers. librdkafka keeps those it has parsed, but parses a message without any anew each time, with half a dozen
    /// calls of `malloc`: ask once.
    pub(crate) fn headers(&self) -> NativeHeaders<'_> {
        let mut headers = ptr::null_mut();
        // SAFETY: parses the headers on first use and keeps them in the message, which `&self` keeps alive; the value is
        // not `Sync`, so nobody parses at the same time.
        let answer = unsafe { native::rd_kafka_message_headers(self.0.as_ptr(), &mut headers) };
        let there = answer == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        NativeHeaders { headers: if there { headers } else { ptr::null_mut() }, message: PhantomData }
    }
}

/// Headers of a message that is alive; null when it has none.
#[derive(Clone, Copy)]
pub(crate) struct NativeHeaders<'a> {
    headers: *mut native::rd_kafka_headers_t,
    message: PhantomData<&'a NativeMessage>,
}

impl<'a> NativeHeaders<'a> {
    /// The value of the first header of that name; empty when it has none.
    pub(crate) fn get(&self, wanted: &str) -> Option<&'a [u8]> {
        if self.headers.is_null() {
            return None;
        }
        for index in 0.. {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0usize);
            // SAFETY: an index past the end is answered with an error; name and value live with the message.
            unsafe {
                let answer = native::rd_kafka_header_get_all(self.headers, index, &mut name, &mut value, &mut size);
                if answer != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return None;
                }
                if CStr::from_ptr(name).to_bytes() == wanted.as_bytes() {
                    return Some(bytes(value.cast(), size).unwrap_or_default());
                }
            }
        }
        None
    }
}

/// Borrowed bytes at `start`, `None` when it is null.
///
/// # Safety
/// `start` is null or points to `size` bytes that live as long as `'a`.
unsafe fn bytes<'a>(start: *const u8, size: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    if start.is_null() { None } else { Some(unsafe { std::slice::from_raw_parts(start, size) }) }
}

/// The queue of a consumer. Whoever holds it drops it before the consumer.
pub(crate) struct ConsumerQueue(NonNull<native::rd_kafka_queue_t>);

// SAFETY: librdkafka's queues are thread-safe.
unsafe impl Send for ConsumerQueue {}
// SAFETY: as above.
unsafe impl Sync for ConsumerQueue {}

impl Drop for ConsumerQueue {
    fn drop(&mut self) {
        // SAFETY: gives back the reference taken in `of`.
        unsafe { native::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

/// Lines of a consumer's log come with its messages; read in batches they would go to stderr as they are.
pub(crate) fn log_with_messages(client: *mut RDKafka) {
    // SAFETY: `client` is live; the function is there for ever and keeps nothing.
    unsafe { native::rd_kafka_set_logger(client, Some(log_line)) }
}

/// Called by librdkafka on the thread that reads.
extern "C" fn log_line(_client: *const RDKafka, level: c_int, facility: *const c_char, message: *const c_char) {
    let text = |start: *const c_char| {
        // SAFETY: null, or a string that ends with NUL and lives as long as this call.
        if start.is_null() { "".into() } else { unsafe { CStr::from_ptr(start) }.to_string_lossy() }
    };
    log::line(level, &text(facility), &text(message));
}

impl ConsumerQueue {
    /// The queue of the consumer behind `client`; `None` when it is not a consumer with a group.
    pub(crate) fn of(client: *mut RDKafka) -> Option<Self> {
        // SAFETY: `client` is a live consumer; the call answers null or a new reference.
        NonNull::new(unsafe { native::rd_kafka_queue_get_consumer(client) }).map(Self)
    }

    /// Appends up to `max` messages to `to`, waiting at most `timeout` for the first. librdkafka's own call waits until `max` of
    /// them are there, so what has come is asked for without waiting.
    pub(crate) fn read(&self, max: usize, timeout: Duration, to: &mut Vec<NativeMessage>) {
        if !timeout.is_zero() && max > 0 {
            self.take(1, timeout, to);
            if to.is_empty() {
                return;
            }
        }
        self.take(max.saturating_sub(to.len()), Duration::ZERO, to);
    }

    /// Appends up to `max` messages to `to`, waiting for all of them at most for `timeout`.
    fn take(&self, max: usize, timeout: Duration, to: &mut Vec<NativeMessage>) {
        to.reserve(max);
        let wait = millis(timeout);
        // SAFETY: there is room for `max` pointers past the length; `NativeMessage` is a transparent non-null pointer and
        // librdkafka writes exactly `count` non-null ones, which the vector then owns.
        unsafe {
            let room = to.as_mut_ptr().add(to.len()).cast::<*mut native::rd_kafka_message_t>();
            let count = native::rd_kafka_consume_batch_queue(self.0.as_ptr(), wait, room, max);
            to.set_len(to.len() + usize::try_from(count).unwrap_or(0));
        }
    }
}

/// What DescribeTopics says of a topic.
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) error: Option<RDKafkaErrorCode>,
    pub(crate) id: TopicId,
    pub(crate) partitions: i32,
}

/// Owns what a request needs until it is answered.
struct Request {
    queue: *mut native::rd_kafka_queue_t,
    topics: *mut native::rd_kafka_TopicCollection_t,
    event: *mut native::rd_kafka_event_t,
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: each is null or owned by this value; an event is destroyed before its queue.
        unsafe {
            if !self.event.is_null() {
                native::rd_kafka_event_destroy(self.event);
            }
            if !self.topics.is_null() {
                native::rd_kafka_TopicCollection_destroy(self.topics);
            }
            if !self.queue.is_null() {
                native::rd_kafka_queue_destroy(self.queue);
            }
        }
    }
}

/// Asks the cluster behind `client` for the ids and numbers of partitions of topics, in one request; the answer is in an
/// order of its own.
pub(crate) fn describe_topics(
    client: *mut RDKafka,
    topics: &[String],
    timeout: Duration,
) -> Result<Vec<Described>, RDKafkaErrorCode> {
    let owned = topics.iter().map(|topic| CString::new(topic.as_str())).collect::<Result<Vec<_>, _>>();
    let owned = owned.map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
    let mut names: Vec<*const c_char> = owned.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: `client` is live for the call; the collection copies the names; the queue lives until the request is answered
    // or given up, and an answer to a destroyed queue is dropped by librdkafka. The descriptions are `count` pointers that
    // live with the event, which `request` keeps until they are copied.
    unsafe {
        let mut request = Request {
            queue: native::rd_kafka_queue_new(client),
            topics: native::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
            event: ptr::null_mut(),
        };
        native::rd_kafka_DescribeTopics(client, request.topics, ptr::null(), request.queue);
        request.event = native::rd_kafka_queue_poll(request.queue, millis(timeout));
        if request.event.is_null() {
            return Err(RDKafkaErrorCode::OperationTimedOut);
        }
        let failure = native::rd_kafka_event_error(request.event);
        if failure != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(failure.into());
        }
        let result = native::rd_kafka_event_DescribeTopics_result(request.event);
        if result.is_null() {
            return Err(RDKafkaErrorCode::BadMessage);
        }
        let mut count = 0usize;
        let descriptions = native::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if descriptions.is_null() {
            return Ok(Vec::new());
        }
        Ok(std::slice::from_raw_parts(descriptions, count).iter().map(|one| read_description(*one)).collect())
    }
}

/// Copies a description.
///
/// # Safety
/// `description` belongs to an event that is alive.
unsafe fn read_description(description: *const native::rd_kafka_TopicDescription_t) -> Described {
    // SAFETY: all pointers live with the event; a topic without error has an id.
    unsafe {
        let name = native::rd_kafka_TopicDescription_name(description);
        let name = if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() };
        let error = native::rd_kafka_TopicDescription_error(description);
        let code = if error.is_null() {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        } else {
            native::rd_kafka_error_code(error)
        };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Described { name, error: Some(code.into()), id: TopicId(0), partitions: 0 };
        }
        let uuid = native::rd_kafka_TopicDescription_topic_id(description);
        let high = native::rd_kafka_Uuid_most_significant_bits(uuid).cast_unsigned();
        let low = native::rd_kafka_Uuid_least_significant_bits(uuid).cast_unsigned();
        let mut partitions = 0usize;
        native::rd_kafka_TopicDescription_partitions(description, &mut partitions);
        Described {
            name,
            error: None,
            id: TopicId((u128::from(high) << 64) | u128::from(low)),
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
        }
    }
}

/// A timeout as librdkafka takes it.
fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

/// Gives what librdkafka has freed back to the system. It takes memory from the C library, which keeps the most that was ever
/// needed, above all what reading a backlog took. A matter of milliseconds.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> c_int;
    }
    // SAFETY: part of glibc; may be called on any thread at any time, and touches only what nobody holds.
    unsafe { malloc_trim(0) };
}

/// Other C libraries have no such call, or need none.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
