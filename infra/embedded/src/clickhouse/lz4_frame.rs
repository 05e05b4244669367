//! LZ4's frame format (`Content-Encoding: lz4`), as `lz4` and client libraries write it:
//! magic | flags | block size | [content size] | [dictionary] | header checksum | blocks (u32 size, data, [checksum]) | 0 | [checksum].
//! Not ClickHouse's own frames: those are in `frames`.

use super::{
    encoding::Sink,
    error::{Exception, code},
};
use std::hash::Hasher;
use twox_hash::XxHash32;

const MAGIC: u32 = 0x184d_2204;
/// Skippable frames: any of sixteen magic numbers, a length, that many bytes.
const SKIPPABLE: u32 = 0x184d_2a50;
/// A block is stored, not compressed.
const STORED: u32 = 1 << 31;
/// How far back a block of linked ones may point.
const WINDOW: usize = 64 << 10;
/// The largest block the format knows.
const LARGEST: usize = 4 << 20;

/// Takes frames apart as bytes come in.
#[derive(Default)]
pub(super) struct Decoder {
    waiting: Vec<u8>,
    frame: Option<Frame>,
    /// Bytes of a skippable frame that are still to come.
    skip: usize,
}

/// A frame that has begun.
struct Frame {
    largest: usize,
    linked: bool,
    block_checksums: bool,
    checksum: Option<XxHash32>,
    /// The last 64 KiB, which linked blocks point into.
    window: Vec<u8>,
}

/// What is to be done with the bytes that wait.
enum Step {
    /// More of them are needed.
    Wait,
    /// So many are done with.
    Done(usize),
}

impl Decoder {
    pub(super) fn push(&mut self, piece: &[u8], sink: &mut Sink<'_>) -> Result<(), Exception> {
        self.waiting.extend_from_slice(piece);
        let mut at = 0;
        loop {
            let skipped = self.skip.min(self.waiting.len() - at);
            self.skip -= skipped;
            at += skipped;
            let bytes = self.waiting.get(at..).unwrap_or_default();
            let step = match &mut self.frame {
                Some(frame) => match frame.block(bytes, sink)? {
                    (step, true) => {
                        self.frame = None;
                        step
                    }
                    (step, false) => step,
                },
                None => header(bytes, &mut self.frame, &mut self.skip)?,
            };
            match step {
                Step::Done(length) => at += length,
                Step::Wait => break,
            }
        }
        self.waiting.drain(..at);
        Ok(())
    }

    /// The body has ended: nothing may be left.
    pub(super) fn finish(&self) -> Result<(), Exception> {
        match self.waiting.is_empty() && self.frame.is_none() && self.skip == 0 {
            true => Ok(()),
            false => Err(broken("it ends inside of a frame")),
        }
    }
}

/// Reads a frame's header.
fn header(bytes: &[u8], frame: &mut Option<Frame>, skip: &mut usize) -> Result<Step, Exception> {
    let Some(magic) = number(bytes, 0) else { return Ok(Step::Wait) };
    if magic & !0xf == SKIPPABLE {
        let Some(length) = number(bytes, 4) else { return Ok(Step::Wait) };
        *skip = length as usize;
        return Ok(Step::Done(8));
    }
    if magic != MAGIC {
        return Err(broken("it is no LZ4 frame"));
    }
    let Some([flags, size]) = bytes.get(4..6).and_then(|two| <[u8; 2]>::try_from(two).ok()) else {
        return Ok(Step::Wait);
    };
    let flag = |bit: u8| flags >> bit & 1 == 1;
    if flags >> 6 != 1 {
        return Err(broken("its version is not 1"));
    }
    if flag(0) {
        return Err(broken("it needs a dictionary"));
    }
    let largest = match size >> 4 & 7 {
        4 => 64 << 10,
        5 => 256 << 10,
        6 => 1 << 20,
        7 => LARGEST,
        _ => return Err(broken("its block size is unknown")),
    };
    let end = 6 + if flag(3) { 8 } else { 0 };
    let (Some(covered), Some(checksum)) = (bytes.get(4..end), bytes.get(end)) else { return Ok(Step::Wait) };
    if (XxHash32::oneshot(0, covered) >> 8) as u8 != *checksum {
        return Err(broken("the checksum of its header does not match"));
    }
    let checksum = flag(2).then(|| XxHash32::with_seed(0));
    *frame = Some(Frame { largest, linked: !flag(5), block_checksums: flag(4), checksum, window: Vec::new() });
    Ok(Step::Done(end + 1))
}

impl Frame {
    /// Reads a block; true when it was the end mark.
    fn block(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(Step, bool), Exception> {
        let Some(word) = number(bytes, 0) else { return Ok((Step::Wait, false)) };
        if word == 0 {
            return self.end(bytes);
        }
        let size = (word & !STORED) as usize;
        if size > self.largest {
            return Err(broken("a block is larger than its frame says"));
        }
        let end = 4 + size + if self.block_checksums { 4 } else { 0 };
        let (Some(data), Some(_)) = (bytes.get(4..4 + size), bytes.get(..end)) else { return Ok((Step::Wait, false)) };
        if self.block_checksums && number(bytes, 4 + size) != Some(XxHash32::oneshot(0, data)) {
            return Err(broken("the checksum of a block does not match"));
        }
        if word & STORED != 0 {
            self.take(data, sink)?;
        } else {
            let unpacked = lz4_flex::block::decompress_with_dict(data, self.largest, &self.window);
            let unpacked = unpacked.map_err(|error| broken(&error.to_string()))?;
            self.take(&unpacked, sink)?;
        }
        Ok((Step::Done(end), false))
    }

    fn take(&mut self, data: &[u8], sink: &mut Sink<'_>) -> Result<(), Exception> {
        if let Some(checksum) = &mut self.checksum {
            checksum.write(data);
        }
        if self.linked {
            self.window.extend_from_slice(data);
            self.window.drain(..self.window.len().saturating_sub(WINDOW));
        }
        sink(data)
    }

    fn end(&self, bytes: &[u8]) -> Result<(Step, bool), Exception> {
        let Some(checksum) = &self.checksum else { return Ok((Step::Done(4), true)) };
        match number(bytes, 4) {
            None => Ok((Step::Wait, false)),
            Some(said) if said == checksum.finish_32() => Ok((Step::Done(8), true)),
            Some(_) => Err(broken("the checksum of its content does not match")),
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes)
}

fn broken(words: &str) -> Exception {
    Exception::ours(code::CANNOT_DECOMPRESS, format!("the lz4 body cannot be read: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `0;1;…;99;` six hundred times, packed by the `lz4` library: 64 KiB blocks that point into the ones before, with every
    /// checksum there is; and one block without any.
    const PACKED: [&[u8]; 2] =
        [include_bytes!("../../tests/fixtures/linked.lz4"), include_bytes!("../../tests/fixtures/plain.lz4")];

    fn unpacked(body: &[u8], cut: usize) -> Result<Vec<u8>, Exception> {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for piece in body.chunks(cut) {
            decoder.push(piece, &mut |data| {
                out.extend_from_slice(data);
                Ok(())
            })?;
        }
        decoder.finish().map(|()| out)
    }

    fn expected() -> Vec<u8> {
        (0..60_000).flat_map(|n| format!("{};", n % 100).into_bytes()).collect()
    }

    #[test]
    fn what_another_program_packed_is_read() {
        for body in PACKED {
            for cut in [1, 13, body.len()] {
                assert!(unpacked(body, cut) == Ok(expected()), "{cut}");
            }
        }
    }

    #[test]
    fn frames_may_follow_each_other_and_be_skipped() {
        let skippable = [&(SKIPPABLE + 3).to_le_bytes()[..], &5_u32.to_le_bytes(), b"notes"].concat();
        let stored = b"\x04\x22\x4d\x18\x60\x40\x82\x03\x00\x00\x80a;b\x00\x00\x00\x00";
        let body = [&skippable[..], PACKED[0], stored, &skippable].concat();
        for cut in [1, 7, body.len()] {
            assert!(unpacked(&body, cut) == Ok([expected(), b"a;b".to_vec()].concat()), "{cut}");
        }
    }

    #[test]
    fn a_changed_or_missing_byte_is_found() {
        let body = PACKED[0];
        for at in 0..body.len() {
            let mut changed = body.to_vec();
            changed[at] ^= 0x10;
            assert!(unpacked(&changed, 100).is_err(), "byte {at}");
            assert!(unpacked(&body[..at.max(1)], 100).is_err(), "cut at {at}");
        }
    }
}
