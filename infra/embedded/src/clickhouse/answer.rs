//! Answers: bytes with ClickHouse's headers, at once or as a stream.

use super::{error::Exception, ffi::RawResult, frames};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use bytes::Bytes;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Data in one compressed frame of an answer.
const FRAME: usize = 1 << 20;

/// What every part of an answer must know.
#[derive(Clone)]
pub(super) struct Manner {
    pub(super) query_id: String,
    pub(super) format: String,
    pub(super) in_frames: bool,
    pub(super) tag: String,
}

impl Manner {
    pub(super) fn new(query_id: Option<String>, format: &str, in_frames: bool) -> Self {
        let query_id = query_id.unwrap_or_else(|| {
            let (a, b) = (random(), random());
            let (c, d) = (b >> 48, b & 0xffff_ffff_ffff);
            format!("{:08x}-{:04x}-4{:03x}-{c:04x}-{d:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xfff)
        });
        Self { query_id, format: format.to_owned(), in_frames, tag: format!("{:016x}", random()) }
    }

    /// A piece of the answer as it goes over the wire.
    pub(super) fn piece(&self, data: &[u8]) -> Bytes {
        match self.in_frames {
            true => data.chunks(FRAME).flat_map(frames::encode).collect(),
            false => Bytes::copy_from_slice(data),
        }
    }

    /// A whole answer, without a copy where it goes out as it is: it may be as large as the engine's memory allows.
    pub(super) fn whole(&self, result: RawResult) -> Body {
        Body::from(if self.in_frames { self.piece(result.bytes()) } else { Bytes::from_owner(result) })
    }

    /// An answer that goes well so far.
    pub(super) fn good(&self, body: Body, summary: &Summary) -> Response {
        let mut answer = Response::new(body);
        let headers = answer.headers_mut();
        put(headers, CONTENT_TYPE, content_type(&self.format));
        put(headers, HeaderName::from_static("x-clickhouse-format"), &self.format);
        put(headers, HeaderName::from_static("x-clickhouse-query-id"), &self.query_id);
        put(headers, HeaderName::from_static("x-clickhouse-timezone"), "UTC");
        put(headers, HeaderName::from_static("x-clickhouse-exception-tag"), &self.tag);
        put(headers, HeaderName::from_static("x-clickhouse-summary"), &summary.json());
        answer
    }
}

/// An error before the answer began.
pub(super) fn bad(exception: &Exception) -> Response {
    let mut answer = Response::new(Body::from(format!("{}\n", exception.text)));
    *answer.status_mut() = exception.status();
    let headers = answer.headers_mut();
    put(headers, CONTENT_TYPE, "text/plain; charset=UTF-8");
    put(headers, HeaderName::from_static("x-clickhouse-exception-code"), &exception.code.to_string());
    if exception.status() == StatusCode::UNAUTHORIZED {
        put(headers, HeaderName::from_static("www-authenticate"), "Basic realm=\"ClickHouse\"");
    }
    answer
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // A query id with a line end in it is the only value that can fail; it is left out then.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Counts of a query.
#[derive(Clone, Copy, Default)]
pub(super) struct Summary {
    read_rows: u64,
    read_bytes: u64,
    written_rows: u64,
    result_bytes: usize,
}

impl Summary {
    pub(super) fn of(result: &RawResult) -> Self {
        let (read_rows, read_bytes, written_rows) = result.counts();
        Self { read_rows, read_bytes, written_rows, result_bytes: result.bytes().len() }
    }

    fn json(&self) -> String {
        format!(
            "{{\"read_rows\":\"{}\",\"read_bytes\":\"{}\",\"written_rows\":\"{}\",\"result_bytes\":\"{}\"}}",
            self.read_rows, self.read_bytes, self.written_rows, self.result_bytes
        )
    }
}

fn content_type(format: &str) -> &'static str {
    match format {
        "JSON" | "JSONStrings" | "JSONCompact" | "JSONColumns" | "JSONColumnsWithMetadata" => {
            "application/json; charset=UTF-8"
        }
        "JSONEachRow" | "JSONCompactEachRow" => "application/x-ndjson; charset=UTF-8",
        "CSV" | "CSVWithNames" | "CSVWithNamesAndTypes" => "text/csv; charset=UTF-8",
        "Prometheus" => "text/plain; version=0.0.4",
        "RowBinary"
        | "RowBinaryWithNames"
        | "RowBinaryWithNamesAndTypes"
        | "Native"
        | "Parquet"
        | "Arrow"
        | "ArrowStream"
        | "ORC" => "application/octet-stream",
        _ if format.starts_with("TabSeparated") || format.starts_with("TSV") => {
            "text/tab-separated-values; charset=UTF-8"
        }
        _ => "text/plain; charset=UTF-8",
    }
}

/// A number nobody can guess: the standard library seeds its hashers from the system.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
