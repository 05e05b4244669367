//! Request bodies: plain, gzip, or in ClickHouse's compressed frames.

use super::{
    error::{Exception, code},
    frames,
    request::{Asked, text},
};
use axum::{body::Body, http::HeaderMap};
use bytes::Bytes;
use flate2::write::GzDecoder;
use http_body_util::BodyExt;
use std::io::Write;

/// Longest body that is read whole: a query with its parameters, or an insert whose data stands behind its text.
const LONGEST_WHOLE: usize = 64 << 20;

/// Undoes a body's encoding, piece by piece.
pub(super) enum Decoder {
    Plain,
    Frames(frames::Decoder),
    Gzip(Box<GzDecoder<Vec<u8>>>),
}

impl Decoder {
    pub(super) fn new(asked: &Asked, headers: &HeaderMap) -> Result<Self, Exception> {
        match text(headers, "content-encoding").as_deref() {
            None | Some("" | "identity") if asked.body_in_frames => Ok(Self::Frames(frames::Decoder::default())),
            None | Some("" | "identity") => Ok(Self::Plain),
            Some("gzip") => Ok(Self::Gzip(Box::new(GzDecoder::new(Vec::new())))),
            Some(other) => {
                let words =
                    format!("Content-Encoding {other} is not read here; use gzip, or decompress=1 with LZ4 frames");
                Err(Exception::ours(code::BAD_ARGUMENTS, words))
            }
        }
    }

    /// Takes a piece of the body, appends what it decodes to.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Exception> {
        match self {
            Self::Plain => out.extend_from_slice(piece),
            Self::Frames(decoder) => decoder.push(piece, out)?,
            Self::Gzip(decoder) => {
                decoder.write_all(piece).map_err(bad_gzip)?;
                out.append(decoder.get_mut());
            }
        }
        Ok(())
    }

    /// The body has ended.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Exception> {
        match self {
            Self::Plain => Ok(()),
            Self::Frames(decoder) => decoder.finish(),
            Self::Gzip(decoder) => {
                decoder.try_finish().map_err(bad_gzip)?;
                out.append(decoder.get_mut());
                Ok(())
            }
        }
    }
}

fn bad_gzip(error: std::io::Error) -> Exception {
    Exception::ours(code::CANNOT_DECOMPRESS, format!("the gzip body cannot be read: {error}"))
}

/// The next piece of a body; `None` at its end. An error means that the client went away.
pub(super) async fn piece(body: &mut Body) -> Result<Option<Bytes>, Exception> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Exception::ours(code::QUERY_WAS_CANCELLED, "the client went away"))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// A whole body, decoded.
pub(super) async fn whole(mut body: Body, mut decoder: Decoder) -> Result<Vec<u8>, Exception> {
    let mut out = Vec::new();
    while let Some(data) = piece(&mut body).await? {
        decoder.push(&data, &mut out)?;
        if out.len() > LONGEST_WHOLE {
            let words = "a query of more than 64 MiB; for an insert, put INSERT … FORMAT … into the URL and the data into the body";
            return Err(Exception::ours(code::BAD_ARGUMENTS, words));
        }
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

/// Reads a form (`multipart/form-data`), as clients send query parameters.
pub(super) async fn form(body: Body, boundary: String, asked: &mut Asked) -> Result<(), Exception> {
    let bad = |error: multer::Error| Exception::ours(code::BAD_ARGUMENTS, format!("the form cannot be read: {error}"));
    let limit = multer::SizeLimit::new().whole_stream(LONGEST_WHOLE as u64);
    let constraints = multer::Constraints::new().size_limit(limit);
    let mut form = multer::Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let name = field.name().unwrap_or_default().to_owned();
        if field.file_name().is_some() {
            return Err(Exception::ours(code::BAD_ARGUMENTS, "external tables in forms are not read here"));
        }
        let value = field.text().await.map_err(bad)?;
        asked.take(&name, &value)?;
    }
    Ok(())
}
