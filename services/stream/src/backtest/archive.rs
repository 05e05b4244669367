//! The past from the archive: one question for all partitions of a topic, a slice ahead of what is decided on.

use super::{Ground, desk::Desk};
use crate::{
    intake::Record,
    rebuild::{Lane, next_slices},
    shard::reader_of,
    source::{number, numbers_of_world},
};
use anyhow::{Context, Result};
use gridwarden_store::read::{LogPart, Reader, Shelf, Wanted};
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender};

/// Records asked for at once, for all workers: they are held in memory, and ClickHouse looks at everything appended at their time for each
/// slice.
const SLICE_RECORDS: u64 = 1_000_000;

/// Topic (its number), and what a slice of it holds in a worker's partitions.
pub(super) type Piece = (u16, Vec<LogPart>);

/// What is archived of the span, partition by partition.
pub(super) async fn lanes(ground: &Ground) -> Result<Vec<Lane>> {
    let (reader, world) = (Reader::new(&ground.clickhouse), &ground.shared.world);
    let mut lanes = Vec::new();
    for (number, topic) in (0u16..).zip(&world.topics) {
        let of_topic = |(part, of): (u16, &crate::shared::Part)| (of.topic == number).then_some((part, of.partition));
        let parts: Vec<(u16, i32)> = (0u16..).zip(&world.parts).filter_map(of_topic).collect();
        let wanted = vec![Wanted { first: 0, end: i64::MAX, since_ms: ground.since_ms() }; parts.len()];
        let shelves = reader.archived_shelves(topic.id, &wanted).await.context("the archive cannot be read")?;
        for ((part, partition), Shelf { stretches, .. }) in parts.into_iter().zip(shelves) {
            let stretches = stretches.into_iter().filter(|stretch| stretch.oldest_ms < ground.asked.to_ms).collect();
            lanes.push(Lane { part, topic: number, topic_id: topic.id, partition, to: 0, newest_ms: 0, stretches });
        }
    }
    Ok(lanes)
}

/// Reads lanes, slice by slice, and hands each worker what is its own. A slice is asked for when all workers have begun with the one
/// before: two of them are in memory.
pub(super) async fn feed(ground: Arc<Ground>, mut lanes: Vec<Lane>, desks: Vec<Sender<Piece>>) -> Result<()> {
    let reader = Reader::new(&ground.clickhouse);
    loop {
        let slices = next_slices(&mut lanes, SLICE_RECORDS);
        if slices.is_empty() {
            return Ok(());
        }
        for slice in slices {
            let mut room = Vec::new();
            for desk in &desks {
                // One that is gone has failed, and says so itself.
                let Ok(place) = desk.reserve().await else { return Ok(()) };
                room.push((place, Vec::new()));
            }
            for part in reader.archived_log(&slice.of).await.context("the archive cannot be read")? {
                let worker = reader_of(slice.topic, part.partition(), ground.workers);
                if let Some((_, parts)) = room.get_mut(worker) {
                    parts.push(part);
                }
            }
            room.into_iter().for_each(|(place, parts)| place.send((slice.topic, parts)));
        }
    }
}

impl Desk {
    /// Decides until nothing more comes; on a thread of its own.
    pub(super) fn run_archive(mut self, mut pieces: Receiver<Piece>) {
        let numbers = numbers_of_world(&self.ground.shared.world);
        while let Some((topic, parts)) = pieces.blocking_recv() {
            for part in parts {
                let Some(number) = number(&numbers, topic, part.partition()) else { continue };
                for chunk in part.chunks() {
                    self.take(chunk.records(0).map(|record| Record::archived(number, &record)));
                }
            }
        }
        self.close(&self.parts);
    }
}
