//! How a body is packed, by its headers: plain, `Content-Encoding` gzip, deflate, zstd or lz4, or ClickHouse's own frames.
//!
//! Invariants:
//! * a decoder never holds much more than the piece it was given: what is unpacked is handed on in portions, however small a
//!   body that unpacks to gigabytes is.
//! * an encoding that ends too early is an error, never the end of the data.

use super::{
    error::{Exception, code},
    frames, lz4_frame,
    request::{Asked, text},
};
use axum::http::HeaderMap;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use std::io::{Error, Write};
use zstd::stream::raw::{Decoder as RawZstd, Operation};

/// Packed bytes that are given to a decoder at once; deflate makes at most a thousand times as much of them.
const PORTION: usize = 1024;

/// Takes what was unpacked.
pub(super) type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), Exception> + 'a;

/// Undoes a body's encoding, piece by piece.
pub(super) enum Decoder {
    Plain,
    Frames(frames::Decoder),
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Deflate(Box<ZlibDecoder<Vec<u8>>>),
    Lz4(lz4_frame::Decoder),
    Zstd(Zstd),
}

impl Decoder {
    pub(super) fn new(asked: &Asked, headers: &HeaderMap) -> Result<Self, Exception> {
        let encoding = text(headers, "content-encoding").unwrap_or_default();
        Ok(match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" if asked.body_in_frames => Self::Frames(frames::Decoder::default()),
            "" | "identity" => Self::Plain,
            "gzip" | "x-gzip" => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            "deflate" => Self::Deflate(Box::new(ZlibDecoder::new(Vec::new()))),
            "lz4" => Self::Lz4(lz4_frame::Decoder::default()),
            "zstd" => Self::Zstd(Zstd::new()?),
            other => {
                let words = format!("Content-Encoding {other} is not read here; use gzip, deflate, lz4 or zstd");
                return Err(Exception::ours(code::BAD_ARGUMENTS, words));
            }
        })
    }

    /// Takes a piece of the body, hands on what it unpacks to.
    pub(super) fn push(&mut self, piece: &[u8], sink: &mut Sink<'_>) -> Result<(), Exception> {
        match self {
            Self::Plain => sink(piece),
            Self::Frames(decoder) => decoder.push(piece, sink),
            Self::Lz4(decoder) => decoder.push(piece, sink),
            Self::Zstd(decoder) => decoder.push(piece, sink),
            Self::Gzip(decoder) => piece.chunks(PORTION).try_for_each(|portion| {
                decoder.write_all(portion).map_err(|error| broken("gzip", &error))?;
                drain(decoder.get_mut(), sink)
            }),
            Self::Deflate(decoder) => piece.chunks(PORTION).try_for_each(|portion| {
                decoder.write_all(portion).map_err(|error| broken("deflate", &error))?;
                drain(decoder.get_mut(), sink)
            }),
        }
    }

    /// The body has ended.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), Exception> {
        match self {
            Self::Plain => Ok(()),
            Self::Frames(decoder) => decoder.finish(),
            Self::Lz4(decoder) => decoder.finish(),
            Self::Zstd(decoder) => decoder.finish(),
            Self::Gzip(decoder) => {
                decoder.try_finish().map_err(|error| broken("gzip", &error))?;
                drain(decoder.get_mut(), sink)
            }
            Self::Deflate(decoder) => {
                decoder.try_finish().map_err(|error| broken("deflate", &error))?;
                drain(decoder.get_mut(), sink)
            }
        }
    }
}

/// A decoder of zstd, frame after frame.
pub(super) struct Zstd {
    decoder: RawZstd<'static>,
    /// Inside of a frame.
    open: bool,
    /// It may have more to hand on without being given more.
    full: bool,
    room: Vec<u8>,
}

impl Zstd {
    fn new() -> Result<Self, Exception> {
        let decoder = RawZstd::new().map_err(|error| broken("zstd", &error))?;
        Ok(Self { decoder, open: false, full: false, room: vec![0; 128 << 10] })
    }

    fn push(&mut self, mut piece: &[u8], sink: &mut Sink<'_>) -> Result<(), Exception> {
        // Asked again behind a frame's end, with nothing to do, it would begin another.
        while !piece.is_empty() || self.full {
            let step = self.decoder.run_on_buffers(piece, &mut self.room).map_err(|error| broken("zstd", &error))?;
            self.open = step.remaining != 0;
            self.full = self.open && step.bytes_written == self.room.len();
            piece = piece.get(step.bytes_read..).unwrap_or_default();
            sink(self.room.get(..step.bytes_written).unwrap_or_default())?;
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), Exception> {
        if self.open { Err(broken("zstd", &Error::other("it ends inside of a frame"))) } else { Ok(()) }
    }
}

fn drain(from: &mut Vec<u8>, sink: &mut Sink<'_>) -> Result<(), Exception> {
    sink(from)?;
    from.clear();
    Ok(())
}

fn broken(encoding: &str, error: &Error) -> Exception {
    Exception::ours(code::CANNOT_DECOMPRESS, format!("the {encoding} body cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every encoding as another program writes it.
    fn packed(data: &[u8]) -> [(&'static str, Vec<u8>); 4] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(data).unwrap();
        let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        deflate.write_all(data).unwrap();
        [
            ("gzip", gzip.finish().unwrap()),
            ("deflate", deflate.finish().unwrap()),
            ("zstd", zstd::encode_all(data, 3).unwrap()),
            ("", data.to_vec()),
        ]
    }

    fn decoder(encoding: &str) -> Result<Decoder, Exception> {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", encoding.parse().unwrap());
        Decoder::new(&Asked::default(), &headers)
    }

    fn unpacked(encoding: &str, body: &[u8], cut: usize) -> Result<Vec<u8>, Exception> {
        let (mut decoder, mut out) = (decoder(encoding)?, Vec::new());
        let mut sink = |data: &[u8]| {
            out.extend_from_slice(data);
            Ok(())
        };
        // An empty piece is no news, wherever it comes.
        body.chunks(cut).chain([&[][..]]).try_for_each(|piece| decoder.push(piece, &mut sink))?;
        decoder.finish(&mut sink)?;
        Ok(out)
    }

    proptest! {
        #[test]
        fn bodies_survive_any_cut_but_not_a_missing_end(data in proptest::collection::vec(any::<u8>(), 1..3000), cut in 1_usize..200) {
            for (encoding, body) in packed(&data) {
                prop_assert_eq!(unpacked(encoding, &body, cut).unwrap(), data.clone(), "{}", encoding);
                if !encoding.is_empty() {
                    prop_assert!(unpacked(encoding, &body[..body.len() - 1], cut).is_err(), "{}", encoding);
                }
            }
        }

        #[test]
        fn nonsense_is_an_error(body in proptest::collection::vec(any::<u8>(), 20..300)) {
            for encoding in ["gzip", "deflate", "zstd", "lz4"] {
                prop_assert_eq!(unpacked(encoding, &body, 7).map_err(|error| error.code), Err(code::CANNOT_DECOMPRESS), "{}", encoding);
            }
        }
    }

    #[test]
    fn what_unpacks_to_much_is_handed_on_in_portions() {
        for (encoding, body) in packed(&vec![7; 50 << 20]) {
            let (mut decoder, mut sum, mut largest) = (decoder(encoding).unwrap(), 0, 0);
            let mut sink = |data: &[u8]| {
                sum += data.len();
                largest = largest.max(data.len());
                Ok(())
            };
            let pieces = if encoding.is_empty() { 1 << 16 } else { body.len() };
            body.chunks(pieces).for_each(|piece| decoder.push(piece, &mut sink).unwrap());
            decoder.finish(&mut sink).unwrap();
            assert!(sum == 50 << 20 && largest < 4 << 20, "{encoding}: {sum} {largest}");
        }
    }

    #[test]
    fn files_written_one_after_the_other_are_one_body() {
        for encoding in ["gzip", "zstd"] {
            let part = |data: &[u8]| packed(data).into_iter().find(|(name, _)| *name == encoding).unwrap().1;
            let body = [part(b"one;"), part(b"two")].concat();
            assert_eq!(unpacked(encoding, &body, 5).unwrap(), b"one;two", "{encoding}");
        }
    }

    #[test]
    fn an_encoding_that_is_not_read_is_named() {
        let refused = decoder("br").err().unwrap();
        assert!(refused.text.contains("Content-Encoding br is not read here"), "{}", refused.text);
        assert!(decoder("GZIP").is_ok());
    }
}
