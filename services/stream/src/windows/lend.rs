//! Windows lent to the newest checkpoint: memory is bounded, and nothing is given up (`CKP-6`).
//!
//! A shard whose sums have not changed since it was copied lies in the checkpoint as it is, and every checkpoint names it again for
//! as long as its minute is kept. So it may be forgotten here, and read back when its rows can be written. What comes for it in
//! between is kept beside it, saved beside it, and added when it is back: sums do not ask for order (`WIN-1`).
//!
//! Rows that were handed out since change no sum: the checkpoint says more is owed than is, and after a restart they are written once
//! more (`WIN-3`). So what was read back and written may be forgotten at once, or catching up would bring all of it into memory.

use super::{
    Windows,
    minute::{Lent, Shard},
    store::Minute,
};
use std::collections::BTreeMap;

/// What may be on its way back at once, in bytes: read back in less time than its rows take to be written.
const AT_ONCE: usize = 2 << 20;

/// What of a shard is still to be written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owed {
    /// Nothing: all its rows are handed out.
    Nothing,
    /// Rows of windows that are closed, which come in their turn, the oldest minute first.
    Closed,
    /// Rows that changed and wait for a round.
    Changed,
}

/// Shards to be read back.
#[derive(Default)]
pub(super) struct Wanted {
    /// Start of the minute, shard; what it will take.
    asked: BTreeMap<(i64, u16), usize>,
    fresh: Vec<(i64, u16)>,
}

impl Wanted {
    /// Wants a shard back; nothing while enough are on their way.
    pub(super) fn want(&mut self, (start, index): (i64, usize), Lent { bytes, .. }: Lent) {
        let shard = (start, index as u16);
        let coming: usize = self.asked.values().sum();
        if (coming == 0 || coming + bytes <= AT_ONCE) && !self.asked.contains_key(&shard) {
            self.asked.insert(shard, bytes);
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
            let lent = behind.filter_map(|(index, shard)| Some((index, shard.lent?)));
            lent.for_each(|(index, lent)| wanted.want((start, index), lent));
        }
        waits
    }

    /// The first of the shards whose closed rows it owes.
    fn owed_from(&self) -> usize {
        if self.owes() { self.cursor } else { usize::MAX }
    }

    /// Its shards, each with what of it is still to be written.
    fn shards_owing(&mut self) -> impl Iterator<Item = (&mut Shard, Owed)> {
        let owed_from = self.owed_from();
        let shards = self.shards.iter_mut().enumerate();
        shards.map(move |(index, shard)| {
            let owed = match (index < owed_from, shard.owes()) {
                (true, false) => Owed::Nothing,
                // What changed is written with it.
                (false, _) => Owed::Closed,
                (true, true) => Owed::Changed,
            };
            (shard, owed)
        })
    }
}

impl Shard {
    /// Whether the newest checkpoint has what is here, and says of it what must be known after a restart. What was read back to be
    /// written stays until it is.
    fn may_be_lent(&self, owed: Owed) -> bool {
        let lies_there = !self.sums_changed && (owed == Owed::Nothing || !self.owed_changed);
        lies_there && !self.is_empty() && !self.is_lent()
    }
}

impl Windows {
    /// Lends shards until at most `bytes` are held, of closed minutes first, the oldest first; how many. `most`: what they may owe. To be
    /// called only while the last copies made are known to be in a checkpoint.
    pub(crate) fn lend_beyond(&mut self, bytes: usize, most: Owed) -> usize {
        let mut held = self.bytes();
        let mut lent = 0;
        for closed in [true, false] {
            let minutes = self.minutes.values_mut().filter(|minute| minute.is_closed() == closed);
            for (shard, owed) in minutes.flat_map(Minute::shards_owing) {
                if held <= bytes {
                    return lent;
                }
                if owed <= most && shard.may_be_lent(owed) {
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

    /// Whether rows are owed of shards that are lent.
    pub(crate) fn are_owed_back(&self) -> bool {
        self.minutes.values().any(|minute| {
            let owed_from = minute.owed_from();
            let mut shards = minute.shards.iter().enumerate();
            shards.any(|(index, shard)| shard.lent.is_some_and(|lent| lent.dirty || index >= owed_from))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_is_asked_back_at_once_and_one_shard_however_large() {
        let lent = |bytes| Lent { dirty: true, bytes };
        let mut wanted = Wanted::default();
        (0..5).for_each(|index| wanted.want((0, index), lent(3 << 18)));
        wanted.want((0, 0), lent(3 << 18));
        assert_eq!(std::mem::take(&mut wanted.fresh), [(0, 0), (0, 1)], "each once, while there is room");
        wanted.has(0, 0);
        wanted.want((0, 2), lent(6 << 18));
        wanted.has(0, 1);
        wanted.want((0, 2), lent(1 << 30));
        assert_eq!(wanted.fresh, [(0, 2)]);
    }
}
