//! Several processes as one stream: who belongs to it, how they find each other, and what they say beside the records themselves.
//!
//! ```text
//!  process 0 leads                                  every other one follows
//!  gate       gathers ◀────────── card ──────────── joins         admission   decides who may be part, pure
//!             claims, fences ──── go ─────────────▶ loads the same base
//!  link       cuts, answers, how all are ─────────▶ ◀──────────── parts of checkpoints, questions, how it is
//!  agreed     gives out numbers ◀── names ───────── asks
//!  records    timely's messages, over connections of this cluster alone, between every two
//! ```
//! The processes live and die together: timely connects them once, and a part of the state is the state of no moment. It refuses to
//! know what records are, and who starts a process again.
//!
//! Invariants: `CLU-1` [`admission`], `CLU-2` [`agreed`], `CLU-3` [`link`].

mod admission;
mod agreed;
mod gate;
mod link;
mod records;
mod wire;

pub(crate) use admission::Card;
pub(crate) use agreed::{Ask, Authority, MetricForm, MetricOf, Tail};
pub(crate) use gate::{Gate, Joined};
pub(crate) use link::{Clock, Ending, FollowerLink, Links, Others, Waiting, others_of};
pub(crate) use records::{Records, allocators};
pub(crate) use wire::{Go, Status, Up};

use crate::shard::reader_of;

/// Version of what processes say to each other, records included. One of another version is refused.
pub(crate) const WIRE: u32 = 2;

/// Which of how many processes this is, with how many workers each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seat {
    /// Which.
    pub(crate) process: usize,
    /// Of how many.
    pub(crate) processes: usize,
    /// Workers of each.
    pub(crate) workers: usize,
}

impl Seat {
    /// All workers of all processes.
    pub(crate) fn peers(self) -> usize {
        self.processes * self.workers
    }

    /// A worker's number in its process.
    pub(crate) fn local(self, worker: usize) -> usize {
        worker.saturating_sub(self.process * self.workers)
    }

    /// Whether a worker is of this process.
    pub(crate) fn holds(self, worker: usize) -> bool {
        worker / self.workers.max(1) == self.process
    }

    /// Whether a partition is read in this process.
    pub(crate) fn reads(self, topic: u16, partition: i32) -> bool {
        self.holds(reader_of(topic, partition, self.peers()))
    }

    /// Whether the windows of a shard are kept in this process.
    pub(crate) fn owns(self, shard: u16) -> bool {
        self.holds(usize::from(shard) % self.peers().max(1))
    }

    /// Whether this process decides for all.
    pub(crate) fn leads(self) -> bool {
        self.process == 0
    }

    /// Whether there is no other.
    pub(crate) fn is_alone(self) -> bool {
        self.processes == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_and_every_shard_is_of_one_process() {
        for (processes, workers) in [(1, 1), (1, 3), (2, 1), (3, 2)] {
            let seats = (0..processes).map(|process| Seat { process, processes, workers });
            for number in 0..64u16 {
                let reads = seats.clone().filter(|seat| seat.reads(2, i32::from(number))).count();
                let owns = seats.clone().filter(|seat| seat.owns(number)).count();
                assert_eq!((reads, owns), (1, 1), "{processes} × {workers}, {number}");
            }
        }
        let seat = Seat { process: 2, processes: 3, workers: 2 };
        assert_eq!([4, 5].map(|worker| (seat.holds(worker), seat.local(worker))), [(true, 0), (true, 1)]);
        assert!(!seat.holds(3) && !seat.holds(6));
    }
}
