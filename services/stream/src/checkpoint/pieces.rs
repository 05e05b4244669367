//! What those who copy say to the one who writes it down.

use super::{
    desk::Part,
    manifest::{Place, Section},
};
use crate::{alerts::Teller, windows::ShardCopy};
use tokio::sync::mpsc::UnboundedSender;

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

/// The way from those who copy to the one who writes.
#[derive(Clone)]
pub(crate) struct Pieces(pub(super) UnboundedSender<(Speaker, Said)>);

impl Pieces {
    /// Says something. Nobody listens any more when the process ends.
    pub(crate) fn say(&self, speaker: Speaker, said: Said) {
        self.0.send((speaker, said)).ok();
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
