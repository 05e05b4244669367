//! State of a checkpoint on its way to the workers that go on with it, in the numbers of this process.

use crate::{
    checkpoint::{KindForm, Names, Renumber, ShardForm, State},
    cluster::Seat,
    intake::{Intake, SavedPart},
    intern::Entity,
    rules::together::Saved,
    shard::SHARDS,
    shared::{Shared, World},
    together::{Together, Waiting},
    windows::{Windows, sketch::Sketches},
};
use hashbrown::HashSet;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Taken piece by piece, each once.
#[derive(Clone, Default)]
pub(crate) struct Restored(Arc<Mutex<Left>>);

#[derive(Default)]
struct Left {
    renumber: Arc<Renumber>,
    /// By the partition's number now.
    parts: BTreeMap<u16, SavedPart>,
    /// By shard: start of the minute.
    windows: Vec<Vec<(i64, ShardForm)>>,
    /// Rules over several entities: shard, state.
    together: Vec<(u16, Saved)>,
    /// What waited for them, in the numbers it was saved with.
    waiting: Arc<Vec<Waiting>>,
    /// Numbers of the metrics that have sketches now.
    sketched: HashSet<u32>,
}

impl Restored {
    /// From what was loaded; partitions that are not read any more are left out, and said.
    pub(crate) fn new(state: State, world: &World) -> Self {
        let renumber = Arc::new(Renumber::new(&state.names, world));
        let mut parts = BTreeMap::new();
        let mut ordered = state.ordered;
        for (old, (form, pages)) in state.parts {
            let number = renumber.part(old);
            if usize::from(number) >= world.parts.len() {
                tracing::warn!(entities = form.entities, "state of a partition that is not read any more is dropped");
                continue;
            }
            let entity = |form| Entity::of(form, &renumber);
            let pages = pages.into_par_iter().map(|page| page.into_iter().map(entity).collect()).collect();
            let ordered = ordered.remove(&old).unwrap_or_default();
            parts.insert(number, SavedPart { form, pages, ordered });
        }
        let mut windows: Vec<Vec<(i64, ShardForm)>> = Vec::new();
        windows.resize_with(usize::from(SHARDS), Vec::new);
        for ((start, shard), form) in state.windows {
            if let Some(of_shard) = windows.get_mut(usize::from(shard)) {
                of_shard.push((start, form));
            }
        }
        let sketched = sketched(&state.names.kinds, &world.sketches);
        let of_shard = |(shard, rules): (u16, Vec<Saved>)| rules.into_iter().map(move |saved| (shard, saved));
        let together = state.together.into_iter().flat_map(of_shard);
        let together = together.map(|(shard, saved)| (shard, saved.renumbered(&renumber))).collect();
        let waiting = Arc::new(state.waiting);
        Self(Arc::new(Mutex::new(Left { renumber, parts, windows, together, waiting, sketched })))
    }

    /// The offset a partition goes on with, and the highest append time it knows.
    pub(crate) fn stand(&self, part: u16) -> Option<(i64, i64)> {
        let left = self.left();
        let form = &left.parts.get(&part)?.form;
        Some((form.next?, form.appended))
    }

    /// A partition cannot go on where it was: what lies between is gone from the log.
    pub(crate) fn skip_to(&self, part: u16, start: i64) {
        if let Some(saved) = self.left().parts.get_mut(&part) {
            saved.form.next = saved.form.next.map(|next| next.max(start));
        }
    }

    /// Lets go of what other processes go on with.
    pub(crate) fn keep(&self, world: &World, seat: Seat) {
        let mut left = self.left();
        left.parts.retain(|part, _| {
            world.parts.get(usize::from(*part)).is_some_and(|part| seat.reads(part.topic, part.partition))
        });
        left.together.retain(|(shard, _)| seat.owns(*shard));
        for (shard, windows) in (0u16..).zip(&mut left.windows) {
            if !seat.owns(shard) {
                *windows = Vec::new();
            }
        }
    }

    /// Open alerts of the state: id, number of the last transition.
    pub(crate) fn open_alerts(&self) -> Vec<(u128, u32)> {
        let left = self.left();
        let entities = left.parts.values().flat_map(|part| part.pages.iter().flatten());
        let of_entities = entities.flat_map(|entity| entity.rules.open()).map(|open| (open.id, open.seq));
        of_entities.chain(left.together.iter().flat_map(|(_, saved)| saved.open())).collect()
    }

    /// Puts back the rules over several entities of the shards that are `mine`, and what waited for any.
    pub(crate) fn fill_together(&self, mine: impl Fn(u16) -> bool, together: &mut Together) {
        let mut left = self.left();
        for (shard, saved) in left.together.extract_if(.., |(shard, _)| mine(*shard)) {
            together.restore(shard, saved);
        }
        left.waiting.iter().for_each(|waiting| together.restore_waiting(waiting, &left.renumber));
    }

    /// Puts partitions back; other workers put back theirs meanwhile.
    pub(crate) fn fill(&self, shared: &Shared, parts: &[u16], intake: &mut Intake) {
        let renumber = Arc::clone(&self.left().renumber);
        for part in parts {
            let saved = self.left().parts.remove(part);
            if let Some(saved) = saved {
                intake.restore(shared, *part, saved, &renumber);
            }
        }
    }

    /// Puts back the windows of the shards that are `mine`; other workers put back theirs meanwhile.
    pub(crate) fn fill_windows(&self, mine: impl Fn(u16) -> bool, windows: &mut Windows) {
        let (renumber, saved) = {
            let mut left = self.left();
            windows.know_sketched(left.sketched.clone());
            let shards = (0u16..).zip(&mut left.windows).filter(|(shard, _)| mine(*shard));
            let saved: Vec<_> = shards.map(|(shard, of_shard)| (shard, std::mem::take(of_shard))).collect();
            (Arc::clone(&left.renumber), saved)
        };
        for (shard, of_shard) in saved {
            for (start, form) in of_shard {
                windows.restore(start, shard, form, &renumber);
            }
        }
    }

    fn left(&self) -> std::sync::MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of the metrics that are known, the numbers of those with sketches.
fn sketched(kinds: &[KindForm], wanted: &Sketches) -> HashSet<u32> {
    let metrics = kinds.iter().flat_map(|kind| {
        let value = |(name, metric): &(String, u32)| (format!("{}.{name}", kind.name), *metric);
        kind.values.iter().map(value).chain([(kind.name.clone(), kind.count)])
    });
    metrics.filter(|(name, _)| wanted.of_metric(name).is_some()).map(|(_, metric)| metric).collect()
}

/// What numbers stand for now.
pub(crate) fn names(shared: &Shared) -> Names {
    let (world, lore) = (&shared.world, &shared.lore);
    Names {
        topics: world.topics.iter().map(|topic| topic.name.clone()).collect(),
        parts: world.parts.iter().map(|part| (part.topic, part.partition)).collect(),
        feeds: world.feeds.names(),
        domains: world.domains.saved(),
        kinds: lore.names.saved(),
        areas: lore.views.names.saved(),
        rules: lore.books.saved(),
    }
}
