//! A plain client of one broker: Kafka's own bytes over TCP, as much as is needed to write batches and to read them all again.
//!
//! It refuses to know what is in a record. It follows nobody and retries nothing: whoever asks sees every failure.

use crate::bytes::{Input, Output};
use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(2);
const FETCH_BYTES: i32 = 8 << 20;

const PRODUCE: (i16, i16) = (0, 3);
const FETCH: (i16, i16) = (1, 4);
const LIST_OFFSETS: (i16, i16) = (2, 1);
const METADATA: (i16, i16) = (3, 12);

/// A connection to the only broker there is.
pub(crate) struct Broker {
    stream: TcpStream,
    asked: i32,
}

/// A topic.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    /// Its id, 32 hex digits.
    pub(crate) id: String,
    pub(crate) partitions: i32,
}

impl Broker {
    /// Connects to `host:port`.
    pub(crate) fn connect(bootstrap: &str) -> Result<Self> {
        let address: SocketAddr = bootstrap.parse().context("the broker's address")?;
        let stream = TcpStream::connect_timeout(&address, CONNECT).context("the broker does not answer")?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, asked: 0 })
    }

    fn call(&mut self, (key, version): (i16, i16), body: &Output) -> Result<Input> {
        self.asked += 1;
        let mut head = Output::default();
        head.i16(key).i16(version).i32(self.asked).text("oracle");
        // From version 9 on metadata is asked for in the flexible form: tagged fields, none here.
        let flexible = (key, version) == METADATA;
        if flexible {
            head.i8(0);
        }
        let length = i32::try_from(head.0.len() + body.0.len())?;
        self.stream.write_all(&[&length.to_be_bytes()[..], &head.0, &body.0].concat())?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).context("no answer")?;
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length))?];
        self.stream.read_exact(&mut answer).context("half an answer")?;
        let mut input = Input::new(answer);
        ensure!(input.i32()? == self.asked, "answers come in order");
        if flexible {
            input.tags()?;
        }
        Ok(input)
    }

    /// What the broker says of a topic.
    pub(crate) fn topic(&mut self, name: &str) -> Result<Topic> {
        let mut body = Output::default();
        body.varint(2).raw(&[0; 16]).compact(name).i8(0).i8(0).i8(0).i8(0);
        let mut answer = self.call(METADATA, &body)?;
        answer.i32()?;
        for _ in 0..answer.length()? {
            answer.i32()?;
            answer.compact()?;
            answer.i32()?;
            answer.compact()?;
            answer.tags()?;
        }
        answer.compact()?;
        answer.i32()?;
        ensure!(answer.length()? == 1, "one topic was asked for");
        let code = answer.i16()?;
        ensure!(code == 0, "topic {name}: error {code}");
        answer.compact()?;
        let id = hex::encode(answer.take(16)?);
        answer.i8()?;
        let partitions = i32::try_from(answer.length()?)?;
        Ok(Topic { name: name.to_owned(), id, partitions })
    }

    /// Appends a batch to each of some partitions; where each begins. An error leaves it open which of them are there.
    pub(crate) fn produce(&mut self, topic: &str, batches: &[(i32, Vec<u8>)]) -> Result<Vec<(i32, i64)>> {
        let mut body = Output::default();
        body.i16(-1).i16(-1).i32(10_000).i32(1).text(topic).i32(i32::try_from(batches.len())?);
        for (partition, batch) in batches {
            body.i32(*partition).bytes(batch)?;
        }
        let mut answer = self.call(PRODUCE, &body)?;
        ensure!(answer.i32()? == 1, "one topic was written to");
        answer.text()?;
        let mut begun = Vec::new();
        for _ in 0..answer.i32()? {
            let (partition, code, base) = (answer.i32()?, answer.i16()?, answer.i64()?);
            answer.i64()?;
            ensure!(code == 0, "writing to partition {partition}: error {code}");
            begun.push((partition, base));
        }
        Ok(begun)
    }

    /// The offset the next record of a partition will get.
    pub(crate) fn end(&mut self, topic: &str, partition: i32) -> Result<i64> {
        const LATEST: i64 = -1;
        let mut body = Output::default();
        body.i32(-1).i32(1).text(topic).i32(1).i32(partition).i64(LATEST);
        let mut answer = self.call(LIST_OFFSETS, &body)?;
        answer.i32()?;
        answer.text()?;
        answer.i32()?;
        answer.i32()?;
        let code = answer.i16()?;
        ensure!(code == 0, "the end of {topic}: error {code}");
        answer.i64()?;
        answer.i64()
    }

    /// Batches from an offset on, as they lie in the log; the last one may be cut off.
    pub(crate) fn fetch(&mut self, topic: &str, partition: i32, from: i64) -> Result<Vec<u8>> {
        let mut body = Output::default();
        body.i32(-1).i32(1_000).i32(1).i32(FETCH_BYTES).i8(0);
        body.i32(1).text(topic).i32(1).i32(partition).i64(from).i32(FETCH_BYTES);
        let mut answer = self.call(FETCH, &body)?;
        answer.i32()?;
        if answer.i32()? != 1 {
            bail!("{topic}: nothing was fetched");
        }
        answer.text()?;
        answer.i32()?;
        answer.i32()?;
        let code = answer.i16()?;
        ensure!(code == 0, "reading {topic}: error {code}");
        answer.i64()?;
        answer.i64()?;
        for _ in 0..answer.i32()?.max(0) {
            answer.i64()?;
            answer.i64()?;
        }
        let length = answer.i32()?.max(0);
        Ok(answer.take(usize::try_from(length)?)?.to_vec())
    }
}
