//! A worker without a dataflow: archived records in, alerts out.

use super::Ground;
use crate::{
    intake::{Intake, Outbox, Record},
    rebuild::{Lane, SLICE_RECORDS, next_slices},
    source::{number, numbers_of_world},
};
use anyhow::{Context, Result};
use gridwarden_store::read::{LogChunk, Reader};
use std::sync::Arc;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Chunks read ahead.
const CHUNKS: usize = 4;

/// Topic (its number), records.
type Piece = (u16, LogChunk);

/// Decides on what a worker is given.
pub(super) struct Desk {
    ground: Arc<Ground>,
    intake: Intake,
    out: Outbox,
    chunks: Receiver<Piece>,
    /// Of partitions, by topic.
    numbers: Vec<Vec<u16>>,
    parts: Vec<u16>,
}

impl Desk {
    pub(super) fn new(ground: &Arc<Ground>, lanes: &[Lane], most_entities: usize) -> (Sender<Piece>, Self) {
        let parts: Vec<u16> = lanes.iter().map(|lane| lane.part).collect();
        let mut intake = Intake::new(&ground.shared, &parts, most_entities).without_windows();
        intake.set_timeline(Arc::clone(&ground.timeline));
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let numbers = numbers_of_world(&ground.shared.world);
        (sender, Self { ground: Arc::clone(ground), intake, out: Outbox::default(), chunks, numbers, parts })
    }

    /// Until nothing more comes; on a thread of its own.
    pub(super) fn run(mut self) -> Result<()> {
        while let Some((topic, chunk)) = self.chunks.blocking_recv() {
            self.take(topic, &chunk);
        }
        let said = self.ground.gathered(|gathered| gathered.close(&self.parts, &self.ground.shared));
        self.ground.tally().take(0, &said);
        Ok(())
    }

    fn take(&mut self, topic: u16, chunk: &LogChunk) {
        let Ground { shared, asked, .. } = &*self.ground;
        let span = self.ground.since_ms()..asked.to_ms;
        let records = chunk
            .records(0)
            .filter(|record| span.contains(&record.appended_ms))
            .filter_map(|record| Some(Record::archived(number(&self.numbers, topic, record.partition)?, &record)));
        let taken = self.intake.take_known(shared, records, i64::MAX, std::iter::empty(), &mut self.out);
        let (sightings, intake) = (self.out.sightings.drain(..).map(|(_, sighting)| sighting), &mut self.intake);
        let said = self.ground.gathered(|gathered| gathered.take(sightings, intake, shared));
        self.out.alerts.extend(said);
        self.ground.tally().take(taken as u64, &self.out.alerts);
        self.out.alerts.clear();
    }
}

/// Reads a worker's lanes for it.
pub(super) async fn feed(ground: Arc<Ground>, mut lanes: Vec<Lane>, chunks: Sender<Piece>) -> Result<()> {
    let reader = Reader::new(&ground.clickhouse);
    loop {
        let slices = next_slices(&mut lanes, SLICE_RECORDS);
        if slices.is_empty() {
            return Ok(());
        }
        for slice in slices {
            let mut cursor = reader.archived_log(&slice.of).context("the archive cannot be read")?;
            while let Some(chunk) = cursor.next().await.context("the archive cannot be read")? {
                if chunks.send((slice.topic, chunk)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}
