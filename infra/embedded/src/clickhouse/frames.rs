//! ClickHouse's own compression of HTTP bodies (`decompress=1`, `compress=1`): frames of
//! 16 bytes CityHash128 (1.0.2) | 1 byte method | u32 size with this header | u32 raw size | data.

use super::{
    encoding::Sink,
    error::{Exception, code},
};

const CHECKSUM: usize = 16;
const HEADER: usize = 9;
const LZ4: u8 = 0x82;
const NONE: u8 = 0x02;
/// ClickHouse's own limit is 1 GiB; ours is kinder to a small machine.
const LARGEST: usize = 64 << 20;

/// Takes frames apart as bytes come in.
#[derive(Default)]
pub(super) struct Decoder {
    waiting: Vec<u8>,
}

impl Decoder {
    /// Takes bytes and hands on the data of every frame they complete.
    pub(super) fn push(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), Exception> {
        self.waiting.extend_from_slice(bytes);
        let mut done = 0;
        while let Some(length) = frame(self.waiting.get(done..).unwrap_or_default(), sink)? {
            done += length;
        }
        self.waiting.drain(..done);
        Ok(())
    }

    /// The body has ended: nothing may be left.
    pub(super) fn finish(&self) -> Result<(), Exception> {
        match self.waiting.is_empty() {
            true => Ok(()),
            false => Err(broken("the body ends inside of a compressed frame")),
        }
    }
}

/// Reads the frame at the start of `bytes`: its whole length, or `None` while it is incomplete.
fn frame(bytes: &[u8], sink: &mut Sink<'_>) -> Result<Option<usize>, Exception> {
    let Some((checksum, rest)) = bytes.split_first_chunk::<CHECKSUM>() else { return Ok(None) };
    let Some(([method, sizes @ ..], _)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
    let [a, b, c, d, e, f, g, h] = *sizes;
    let size = u32::from_le_bytes([a, b, c, d]) as usize;
    let raw_size = u32::from_le_bytes([e, f, g, h]) as usize;
    if !(HEADER..=LARGEST).contains(&size) || raw_size > LARGEST {
        return Err(broken("a compressed frame has an impossible size"));
    }
    let Some(covered) = rest.get(..size) else { return Ok(None) };
    let expected = u128::from_le_bytes(*checksum);
    if cityhash_rs::cityhash_102_128(covered).rotate_right(64) != expected {
        return Err(broken("a compressed frame's checksum does not match"));
    }
    let data = covered.get(HEADER..).unwrap_or_default();
    match *method {
        LZ4 => {
            let raw = lz4_flex::block::decompress(data, raw_size);
            let raw = raw.map_err(|error| broken(&format!("a compressed frame cannot be read: {error}")))?;
            if raw.len() != raw_size {
                return Err(broken("a compressed frame holds less than it says"));
            }
            sink(&raw)?;
        }
        NONE => sink(data)?,
        other => return Err(broken(&format!("compression method 0x{other:02x} is not read here, use LZ4"))),
    }
    Ok(Some(CHECKSUM + size))
}

/// Data as one frame.
pub(super) fn encode(data: &[u8]) -> Vec<u8> {
    let packed = lz4_flex::block::compress(data);
    let mut covered = Vec::with_capacity(HEADER + packed.len());
    covered.push(LZ4);
    covered.extend_from_slice(&((HEADER + packed.len()) as u32).to_le_bytes());
    covered.extend_from_slice(&(data.len() as u32).to_le_bytes());
    covered.extend_from_slice(&packed);
    let checksum = cityhash_rs::cityhash_102_128(&covered).rotate_right(64);
    let mut frame = checksum.to_le_bytes().to_vec();
    frame.append(&mut covered);
    frame
}

fn broken(words: &str) -> Exception {
    Exception::ours(code::CANNOT_DECOMPRESS, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_survive_any_cut(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5), cut in 1_usize..50) {
            let body: Vec<u8> = parts.iter().flat_map(|part| encode(part)).collect();
            let (mut decoder, mut out) = (Decoder::default(), Vec::new());
            for piece in body.chunks(cut) {
                decoder.push(piece, &mut |data| { out.extend_from_slice(data); Ok(()) }).unwrap();
            }
            decoder.finish().unwrap();
            prop_assert_eq!(out, parts.concat());
        }

        #[test]
        fn a_changed_byte_is_found(data in proptest::collection::vec(any::<u8>(), 1..300), at in any::<proptest::sample::Index>()) {
            let mut body = encode(&data);
            let at = at.index(body.len());
            body[at] ^= 0x55;
            let mut decoder = Decoder::default();
            let read = decoder.push(&body, &mut |_| Ok(())).and_then(|()| decoder.finish());
            prop_assert!(read.is_err());
        }
    }
}
