//! Bodies: what type, how long, how packed. Nothing is read or unpacked without a limit (`GTW-5`).

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use gridwarden_runtime::http::Problem;
use std::io::Read;
use std::time::Duration;

/// How much of a body that is refused is read and thrown away, and for how long: a client that is still sending when the
/// connection closes sees a reset instead of the answer.
const DRAIN_BYTES: usize = 32 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// Media types of one record.
pub const JSON: &[&str] = &["application/json"];
/// Media types of one observation.
pub const OBSERVATION: &[&str] = &["application/json", "application/x-protobuf", "application/protobuf"];
/// Media types of a batch.
pub const NDJSON: &[&str] =
    &["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];

/// How a body is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packing {
    /// As it is.
    Plain,
    /// gzip.
    Gzip,
}

/// Checks the type and the packing of a body.
pub fn packing(headers: &HeaderMap, types: &[&str]) -> Result<Packing, Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if !types.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
        return Err(unsupported("content-type", &format!("must be {}", types.join(" or "))));
    }
    let mut codings =
        headers.get_all(header::CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?").trim());
    match (codings.next(), codings.next()) {
        (None, _) => Ok(Packing::Plain),
        (Some(one), None) if one.eq_ignore_ascii_case("identity") => Ok(Packing::Plain),
        (Some(one), None) if one.eq_ignore_ascii_case("gzip") => Ok(Packing::Gzip),
        _ => Err(unsupported("content-encoding", "must be gzip or none")),
    }
}

/// 415 that names the header.
fn unsupported(header: &str, detail: &str) -> Problem {
    let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE).detail(format!("the {header} {detail}"));
    problem.field(header, detail)
}

/// The length a client announces; `None` when it does not.
pub fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// 413.
pub fn too_long(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE).detail(format!("at most {limit} bytes are taken, after decompression"))
}

/// Reads a body of at most `limit` bytes within `time`.
pub async fn read(body: Body, announced: Option<usize>, limit: usize, time: Duration) -> Result<Bytes, Problem> {
    if announced.is_some_and(|length| length > limit) {
        discard(body).await;
        return Err(too_long(limit));
    }
    let mut stream = body.into_data_stream();
    let read = async {
        let mut whole = BytesMut::with_capacity(announced.unwrap_or(0));
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| Problem::bad_request("the body broke off"))?;
            if whole.len() + chunk.len() > limit {
                return Err(too_long(limit));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    };
    let outcome = match tokio::time::timeout(time, read).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let detail = format!("the body did not arrive within {} s", time.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT).detail(detail));
        }
    };
    if matches!(&outcome, Err(problem) if problem.status == StatusCode::PAYLOAD_TOO_LARGE) {
        discard(Body::from_stream(stream)).await;
    }
    outcome
}

/// Reads what is left of a body that was refused, within bounds, and keeps none of it.
pub async fn discard(body: Body) {
    let mut stream = body.into_data_stream();
    let mut left = DRAIN_BYTES;
    let drain = async {
        while let Some(Ok(chunk)) = stream.next().await
            && chunk.len() <= left
        {
            left -= chunk.len();
        }
    };
    tokio::time::timeout(DRAIN_TIME, drain).await.ok();
}

/// Unpacks a body to at most `limit` bytes. Blocks for as long as that many bytes take.
pub fn unpack(body: Bytes, packing: Packing, limit: usize) -> Result<Bytes, Problem> {
    if packing == Packing::Plain {
        return Ok(body);
    }
    let mut plain = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(body.as_ref()).take(most).read_to_end(&mut plain);
    read.map_err(|error| Problem::bad_request(format!("the body is not gzip: {error}")))?;
    if plain.len() > limit { Err(too_long(limit)) } else { Ok(plain.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory").into()
    }

    #[test]
    fn a_bomb_is_cut_at_the_limit() {
        let bomb = packed(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 100_000);
        let refused = unpack(bomb, Packing::Gzip, 1 << 20).expect_err("bomb");
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn what_fits_comes_out_and_rubbish_is_named() {
        assert_eq!(&unpack(packed(b"hello"), Packing::Gzip, 5).expect("fits")[..], b"hello");
        let twice = [packed(b"a"), packed(b"b")].concat();
        assert_eq!(&unpack(twice.into(), Packing::Gzip, 5).expect("members")[..], b"ab");
        assert_eq!(unpack(b"no"[..].into(), Packing::Gzip, 5).expect_err("rubbish").status, StatusCode::BAD_REQUEST);
        let half = packed(b"hello").slice(0..12);
        assert_eq!(unpack(half, Packing::Gzip, 5).expect_err("half").status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn types_and_packings() {
        let asked = |kind: &'static str, coding: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            coding.map(|coding| headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding)));
            packing(&headers, JSON).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(asked("application/json", None), Ok(Packing::Plain));
        assert_eq!(asked("Application/JSON; charset=utf-8", Some("gzip")), Ok(Packing::Gzip));
        assert_eq!(asked("text/plain", None), Err(415));
        assert_eq!(asked("application/json", Some("br")), Err(415));
        assert_eq!(asked("application/json", Some("gzip, gzip")), Err(415));
    }
}
