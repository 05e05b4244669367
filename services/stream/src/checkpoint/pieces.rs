//! What those who copy say to the one who writes it down.

use super::{
    desk::Part,
    manifest::{Place, Section},
};
use crate::{alerts::Teller, windows::ShardCopy};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Who has said something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Speaker {
    /// The reading of a worker.
    Source(usize),
    /// The windows of a worker.
    Owner(usize),
    /// The producer of alerts, about those of a teller.
    Alerts(Teller),
    /// Another process.
    Process(usize),
}

/// What somebody has to say about a cut.
pub(crate) enum Said {
    /// A piece; without a body it is as it was at the last cut.
    Piece(Section, Option<Body>),
    /// Where a partition goes on.
    Place(Place),
    /// All of another process.
    Part(Box<Part>),
    /// That was all.
    Done,
}

impl Said {
    /// Bytes it holds of its own. Copies of windows are shared with their owner.
    fn bytes(&self) -> usize {
        match self {
            Self::Piece(_, Some(Body::Written(body))) => body.len(),
            _ => 0,
        }
    }
}

/// The way from those who copy to the one who writes.
#[derive(Clone)]
pub(crate) struct Pieces {
    sender: UnboundedSender<(Speaker, Said)>,
    /// Bytes written down that wait there.
    waiting: Arc<AtomicUsize>,
}

/// Its other end.
pub(crate) struct PiecesOut {
    receiver: UnboundedReceiver<(Speaker, Said)>,
    waiting: Arc<AtomicUsize>,
}

/// A way for pieces and its other end.
pub(crate) fn way() -> (Pieces, PiecesOut) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Pieces { sender, waiting: Arc::clone(&waiting) }, PiecesOut { receiver, waiting })
}

/// With so many bytes waiting, who can copy later does: what is not copied yet takes no memory.
const ENOUGH: usize = 8 << 20;

impl PiecesOut {
    /// What is said next; none when nobody can say anything any more.
    pub(super) async fn next(&mut self) -> Option<(Speaker, Said)> {
        let heard = self.receiver.recv().await?;
        self.waiting.fetch_sub(heard.1.bytes(), Ordering::Relaxed);
        Some(heard)
    }

    /// What was said by now.
    #[cfg(test)]
    pub(crate) fn all(&mut self) -> Vec<(Speaker, Said)> {
        let heard: Vec<(Speaker, Said)> = std::iter::from_fn(|| self.receiver.try_recv().ok()).collect();
        self.waiting.fetch_sub(heard.iter().map(|(_, said)| said.bytes()).sum(), Ordering::Relaxed);
        heard
    }
}

impl Pieces {
    /// Says something. Nobody listens any more when the process ends.
    pub(crate) fn say(&self, speaker: Speaker, said: Said) {
        self.waiting.fetch_add(said.bytes(), Ordering::Relaxed);
        self.sender.send((speaker, said)).ok();
    }

    /// Whether so much waits that no more should be copied now.
    pub(crate) fn are_enough(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= ENOUGH
    }

    /// Says all of it.
    pub(crate) fn say_all(&self, speaker: Speaker, copies: impl Iterator<Item = (Section, Option<Body>)>) {
        copies.for_each(|(section, body)| self.say(speaker, Said::Piece(section, body)));
    }
}

/// What a piece says.
pub(crate) enum Body {
    /// It is written down.
    Written(Vec<u8>),
    /// It is a copy, and written down by who puts pieces together: workers have other things to do.
    Windows(Box<ShardCopy>),
}

impl Body {
    /// What is to be kept while it waits to be put together.
    pub(crate) fn written(body: Vec<u8>) -> Self {
        Self::Written(fitted(body))
    }

    /// Its bytes; `room` is used for what is still to be written, and what was in it is gone.
    pub(super) fn bytes(self, room: &mut Vec<u8>) -> &[u8] {
        let mut into = std::mem::take(room);
        into.clear();
        *room = match self {
            Self::Written(body) => body,
            Self::Windows(copy) => copy.write(into),
        };
        room
    }
}

/// Pieces of all that changed wait until they are written, and one that grew while it was made takes up to twice its size.
fn fitted(body: Vec<u8>) -> Vec<u8> {
    let spare = body.capacity() - body.len();
    // Made anew, because an allocator leaves a list where it is that fills more than half of its place.
    if spare > body.len() / 4 { body.as_slice().to_vec() } else { body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_to_be_written_is_enough_until_it_is_taken() {
        let (pieces, mut heard) = way();
        let piece = |bytes| Said::Piece(Section::Part(0), Some(Body::Written(vec![0; bytes])));
        pieces.say(Speaker::Source(0), piece(ENOUGH - 1));
        pieces.say(Speaker::Source(0), Said::Piece(Section::Part(1), None));
        assert!(!pieces.are_enough());
        pieces.say(Speaker::Source(1), piece(1));
        assert!(pieces.are_enough());
        assert_eq!(heard.all().len(), 3);
        assert!(!pieces.are_enough());
    }

    #[test]
    fn a_piece_that_waits_takes_little_more_than_it_holds() {
        let grown = |bytes: usize| {
            let mut body = Vec::with_capacity(1_000);
            body.resize(bytes, 7);
            fitted(body)
        };
        for bytes in [300, 600, 790, 900] {
            let body = grown(bytes);
            assert_eq!(body, vec![7; bytes]);
            assert!(body.capacity() <= bytes * 5 / 4, "{} for {bytes}", body.capacity());
        }
    }
}
