//! Reads lanes for one worker, and hands it what it reads, a few chunks ahead.

use super::{
    look::{Look, Outcome, Stand},
    slices::{Lane, Slice, next_slices},
};
use crate::{cluster::Seat, prepare::is_transient, shard::reader_of, shared::Shared, wake::Wakers};
use anyhow::{Context, Result};
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::{
    ClickHouseConfig,
    read::{LogChunk, LogPart, Reader},
};
use std::collections::VecDeque;
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
    /// Taken off the lanes.
    slices: VecDeque<Slice>,
    pieces: Sender<Piece>,
}

/// What reading needs.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) clickhouse: ClickHouseConfig,
    /// Records read at once.
    pub(crate) slice_records: u64,
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
            feeders.push(Feeder { lanes, slices: VecDeque::new(), pieces });
        }
    }
    (feeders, ends)
}

impl Feeder {
    /// Reads until all is read, or the shutdown; a slice ahead of what is handed out.
    pub(crate) async fn run(mut self, ground: Ground) -> Result<()> {
        let reader = Reader::new(&ground.clickhouse);
        let mut ahead = None;
        loop {
            if self.slices.is_empty() {
                self.slices.extend(next_slices(&mut self.lanes, ground.slice_records));
            }
            let slice = self.slices.pop_front();
            if slice.is_none() && ahead.is_none() {
                if !self.look_again(&ground).await? {
                    return Ok(());
                }
                if self.lanes.is_empty() {
                    tracing::info!("the archive is read, going on with the logs");
                    self.give(Piece::Done, &ground).await;
                    return Ok(());
                }
                continue;
            }
            let (goes_on, read) = tokio::join!(self.hand_out(ahead, &ground), read(&reader, slice, &ground));
            match read? {
                Read::Slice(slice) if goes_on => ahead = slice,
                _ => return Ok(()),
            }
        }
    }

    /// False when nobody wants it any more.
    async fn hand_out(&self, slice: Option<Held>, ground: &Ground) -> bool {
        let Some((topic, parts)) = slice else { return true };
        for chunk in parts.into_iter().flat_map(LogPart::chunks) {
            if !self.give(Piece::Records(topic, chunk), ground).await {
                return false;
            }
        }
        true
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

/// A slice that is read: its topic, and what it holds.
type Held = (u16, Vec<LogPart>);

enum Read {
    /// What was asked for, if anything.
    Slice(Option<Held>),
    /// The shutdown came first.
    Shutdown,
}

/// Reads a slice, as often as it takes.
async fn read(reader: &Reader, slice: Option<Slice>, ground: &Ground) -> Result<Read> {
    let Some(slice) = slice else { return Ok(Read::Slice(None)) };
    loop {
        let read = tokio::select! {
            read = reader.archived_log(&slice.of) => read,
            () = ground.shutdown.wait() => return Ok(Read::Shutdown),
        };
        match read {
            Ok(parts) => {
                ground.look.is_there();
                return Ok(Read::Slice(Some((slice.topic, parts))));
            }
            Err(error) if error.retry().can_help() => {
                ground.look.is_away(&error.to_string());
                if !ground.shutdown.sleep(AGAIN).await {
                    return Ok(Read::Shutdown);
                }
            }
            Err(error) => return Err(error).context("the archive cannot be read"),
        }
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
