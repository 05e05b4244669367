//! Queries: run to their end, or streamed.
//!
//! Traps avoided in this file:
//! * every chunk of a stream is a document of its own: only formats whose documents can be put one behind the other are
//!   streamed, and the repeated header of `RowBinaryWithNamesAndTypes` is cut from all chunks but the first.
//! * a caller that goes away ends its stream, else the engine would compute for nobody.

use super::{
    answer::{Manner, Summary},
    connection::{Connection, Settings},
    error::{Exception, code},
    lease::{Lease, Lender},
    session::Ask,
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// Chunks that may wait for a slow reader: the engine makes no more until it reads.
const CHUNKS_AHEAD: usize = 4;

/// A query, ready to run.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) format: String,
    pub(super) params: Vec<(String, String)>,
    pub(super) settings: Settings,
    pub(super) database: Option<String>,
    pub(super) session: Option<Ask>,
    /// SET and USE.
    pub(super) changes_connection: bool,
    pub(super) manner: Manner,
    /// Its place among the requests that run at once.
    pub(super) permit: OwnedSemaphorePermit,
}

/// Whether documents of a format can be put one behind the other. Not JSONEachRow: a setting makes it an array.
pub(super) fn can_stream(format: &str) -> bool {
    matches!(
        format,
        "RowBinary"
            | "RowBinaryWithNamesAndTypes"
            | "TabSeparated"
            | "TSV"
            | "TabSeparatedRaw"
            | "TSVRaw"
            | "CSV"
            | "JSONCompactEachRow"
            | "LineAsString"
            | "RawBLOB"
    )
}

impl Query {
    fn lease(&self, lender: &Lender) -> Result<Lease, Exception> {
        lender.lend(self.session.clone(), self.database.as_deref(), &self.settings)
    }

    /// Runs to the end, then answers.
    pub(super) async fn run(self, lender: Lender) -> Result<Response, Exception> {
        let work = move || {
            let mut lease = self.lease(&lender)?;
            let result = lease.with(|connection| {
                let result = connection.query(&self.sql, &self.format, &self.params);
                if self.changes_connection {
                    connection.changed_by_caller();
                }
                result
            })?;
            drop(self.permit);
            let summary = Summary::of(&result);
            Ok(self.manner.good(self.manner.whole(result), &summary))
        };
        blocking(work).await
    }

    /// Answers with the first chunk, then goes on.
    pub(super) async fn stream(self, lender: Lender) -> Result<Response, Exception> {
        let (begun, first) = oneshot::channel();
        let (chunks, rest) = mpsc::channel(CHUNKS_AHEAD);
        let manner = self.manner.clone();
        tokio::task::spawn_blocking(move || self.stream_blocking(&lender, begun, &chunks));
        first.await.map_err(|_| gone())??;
        let rest = stream::unfold(rest, |mut rest| async { rest.recv().await.map(|chunk| (chunk, rest)) });
        let body = Body::from_stream(rest.map(Ok::<Bytes, std::convert::Infallible>));
        Ok(manner.good(body, &Summary::default()))
    }

    fn stream_blocking(
        self,
        lender: &Lender,
        begun: oneshot::Sender<Result<(), Exception>>,
        chunks: &mpsc::Sender<Bytes>,
    ) {
        let mut begun = Some(begun);
        let done = self.lease(lender).and_then(|mut lease| {
            lease.with(|connection| self.chunks(connection, &mut begun, chunks))
            // The connection is given back here, before the caller sees the answer's end and asks again.
        });
        drop(self.permit);
        let Err(exception) = done else { return };
        match begun.take() {
            // A receiver that is gone is a caller that is gone.
            Some(begun) => drop(begun.send(Err(exception))),
            None => {
                let tail = exception.after_the_beginning(&self.manner.tag);
                drop(chunks.blocking_send(self.manner.piece(tail.as_bytes())));
            }
        }
    }

    fn chunks(
        &self,
        connection: &Connection,
        begun: &mut Option<oneshot::Sender<Result<(), Exception>>>,
        chunks: &mpsc::Sender<Bytes>,
    ) -> Result<(), Exception> {
        let stream = connection.stream(&self.sql, &self.format, &self.params)?;
        let mut header: Option<Vec<u8>> = None;
        loop {
            let chunk = connection.fetch(&stream)?;
            let mut bytes = chunk.bytes();
            let last = bytes.is_empty();
            if self.format == "RowBinaryWithNamesAndTypes" {
                match &header {
                    None => header = Some(bytes.get(..header_length(bytes)).unwrap_or_default().to_vec()),
                    Some(header) => bytes = bytes.strip_prefix(header.as_slice()).unwrap_or(bytes),
                }
            }
            if let Some(begun) = begun.take()
                && begun.send(Ok(())).is_err()
            {
                connection.cancel(&stream);
                return Err(gone());
            }
            if last {
                return Ok(());
            }
            if !bytes.is_empty() && chunks.blocking_send(self.manner.piece(bytes)).is_err() {
                connection.cancel(&stream);
                return Err(gone());
            }
        }
    }
}

fn gone() -> Exception {
    Exception::ours(code::QUERY_WAS_CANCELLED, "the client went away")
}

/// Runs on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Exception> + Send + 'static,
) -> Result<T, Exception> {
    let broken = |error| Exception::ours(code::UNKNOWN, format!("the request broke off: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}

/// Length of the header of `RowBinaryWithNamesAndTypes`: a count, that many names, that many types.
fn header_length(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    let Some(columns) = length(&mut rest) else { return 0 };
    for _ in 0..columns.saturating_mul(2) {
        let Some(after) = length(&mut rest).and_then(|size| rest.get(size..)) else { return 0 };
        rest = after;
    }
    bytes.len() - rest.len()
}

/// Reads a LEB128 length.
fn length(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0_usize;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_measured() {
        let header = b"\x02\x01a\x02bc\x05UInt8\x06String";
        let chunk = [header.as_slice(), b"\x01\x02xy"].concat();
        assert_eq!(header_length(&chunk), header.len());
        assert_eq!(header_length(b""), 0);
        assert_eq!(header_length(b"\x09\x01"), 0);
    }
}
