//! Inserts with data: the body goes into the engine piece by piece, and becomes rows only when it ended as it should.
//!
//! Traps avoided in this file:
//! * data never stands in a query's text, where the engine would cut it at `;` and lose rows without a word.
//! * the engine stores a block once it has a million rows: an insert up to that is there whole or not at all, a longer one that
//!   breaks off leaves the blocks that were full, as in a real server. Ours are a tenth of it.
//! * a client that goes away in the middle must not look like the end of the data: the end is said, not inferred.

use super::{
    answer::{Manner, Summary},
    body,
    connection::{Connection, Settings, checked},
    encoding::Decoder,
    error::{Exception, code},
    ffi::RawInsert,
    lease::Lender,
    select::blocking,
    session::Ask,
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// Pieces that may wait for the engine; more is not read from the client.
const PIECES_AHEAD: usize = 8;

/// The engine is called with at least this much at once.
const WORTH_A_CALL: usize = 1 << 20;

/// An insert, ready to run.
pub(super) struct Insert {
    /// `INSERT INTO t (a, b)`, without FORMAT.
    pub(super) head: String,
    pub(super) format: String,
    /// Data that stood behind the head, unpacked.
    pub(super) begin: Vec<u8>,
    /// Data that came with it, still packed.
    pub(super) ahead: Bytes,
    pub(super) settings: Settings,
    pub(super) database: Option<String>,
    pub(super) session: Option<Ask>,
    pub(super) decoder: Decoder,
    pub(super) manner: Manner,
    /// Its place among the requests that run at once.
    pub(super) permit: OwnedSemaphorePermit,
}

/// What the reader of the body tells the engine's thread.
enum Piece {
    Data(Bytes),
    End,
}

impl Insert {
    /// Inserts `begin` and then the body.
    pub(super) async fn run(mut self, lender: Lender, mut body: Body) -> Result<Response, Exception> {
        let ahead = std::mem::take(&mut self.ahead);
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let work = tokio::spawn(blocking(move || self.run_blocking(&lender, pieces)));
        drop(sender.send(Piece::Data(ahead)).await);
        // When this future is dropped with its connection, `sender` goes without saying End.
        while let Some(data) = body::piece(&mut body).await? {
            // The insert may have failed already; the rest is read so that the client hears why.
            drop(sender.send(Piece::Data(data)).await);
        }
        drop(sender.send(Piece::End).await);
        let broken = |error| Exception::ours(code::UNKNOWN, format!("the insert broke off: {error}"));
        work.await.map_err(broken)?
    }

    fn run_blocking(mut self, lender: &Lender, mut pieces: mpsc::Receiver<Piece>) -> Result<Response, Exception> {
        let mut lease = lender.lend(self.session.clone(), self.database.as_deref(), &self.settings)?;
        let summary = lease.with(|connection| self.feed(connection, &mut pieces))?;
        drop(self.permit);
        Ok(self.manner.good(Body::empty(), &summary))
    }

    fn feed(&mut self, connection: &Connection, pieces: &mut mpsc::Receiver<Piece>) -> Result<Summary, Exception> {
        // Dropped without `done`, it is cancelled.
        let mut insert = connection.insert(&self.head, &self.format)?;
        let mut waiting = std::mem::take(&mut self.begin);
        loop {
            match pieces.blocking_recv() {
                Some(Piece::Data(data)) => self.decoder.push(&data, &mut |unpacked| {
                    waiting.extend_from_slice(unpacked);
                    if waiting.len() >= WORTH_A_CALL {
                        append(&mut insert, &waiting)?;
                        waiting.clear();
                    }
                    Ok(())
                })?,
                Some(Piece::End) => break,
                None => {
                    return Err(Exception::ours(
                        code::QUERY_WAS_CANCELLED,
                        "the client went away, nothing was inserted",
                    ));
                }
            }
        }
        self.decoder.finish(&mut |unpacked| {
            waiting.extend_from_slice(unpacked);
            Ok(())
        })?;
        if self.format == "Values" {
            // The statement's own end is not part of its data.
            let kept = waiting.trim_ascii_end();
            let kept = kept.strip_suffix(b";").unwrap_or(kept).len();
            waiting.truncate(kept);
        }
        append(&mut insert, &waiting)?;
        let result = checked(insert.done())?;
        Ok(Summary::of(&result))
    }
}

fn append(insert: &mut RawInsert<'_>, data: &[u8]) -> Result<(), Exception> {
    if data.is_empty() || insert.append(data) {
        return Ok(());
    }
    let words = insert.error().unwrap_or_else(|| "the engine takes no more data".to_owned());
    Err(Exception::engine(words))
}
