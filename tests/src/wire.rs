//! A client of the broker that shares no code with the bus: Kafka's own bytes over TCP. For what a test must do to a cluster
//! and a service never does: delete topics and records, add partitions, change settings, write transactions.
//!
//! Versions of requests are the last before "flexible" ones, which every broker since Kafka 2.1 speaks.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

const PRODUCE: (i16, i16) = (0, 7);
const FIND_COORDINATOR: (i16, i16) = (10, 2);
const DELETE_TOPICS: (i16, i16) = (20, 3);
const DELETE_RECORDS: (i16, i16) = (21, 1);
const INIT_PRODUCER_ID: (i16, i16) = (22, 1);
const ADD_PARTITIONS_TO_TXN: (i16, i16) = (24, 2);
const END_TXN: (i16, i16) = (26, 2);
const CREATE_PARTITIONS: (i16, i16) = (37, 1);
const INCREMENTAL_ALTER_CONFIGS: (i16, i16) = (44, 0);

/// The coordinator is not there yet, is loading, or still ends the last transaction.
const NOT_YET: [i16; 4] = [14, 15, 16, 51];
const UNKNOWN_TOPIC: i16 = 3;

/// A connection.
pub struct Wire {
    stream: TcpStream,
    correlation: i32,
}

/// A transactional producer's identity.
#[derive(Clone, Copy, Debug)]
struct ProducerId {
    id: i64,
    epoch: i16,
}

impl Wire {
    /// Connects to `host:port`.
    pub fn connect(bootstrap: &str) -> Self {
        let stream = TcpStream::connect(bootstrap).expect("the broker answers");
        stream.set_read_timeout(Some(LIMIT)).expect("timeout");
        Self { stream, correlation: 0 }
    }

    fn call(&mut self, (key, version): (i16, i16), body: &Writer) -> Reader {
        self.correlation += 1;
        let mut head = Writer::default();
        head.i16(key).i16(version).i32(self.correlation).text("wire");
        let length = i32::try_from(head.0.len() + body.0.len()).expect("length");
        let message = [&length.to_be_bytes()[..], &head.0, &body.0].concat();
        self.stream.write_all(&message).expect("sent");
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap_or_else(|error| panic!("no answer to request {key}: {error}"));
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("length")];
        self.stream.read_exact(&mut answer).expect("answer");
        let mut reader = Reader(answer, 0);
        assert_eq!(reader.i32(), self.correlation, "answers come in order");
        reader
    }

    /// Deletes a topic (full name) and waits until it is gone.
    pub fn delete_topic(&mut self, topic: &str) {
        let start = Instant::now();
        loop {
            let mut body = Writer::default();
            body.i32(1).text(topic).i32(10_000);
            let mut answer = self.call(DELETE_TOPICS, &body);
            answer.skip(4 + 4).text();
            // The second answer says that it is not there any more.
            match answer.i16() {
                UNKNOWN_TOPIC => return,
                0 => {}
                code => panic!("deleting {topic}: error {code}"),
            }
            assert!(start.elapsed() < LIMIT, "{topic} is still there");
        }
    }

    /// Raises a topic's number of partitions.
    pub fn add_partitions(&mut self, topic: &str, count: i32) {
        let mut body = Writer::default();
        body.i32(1).text(topic).i32(count).i32(-1).i32(10_000).i8(0);
        let mut answer = self.call(CREATE_PARTITIONS, &body);
        answer.skip(4 + 4).text();
        assert_eq!(answer.i16(), 0, "adding partitions to {topic}");
    }

    /// Deletes a partition's records below an offset, as retention does.
    pub fn delete_records(&mut self, topic: &str, partition: i32, below: i64) {
        let mut body = Writer::default();
        body.i32(1).text(topic).i32(1).i32(partition).i64(below).i32(10_000);
        let mut answer = self.call(DELETE_RECORDS, &body);
        answer.skip(4 + 4).text();
        answer.skip(4 + 4);
        let (low, code) = (answer.i64(), answer.i16());
        assert_eq!((low, code), (below, 0), "deleting records of {topic}");
    }

    /// Changes a setting of a topic.
    pub fn set(&mut self, topic: &str, setting: &str, value: &str) {
        const TOPIC: i8 = 2;
        const SET: i8 = 0;
        let mut body = Writer::default();
        body.i32(1).i8(TOPIC).text(topic).i32(1).text(setting).i8(SET).text(value).i8(0);
        let mut answer = self.call(INCREMENTAL_ALTER_CONFIGS, &body);
        assert_eq!(answer.skip(4 + 4).i16(), 0, "setting {setting} of {topic}");
    }

    /// Writes a transaction of records to one partition and ends it. Its end stands in the log, too: one offset.
    pub fn transaction(&mut self, topic: &str, partition: i32, records: &[Vec<u8>], commit: bool) {
        let name = format!("wire-{topic}-{partition}");
        let producer = self.producer_id(&name);
        let mut body = Writer::default();
        body.text(&name).i64(producer.id).i16(producer.epoch).i32(1).text(topic).i32(1).i32(partition);
        self.until_done(ADD_PARTITIONS_TO_TXN, &body, |answer| {
            answer.skip(4 + 4).text();
            answer.skip(4 + 4).i16()
        });
        let batch = batch(producer, records);
        let mut body = Writer::default();
        body.text(&name).i16(-1).i32(10_000).i32(1).text(topic).i32(1).i32(partition).bytes(&batch);
        let mut answer = self.call(PRODUCE, &body);
        answer.skip(4).text();
        assert_eq!(answer.skip(4 + 4).i16(), 0, "writing to {topic}");
        let mut body = Writer::default();
        body.text(&name).i64(producer.id).i16(producer.epoch).i8(i8::from(commit));
        self.until_done(END_TXN, &body, |answer| answer.skip(4).i16());
        // The next one waits for the end of this one: its markers are in the log then.
        self.producer_id(&name);
    }

    fn producer_id(&mut self, name: &str) -> ProducerId {
        let mut body = Writer::default();
        body.text(name).i8(1);
        self.until_done(FIND_COORDINATOR, &body, |answer| answer.skip(4).i16());
        let mut body = Writer::default();
        body.text(name).i32(60_000);
        let mut answer = self.until_done(INIT_PRODUCER_ID, &body, |answer| answer.skip(4).i16());
        ProducerId { id: answer.i64(), epoch: answer.i16() }
    }

    /// Asks until the error code `code_of` reads is 0; the rest of the answer.
    fn until_done(&mut self, api: (i16, i16), body: &Writer, code_of: impl Fn(&mut Reader) -> i16) -> Reader {
        let start = Instant::now();
        loop {
            let mut answer = self.call(api, body);
            match code_of(&mut answer) {
                0 => return answer,
                code if NOT_YET.contains(&code) && start.elapsed() < LIMIT => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                code => panic!("request {}: error {code}", api.0),
            }
        }
    }
}

/// A transactional batch of records without keys.
fn batch(producer: ProducerId, records: &[Vec<u8>]) -> Vec<u8> {
    const TRANSACTIONAL: i16 = 1 << 4;
    let count = i32::try_from(records.len()).expect("count");
    let mut body = Writer::default();
    body.i16(TRANSACTIONAL).i32(count - 1).i64(0).i64(0).i64(producer.id).i16(producer.epoch).i32(0).i32(count);
    for (number, value) in (0i64..).zip(records) {
        let mut record = Writer::default();
        let length = i64::try_from(value.len()).expect("length");
        record.i8(0).varint(0).varint(number).varint(-1).varint(length).raw(value).varint(0);
        body.varint(i64::try_from(record.0.len()).expect("length")).raw(&record.0);
    }
    let length = i32::try_from(4 + 1 + 4 + body.0.len()).expect("length");
    let mut batch = Writer::default();
    batch.i64(0).i32(length).i32(-1).i8(2).raw(&crc32c(&body.0).to_be_bytes()).raw(&body.0);
    batch.0
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn i8(&mut self, value: i8) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    fn i16(&mut self, value: i16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    fn text(&mut self, value: &str) -> &mut Self {
        self.i16(i16::try_from(value.len()).expect("a short text")).raw(value.as_bytes())
    }

    fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.i32(i32::try_from(value.len()).expect("length")).raw(value)
    }

    /// Zigzag, seven bits a byte.
    fn varint(&mut self, value: i64) -> &mut Self {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.0.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
        self
    }
}

struct Reader(Vec<u8>, usize);

impl Reader {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let bytes = self.0[self.1..self.1 + N].try_into().expect("N bytes");
        self.1 += N;
        bytes
    }

    fn skip(&mut self, bytes: usize) -> &mut Self {
        self.1 += bytes;
        self
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }

    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take())
    }

    fn text(&mut self) -> String {
        let length = usize::try_from(self.i16()).unwrap_or(0);
        self.1 += length;
        String::from_utf8_lossy(&self.0[self.1 - length..self.1]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(super::crc32c(b"123456789"), 0xe306_9283);
    }
}
