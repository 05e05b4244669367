//! Reading what the logs no longer hold, before they are opened: the same turns of the same source, from another place.

use super::{NOT_OURS, Next, Source, number};
use crate::{
    intake::Record,
    rebuild::{Piece, Pieces},
};
use anyhow::Result;
use gridwarden_store::read::LogChunk;

/// What comes from the archive.
pub(super) struct FromArchive {
    pieces: Pieces,
    /// Topic, records of it, of which so many are taken.
    held: Option<(u16, LogChunk, usize)>,
}

impl FromArchive {
    pub(super) fn new(pieces: Pieces) -> Self {
        Self { pieces, held: None }
    }

    /// How many records wait until what is in force for them is known.
    pub(super) fn held(&self) -> usize {
        self.held.as_ref().map_or(0, |(_, chunk, done)| chunk.len() - done)
    }
}

impl Source {
    /// Takes what the logs no longer hold; in the end opens them.
    pub(super) fn read_archive(&mut self) -> Result<Next> {
        let Some(archive) = &mut self.archive else { return Ok(Next::Wait) };
        let (topic, chunk, from) = match archive.held.take() {
            Some(held) => held,
            None => match archive.pieces.try_recv() {
                Ok(Piece::Records(topic, chunk)) => (topic, chunk, 0),
                Ok(Piece::End(part, end)) => {
                    self.intake.end_reached(part, end);
                    return Ok(Next::Again);
                }
                Ok(Piece::Done) => {
                    self.archive = None;
                    self.open_logs()?;
                    return Ok(Next::Again);
                }
                // Who feeds this has ended only if all ends.
                Err(_) => return Ok(Next::Wait),
            },
        };
        let done = from + self.take_archived(topic, &chunk, from);
        self.say_alerts();
        if done < chunk.len() {
            self.archive =
                self.archive.take().map(|archive| FromArchive { held: Some((topic, chunk, done)), ..archive });
            return Ok(Next::Wait);
        }
        Ok(Next::Again)
    }

    fn take_archived(&mut self, topic: u16, chunk: &LogChunk, from: usize) -> usize {
        let known_until = self.learn();
        let part = |partition| number(&self.numbers, topic, partition).unwrap_or(NOT_OURS);
        let records = chunk.records(from).map(|record| Record::archived(part(record.partition), &record));
        let shared = &self.context.shared;
        let taken = self.intake.take_known(shared, records, known_until, std::iter::empty(), &mut self.outbox);
        shared.metrics.from_archive.inc_by(taken as u64);
        taken
    }
}
