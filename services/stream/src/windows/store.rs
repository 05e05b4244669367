//! The windows one worker owns: applying what comes, closing by watermark, forgetting what no event can reach any more.

use super::{
    Delta, MINUTE_MS, PANE_MS, PANES, Partial, Share, WIDTH,
    lane::ByLane,
    lend::Wanted,
    minute::{self, Key, Shard},
    saved::Cut,
    sketch::Sketch,
};
use crate::shard::SHARDS;
use hashbrown::HashSet;
use std::collections::BTreeMap;

/// Events to look ahead at together: as many as memory answers at once, about, and few enough to stay in the first cache.
pub(crate) const AHEAD: usize = 32;

/// How long a window stays in memory after the watermark passed it. What comes later is counted and left to a recompute.
pub(crate) const KEEP_MS: i64 = 600_000;

/// The live domain: the only one whose forgotten minutes are refused (a historical feed may begin anew).
pub(crate) const LIVE: u8 = 0;

/// One minute.
pub(crate) struct Minute {
    pub(crate) shards: Vec<Shard>,
    /// Domains that have put something in, one bit each.
    pub(super) domains: u64,
    /// Panes the watermark has passed.
    pub(crate) closed: u8,
    /// Panes whose closed rows are still to be emitted, and how far that got.
    pub(crate) owed: u8,
    /// Whether the closed rows of the minute itself are still to be emitted.
    pub(crate) owed_minute: bool,
    /// The shard the emission of what is owed has come to.
    pub(crate) cursor: usize,
    /// What stood above when it was copied last.
    pub(super) cut: Cut,
}

/// All panes of a minute.
pub(crate) const ALL: u8 = (1 << PANES) - 1;

impl Minute {
    pub(super) fn new() -> Self {
        let shards = std::iter::repeat_with(Shard::default).take(usize::from(SHARDS)).collect();
        Self { shards, domains: 0, closed: 0, owed: 0, owed_minute: false, cursor: 0, cut: Cut::default() }
    }

    /// Whether the watermark has passed all of it.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed == ALL
    }

    /// Whether all of its rows are known to be in ClickHouse.
    fn is_settled(&self, taken: u32) -> bool {
        let settled = |shard: &Shard| !shard.owes() && shard.handed <= taken;
        !self.owes() && self.shards.iter().all(settled)
    }

    /// Whether closed rows of all its shards are still to be written.
    pub(super) fn owes(&self) -> bool {
        self.owed != 0 || self.owed_minute
    }

    /// A shard to change.
    #[inline]
    pub(super) fn shard_mut(&mut self, index: usize) -> Option<&mut Shard> {
        let shard = self.shards.get_mut(index)?;
        shard.owed_changed = true;
        Some(shard)
    }

    pub(super) fn bytes(&self) -> usize {
        self.shards.iter().map(Shard::bytes).sum()
    }
}

/// The windows of the shards one worker owns.
#[derive(Default)]
pub(crate) struct Windows {
    pub(crate) minutes: BTreeMap<i64, Minute>,
    /// Watermark per domain.
    watermarks: BTreeMap<u8, i64>,
    /// Where the emission of dirty keys goes on.
    pub(super) resume: ByLane<(i64, usize)>,
    /// Number of the chunk the rows handed out now go into.
    pub(crate) chunk: u32,
    /// Shards whose rows cannot be written before they are back.
    pub(super) wanted: Wanted,
    /// Metrics with sketches that may be older than those.
    pub(super) known_sketched: HashSet<u32>,
}

fn place(time: i64) -> (i64, usize) {
    let minute = time.div_euclid(MINUTE_MS) * MINUTE_MS;
    (minute, ((time - minute) / PANE_MS) as usize)
}

impl Windows {
    /// None yet; the rows handed out first go into the chunk with this number.
    pub(crate) fn from_chunk(chunk: u32) -> Self {
        Self { chunk, ..Self::default() }
    }

    /// Asks for what these events will change: blocks lie anywhere in memory, and come together this way.
    #[inline]
    pub(crate) fn look_ahead(&self, deltas: &[Delta]) {
        for delta in deltas {
            let (start, pane) = place(delta.time);
            let minute = self.minutes.get(&start);
            let Some(shard) = minute.and_then(|minute| minute.shards.get(usize::from(delta.shard))) else { continue };
            shard.sums.ask(Key::new(delta.area, delta.group), pane);
        }
    }

    /// Adds events, each looked at ahead of its turn; of how many the minute is forgotten already.
    #[inline]
    pub(crate) fn apply_all(&mut self, deltas: &[Delta]) -> u64 {
        let mut refused = 0;
        for chunk in deltas.chunks(AHEAD) {
            self.look_ahead(chunk);
            for delta in chunk {
                refused += u64::from(!self.apply(delta));
            }
        }
        refused
    }

    /// Adds one event. False when its minute is forgotten already; then nothing is changed.
    #[inline]
    pub(crate) fn apply(&mut self, delta: &Delta) -> bool {
        let (start, pane) = place(delta.time);
        let Some(shard) = self.shard(start, delta.shard, delta.domain) else { return false };
        let columns = WIDTH.min((u8::BITS - delta.mask.leading_zeros()) as usize);
        let block = shard.block(Key::new(delta.area, delta.group), (pane, columns), delta.lane);
        minute::add(block, &delta.values, delta.mask, delta.time, delta.at);
        true
    }

    /// Adds the sum for an area above. False when its minute is forgotten already.
    pub(crate) fn apply_partial(&mut self, partial: &Partial) -> bool {
        let (start, pane) = place(partial.pane);
        let Some(shard) = self.shard(start, partial.shard, partial.domain) else { return false };
        let (key, column) = (Key::new(partial.area, partial.group), usize::from(partial.column));
        match &partial.share {
            Share::Sum(sum) => {
                if let Some(aggregate) = shard.block(key, (pane, column + 1), partial.lane).get_mut(column) {
                    aggregate.merge(sum);
                }
            }
            Share::Sketch(piece) => shard.sketch((key, column), (pane, partial.lane), |sketch| piece.add_to(sketch)),
        }
        true
    }

    /// Changes the sketch a delta's event goes into, where no worker sums them up before. False as [`Windows::apply`].
    pub(crate) fn sketch(&mut self, delta: &Delta, column: usize, change: impl FnOnce(&mut Sketch)) -> bool {
        let (start, pane) = place(delta.time);
        let Some(shard) = self.shard(start, delta.shard, delta.domain) else { return false };
        shard.sketch((Key::new(delta.area, delta.group), column), (pane, delta.lane), change);
        true
    }

    #[inline]
    fn shard(&mut self, start: i64, shard: u16, domain: u8) -> Option<&mut Shard> {
        if domain == LIVE && start + MINUTE_MS <= self.forgotten_before() {
            return None;
        }
        let minute = self.minutes.entry(start).or_insert_with(Minute::new);
        minute.domains |= 1 << domain.min(63);
        minute.shard_mut(usize::from(shard))
    }

    fn forgotten_before(&self) -> i64 {
        self.watermarks.get(&LIVE).map_or(i64::MIN, |watermark| watermark.saturating_sub(KEEP_MS))
    }

    /// Takes a domain's watermark: closes what it passed. The live one never goes back.
    pub(crate) fn advance(&mut self, domain: u8, watermark: i64) {
        let current = self.watermarks.entry(domain).or_insert(i64::MIN);
        *current = if domain == LIVE { (*current).max(watermark) } else { watermark };
        let watermarks = &self.watermarks;
        for (start, minute) in &mut self.minutes {
            if minute.is_closed() {
                continue;
            }
            let passed = passed_by_all(minute.domains, watermarks);
            for pane in 0..PANES {
                let bit = 1 << pane;
                let end = start + PANE_MS * (pane as i64 + 1);
                if end <= passed && minute.closed & bit == 0 {
                    minute.closed |= bit;
                    minute.owed |= bit;
                    minute.cursor = 0;
                }
            }
            minute.owed_minute |= minute.is_closed();
        }
    }

    /// A domain's watermark, once it is known.
    pub(crate) fn watermark(&self, domain: u8) -> Option<i64> {
        self.watermarks.get(&domain).copied()
    }

    /// Forgets minutes that no admitted event can reach and whose rows are all in ClickHouse, as far as chunk `taken`.
    pub(crate) fn forget(&mut self, taken: u32) {
        let watermarks = &self.watermarks;
        self.minutes.retain(|start, minute| {
            let passed = passed_by_all(minute.domains, watermarks).saturating_sub(KEEP_MS);
            start + MINUTE_MS > passed || !minute.is_settled(taken)
        });
    }

    /// Bytes held, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.minutes.values().map(Minute::bytes).sum()
    }
}

/// The lowest watermark of the domains in a minute.
fn passed_by_all(mut domains: u64, watermarks: &BTreeMap<u8, i64>) -> i64 {
    let mut lowest = i64::MAX;
    while domains != 0 {
        let domain = domains.trailing_zeros() as u8;
        lowest = lowest.min(watermarks.get(&domain).copied().unwrap_or(i64::MIN));
        domains &= domains - 1;
    }
    lowest
}
