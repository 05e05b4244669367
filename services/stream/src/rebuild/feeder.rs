//! Reads lanes for one worker, and hands it what it reads, a few chunks ahead.

use super::{
    look::{Look, Outcome, Stand},
    slices::{Lane, SLICE_RECORDS, Slice, next_slices},
};
use crate::{cluster::Seat, prepare::is_transient, shard::reader_of, shared::Shared, wake::Wakers};
use anyhow::{Context, Result};
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::{
    ClickHouseConfig, StoreError,
    read::{LogChunk, Reader},
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Chunks between a feeder and its worker.
const CHUNKS: usize = 2;
/// How long to wait before asking again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a worker is handed.
pub(crate) enum Piece {
    /// Records of a topic (its number).
    Records(u16, LogChunk),
    /// A partition has nothing more before this offset.
    End(u16, i64),
    /// All is read; the rest is in the logs.
    Done,
}

/// A worker's end.
pub(crate) type Pieces = Receiver<Piece>;

/// Reads for one worker.
pub(crate) struct Feeder {
    lanes: Vec<Lane>,
    pieces: Sender<Piece>,
}

/// What reading needs.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) clickhouse: ClickHouseConfig,
    pub(crate) look: Look,
    pub(crate) shared: Arc<Shared>,
    pub(crate) wakers: Wakers,
    pub(crate) shutdown: Shutdown,
}

/// A feeder for each worker of this process that needs one, and the workers' ends.
pub(crate) fn feeders(lanes: Vec<Lane>, seat: Seat) -> (Vec<Feeder>, Vec<Option<Pieces>>) {
    let mut of_workers: Vec<Vec<Lane>> = vec![Vec::new(); seat.workers];
    for lane in lanes {
        let worker = seat.local(reader_of(lane.topic, lane.partition, seat.peers()));
        if let Some(of_worker) = of_workers.get_mut(worker) {
            of_worker.push(lane);
        }
    }
    let (mut feeders, mut ends) = (Vec::new(), Vec::new());
    for lanes in of_workers {
        let (pieces, end) = mpsc::channel(CHUNKS);
        let needed = !lanes.is_empty();
        ends.push(needed.then_some(end));
        if needed {
            feeders.push(Feeder { lanes, pieces });
        }
    }
    (feeders, ends)
}

impl Feeder {
    /// Reads until all is read, or the shutdown.
    pub(crate) async fn run(mut self, ground: Ground) -> Result<()> {
        let reader = Reader::new(&ground.clickhouse);
        loop {
            let slices = next_slices(&mut self.lanes, SLICE_RECORDS);
            if slices.is_empty() {
                if !self.look_again(&ground).await? {
                    return Ok(());
                }
                if self.lanes.is_empty() {
                    tracing::info!("the archive is read, going on with the logs");
                    self.give(Piece::Done, &ground).await;
                    return Ok(());
                }
            }
            for slice in slices {
                if !self.read(&reader, slice, &ground).await? {
                    return Ok(());
                }
            }
        }
    }

    /// Reads a slice, again from where it broke off as often as it takes; false when nobody wants it any more.
    async fn read(&self, reader: &Reader, mut slice: Slice, ground: &Ground) -> Result<bool> {
        loop {
            match self.try_read(reader, &mut slice, ground).await {
                Ok(goes_on) => return Ok(goes_on),
                Err(error) if error.retry().can_help() => {
                    ground.look.is_away(&error.to_string());
                    if !ground.shutdown.sleep(AGAIN).await {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error).context("the archive cannot be read"),
            }
        }
    }

    async fn try_read(&self, reader: &Reader, slice: &mut Slice, ground: &Ground) -> Result<bool, StoreError> {
        let mut cursor = reader.archived_log(&slice.of)?;
        loop {
            let chunk = tokio::select! {
                chunk = cursor.next() => chunk?,
                () = ground.shutdown.wait() => return Ok(false),
            };
            let Some(chunk) = chunk else { return Ok(true) };
            ground.look.is_there();
            let ends: Vec<(i32, i64)> = chunk.ends().collect();
            if !self.give(Piece::Records(slice.topic, chunk), ground).await {
                return Ok(false);
            }
            ends.into_iter().for_each(|(partition, next)| slice.is_read_to(partition, next));
        }
    }

    async fn give(&self, piece: Piece, ground: &Ground) -> bool {
        let given = tokio::select! {
            given = self.pieces.send(piece) => given.is_ok(),
            () = ground.shutdown.wait() => false,
        };
        ground.wakers.wake();
        given
    }

    /// Tells where the archive ends, and looks for what left the logs while it was read.
    async fn look_again(&mut self, ground: &Ground) -> Result<bool> {
        for (part, to) in self.lanes.iter().map(|lane| (lane.part, lane.to)).collect::<Vec<_>>() {
            if !self.give(Piece::End(part, to), ground).await {
                return Ok(false);
            }
        }
        let stands = self.lanes.iter().map(|lane| Stand { part: lane.part, state: Some((lane.to, lane.newest_ms)) });
        let Some(outcomes) = decide(stands.collect(), ground).await? else { return Ok(false) };
        self.lanes.clear();
        for outcome in outcomes {
            let (part, next) = (outcome.part, outcome.next());
            match outcome.lane(&ground.shared.world) {
                Some(lane) => self.lanes.push(lane),
                None if !self.give(Piece::End(part, next), ground).await => return Ok(false),
                None => {}
            }
        }
        Ok(true)
    }
}

/// From where partitions are read on; asked again while Kafka is away. None at the shutdown.
async fn decide(stands: Vec<Stand>, ground: &Ground) -> Result<Option<Vec<Outcome>>> {
    loop {
        let (stands, look, shared) = (stands.clone(), ground.look.clone(), Arc::clone(&ground.shared));
        match tokio::task::spawn_blocking(move || look.decide(&shared.world, &stands)).await? {
            Err(error) if is_transient(&error) => {
                tracing::warn!(%error, "the logs cannot be looked at, will try again");
                if !ground.shutdown.sleep(AGAIN).await {
                    return Ok(None);
                }
            }
            decided => return decided,
        }
    }
}
