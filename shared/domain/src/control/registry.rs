//! The registry over time: for every id the entities that stood under it, by the moment they came in force. Kept in shards,
//! so that a snapshot after a change copies one shard and not the registry.

use crate::entity::Entity;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Number of shards; a power of two.
const SHARDS: usize = 256;

type Versions = SmallVec<[(i64, Option<Arc<Entity>>); 1]>;
type Shard = HashMap<Box<str>, Versions, foldhash::fast::RandomState>;

/// Snapshot and log end in one: cloning shares every shard, changing copies the one concerned if it is shared.
#[derive(Clone)]
pub(super) struct Registry {
    shards: Arc<Vec<Arc<Shard>>>,
    hasher: foldhash::fast::RandomState,
    len: usize,
    revision: u64,
}

impl Default for Registry {
    fn default() -> Self {
        let hasher = foldhash::fast::RandomState::default();
        let for_shards = hasher.clone();
        let shard = |_| Arc::new(Shard::with_hasher(for_shards.clone()));
        Self { shards: Arc::new((0..SHARDS).map(shard).collect()), hasher, len: 0, revision: 0 }
    }
}

impl Registry {
    /// Takes the next record of the log.
    pub(super) fn change(&mut self, id: &str, entity: Option<Entity>, force_ms: i64) {
        self.revision += 1;
        let hash = self.hasher.hash_one(id);
        let Some(shard) = Arc::make_mut(&mut self.shards).get_mut(shard_of(hash)) else {
            return;
        };
        let shard = Arc::make_mut(shard);
        let versions = shard.entry(Box::from(id)).or_default();
        let last = versions.last().and_then(|(_, entity)| entity.as_deref());
        if last == entity.as_ref() {
            return;
        }
        match (last.is_some(), entity.is_some()) {
            (false, true) => self.len += 1,
            (true, false) => self.len -= 1,
            _ => {}
        }
        let force_ms = versions.last().map_or(force_ms, |(last, _)| force_ms.max(*last));
        if versions.last().is_some_and(|(last, _)| *last == force_ms) {
            versions.pop();
        }
        versions.push((force_ms, entity.map(Arc::new)));
    }

    #[inline]
    pub(super) fn at(&self, id: &str, append_ms: i64) -> Option<&Arc<Entity>> {
        let hash = self.hasher.hash_one(id);
        let shard = self.shards.get(shard_of(hash))?;
        let versions = shard.get(id)?;
        let in_force = versions.iter().rev().find(|(force, _)| *force <= append_ms);
        in_force.and_then(|(_, entity)| entity.as_ref())
    }

    pub(super) fn latest(&self) -> impl Iterator<Item = &Arc<Entity>> {
        let versions = self.shards.iter().flat_map(|shard| shard.values());
        versions.filter_map(|versions| versions.last()?.1.as_ref())
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }
}

/// The map itself uses the low and the top bits of a hash; the shard takes some in between.
fn shard_of(hash: u64) -> usize {
    (hash >> 32) as usize & (SHARDS - 1)
}
