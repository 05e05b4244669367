//! Windows lent to the newest checkpoint: memory is bounded, and nothing is given up (`CKP-6`).
//!
//! A shard that has not changed since it was copied lies in the checkpoint as it is, and every checkpoint names it again for as
//! long as its minute is kept. So it may be forgotten here, and read back when its rows can be written. What comes for it in
//! between is kept beside it, saved beside it, and added when it is back: sums do not ask for order (`WIN-1`).
//!
//! What was read back and written still lies there. It may be forgotten again before the next checkpoint, or catching up would bring
//! all of it into memory; after a restart its rows, of which the checkpoint says that they are owed, are written once more (`WIN-3`).

use super::{Windows, minute::Shard, store::Minute};
use std::collections::BTreeSet;

/// Shards asked back at once.
const AT_ONCE: usize = 32;

/// Shards to be read back.
#[derive(Default)]
pub(super) struct Wanted {
    /// Start of the minute, shard.
    asked: BTreeSet<(i64, u16)>,
    fresh: Vec<(i64, u16)>,
}

impl Wanted {
    /// Wants a shard back; nothing while enough are on their way.
    pub(super) fn want(&mut self, start: i64, index: usize) {
        let shard = (start, index as u16);
        if self.asked.len() < AT_ONCE && self.asked.insert(shard) {
            self.fresh.push(shard);
        }
    }

    /// It is back.
    pub(super) fn has(&mut self, start: i64, index: u16) {
        self.asked.remove(&(start, index));
    }
}

impl Minute {
    /// Whether the next rows the minute owes are of a shard that is lent; it and those behind it are wanted back then.
    pub(super) fn waits(&self, start: i64, wanted: &mut Wanted) -> bool {
        let waits = self.shards.get(self.cursor).is_some_and(Shard::is_lent);
        if waits {
            let behind = self.shards.iter().enumerate().skip(self.cursor);
            behind.filter(|(_, shard)| shard.is_lent()).for_each(|(index, _)| wanted.want(start, index));
        }
        waits
    }

    /// Its shards, each with whether all its rows are handed out.
    fn shards_handed_out(&mut self) -> impl Iterator<Item = (&mut Shard, bool)> {
        let owed_from = if self.owes() { self.cursor } else { usize::MAX };
        let shards = self.shards.iter_mut().enumerate();
        shards.map(move |(index, shard)| {
            let handed_out = index < owed_from && !shard.owes();
            (shard, handed_out)
        })
    }
}

impl Shard {
    /// Whether the newest checkpoint has what is here, and says of it what must be known after a restart.
    fn may_be_lent(&self, handed_out: bool, (also_owing, taken): (bool, u32)) -> bool {
        let lies_there = match self.changed {
            false => also_owing || handed_out,
            true => self.read_back && handed_out && self.handed <= taken,
        };
        lies_there && !self.is_empty() && !self.is_lent()
    }
}

impl Windows {
    /// Lends shards until at most `bytes` are held, of closed minutes first, the oldest first; how many. `how`: whether also those whose
    /// rows are still to be written, and the chunk up to which all is in ClickHouse. To be called only while the last copies made are
    /// known to be in a checkpoint.
    pub(crate) fn lend_beyond(&mut self, bytes: usize, how: (bool, u32)) -> usize {
        let mut held = self.bytes();
        let mut lent = 0;
        for closed in [true, false] {
            let minutes = self.minutes.values_mut().filter(|minute| minute.is_closed() == closed);
            for (shard, handed_out) in minutes.flat_map(Minute::shards_handed_out) {
                if held <= bytes {
                    return lent;
                }
                if shard.may_be_lent(handed_out, how) {
                    held = held.saturating_sub(shard.bytes());
                    shard.lend();
                    lent += 1;
                }
            }
        }
        lent
    }

    /// Shards to be read back, each once: start of the minute, shard.
    pub(crate) fn wanted(&mut self) -> Vec<(i64, u16)> {
        std::mem::take(&mut self.wanted.fresh)
    }
}
