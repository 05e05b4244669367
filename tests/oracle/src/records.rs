//! Batches of records: written as the load sends them, read as they lie in the log.

use crate::bytes::{Input, Output};
use crate::kafka::{Broker, Topic};
use anyhow::{Result, bail, ensure};

/// A record as a plain consumer sees it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// The broker's stamp.
    pub(crate) appended: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

/// A batch of (key, value), as a producer without a name of its own writes it.
pub(crate) fn batch(records: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let count = i32::try_from(records.len())?;
    let mut body = Output::default();
    body.i16(0).i32(count - 1).i64(0).i64(0).i64(-1).i16(-1).i32(-1).i32(count);
    for (number, (key, value)) in (0i64..).zip(records) {
        let mut record = Output::default();
        record.i8(0).zigzag(0).zigzag(number);
        record.zigzag(key.len() as i64).raw(key.as_bytes());
        record.zigzag(value.len() as i64).raw(value).zigzag(0);
        body.zigzag(record.0.len() as i64).raw(&record.0);
    }
    let mut batch = Output::default();
    batch.i64(0).i32(i32::try_from(4 + 1 + 4 + body.0.len())?).i32(-1).i8(2);
    batch.raw(&crc32c(&body.0).to_be_bytes()).raw(&body.0);
    Ok(batch.0)
}

/// Reads a partition from its beginning to where it ends now; that end.
pub(crate) fn read_all(
    broker: &mut Broker,
    topic: &Topic,
    partition: i32,
    mut take: impl FnMut(Record),
) -> Result<i64> {
    let end = broker.end(&topic.name, partition)?;
    let mut next = 0;
    while next < end {
        let bytes = broker.fetch(&topic.name, partition, next)?;
        let before = next;
        decode(bytes, partition, &mut next, &mut take)?;
        ensure!(next > before, "{} partition {partition}: nothing comes at {next} of {end}", topic.name);
    }
    Ok(end)
}

/// Hands out the records of whole batches at `next` and above; `next` is behind the last batch then.
fn decode(bytes: Vec<u8>, partition: i32, next: &mut i64, take: &mut impl FnMut(Record)) -> Result<()> {
    const HEAD: usize = 12;
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + HEAD) {
        let mut input = Input::new(head.to_vec());
        let (base, length) = (input.i64()?, usize::try_from(input.i32()?)?);
        let Some(body) = bytes.get(at + HEAD..at + HEAD + length) else { break };
        at += HEAD + length;
        *next = one(Input::new(body.to_vec()), (partition, base, *next), take)?;
    }
    Ok(())
}

fn one(mut input: Input, place: (i32, i64, i64), take: &mut impl FnMut(Record)) -> Result<i64> {
    const COMPRESSION: i16 = 7;
    const APPEND_TIME: i16 = 8;
    const CONTROL: i16 = 32;
    let (partition, base, from) = place;
    input.i32()?;
    ensure!(input.i8()? == 2, "a batch of another time");
    input.i32()?;
    let (attributes, last) = (input.i16()?, input.i32()?);
    let (first_ms, highest_ms) = (input.i64()?, input.i64()?);
    input.i64()?;
    input.i16()?;
    input.i32()?;
    let after = base + i64::from(last) + 1;
    if attributes & CONTROL != 0 {
        return Ok(after);
    }
    if attributes & COMPRESSION != 0 {
        bail!("a batch is compressed: set compression.type of its topic to uncompressed");
    }
    for _ in 0..input.i32()? {
        input.zigzag()?;
        input.i8()?;
        let stamp = first_ms + input.zigzag()?;
        let appended = if attributes & APPEND_TIME != 0 { highest_ms } else { stamp };
        let offset = base + input.zigzag()?;
        let key = bytes(&mut input)?.unwrap_or_default();
        let value = bytes(&mut input)?;
        let mut headers = Vec::new();
        for _ in 0..input.zigzag()? {
            let name = bytes(&mut input)?.unwrap_or_default();
            headers.push((String::from_utf8_lossy(&name).into_owned(), bytes(&mut input)?.unwrap_or_default()));
        }
        if offset >= from {
            take(Record { partition, offset, appended, key, value, headers });
        }
    }
    Ok(after)
}

fn bytes(input: &mut Input) -> Result<Option<Vec<u8>>> {
    let length = input.zigzag()?;
    if length < 0 {
        return Ok(None);
    }
    Ok(Some(input.take(usize::try_from(length)?)?.to_vec()))
}

/// Castagnoli's, as batches carry it; eight bits at a time.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc(bytes, 0x82f6_3b78)
}

/// The usual one, as ClickHouse's `CRC32` gives it.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    crc(bytes, 0xedb8_8320)
}

fn crc(bytes: &[u8], polynomial: u32) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ polynomial } else { crc >> 1 };
        (0..8).fold(crc ^ u32::from(*byte), step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_known_ones() {
        assert_eq!((crc32c(b"123456789"), crc32(b"123456789")), (0xe306_9283, 0xcbf4_3926));
    }

    #[test]
    fn a_batch_is_read_as_it_was_written() {
        let sent = vec![("a".to_owned(), b"one".to_vec()), ("b".to_owned(), Vec::new())];
        let mut bytes = batch(&sent).unwrap();
        bytes.extend_from_slice(&[0; 20]);
        let (mut next, mut seen) = (0, Vec::new());
        bytes.truncate(bytes.len() - 10);
        decode(bytes, 3, &mut next, &mut |record| seen.push((record.offset, record.key, record.value))).unwrap();
        assert_eq!(next, 2);
        assert_eq!(seen, [(0, b"a".to_vec(), Some(b"one".to_vec())), (1, b"b".to_vec(), Some(Vec::new()))]);
    }
}
