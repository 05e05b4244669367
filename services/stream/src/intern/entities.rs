//! A worker's entities: (source, kind) → number → what is known of it.

use crate::{intake::SourceIds, rules::EntityRules, windows::At};
use gridwarden_domain::{observation::Position, value::Fixed};
use hashbrown::{HashMap, HashTable};
use smallvec::SmallVec;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

/// An entity id, kept where the entity is: comparing it costs no leap in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id(SmallVec<[u8; 40]>);

impl Id {
    fn new(text: &str) -> Self {
        Self(SmallVec::from_slice(text.as_bytes()))
    }

    /// The text it was made from.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// What is known of an entity.
pub(crate) struct Entity {
    /// Entity id.
    pub(crate) source: Id,
    /// Kind.
    pub(crate) kind: u16,
    /// The partition it was first seen in, by any worker.
    pub(crate) home: u16,
    /// The partition whose rules looked at it last: the one that ends what they hold against it.
    pub(crate) part: u16,
    /// Whether its latest state is still to be written.
    pub(crate) dirty: bool,
    /// Feed of the latest record.
    pub(crate) feed: u16,
    /// Event time of the latest record.
    pub(crate) time: i64,
    /// Its place in the log.
    pub(crate) at: At,
    /// Its append time.
    pub(crate) appended: i64,
    /// Where it was.
    pub(crate) position: Option<Position>,
    /// Leaf areas it was in.
    pub(crate) areas: SmallVec<[u32; 4]>,
    /// Its values by metric.
    pub(crate) values: SmallVec<[(u32, Fixed); 4]>,
    /// Ids it sent lately.
    pub(crate) ids: SourceIds,
    /// What rules know of it.
    pub(crate) rules: EntityRules,
}

/// Entities of a worker.
pub(crate) struct Entities {
    hasher: foldhash::fast::FixedState,
    /// (upper half of the hash, number).
    table: HashTable<(u32, u32)>,
    list: Vec<Entity>,
    most: usize,
}

impl Entities {
    /// At most `most` entities: a party that invents ids must not fill the memory.
    pub(crate) fn new(most: usize) -> Self {
        Self { hasher: foldhash::fast::FixedState::default(), table: HashTable::new(), list: Vec::new(), most }
    }

    /// The number of an entity, and whether it was unknown until now; none when there are too many.
    #[inline]
    pub(crate) fn find(&mut self, source: &str, kind: u16, part: u16) -> Option<(u32, bool)> {
        let hash = self.hasher.hash_one(source) ^ u64::from(kind).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let tag = (hash >> 32) as u32;
        let list = &self.list;
        let same = |(known, number): &(u32, u32)| {
            *known == tag
                && list
                    .get(*number as usize)
                    .is_some_and(|entity| entity.kind == kind && entity.source.0.as_slice() == source.as_bytes())
        };
        match self.table.find(hash, same) {
            Some((_, number)) => Some((*number, false)),
            None => self.learn(source, kind, part, hash).map(|number| (number, true)),
        }
    }

    #[cold]
    fn learn(&mut self, source: &str, kind: u16, part: u16, hash: u64) -> Option<u32> {
        if self.list.len() >= self.most {
            return None;
        }
        let number = u32::try_from(self.list.len()).ok()?;
        self.list.push(Entity::new(source, kind, part));
        let (hasher, list) = (&self.hasher, &self.list);
        let rehash = |(_, number): &(u32, u32)| {
            list.get(*number as usize).map_or(0, |entity| {
                hasher.hash_one(entity.source.as_str()) ^ u64::from(entity.kind).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            })
        };
        self.table.insert_unique(hash, ((hash >> 32) as u32, number), rehash);
        Some(number)
    }

    /// An entity by number.
    #[inline]
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Entity> {
        self.list.get_mut(number as usize)
    }

    /// The same, to look at.
    pub(crate) fn get(&self, number: u32) -> Option<&Entity> {
        self.list.get(number as usize)
    }

    /// All of them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entity> {
        self.list.iter_mut()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }
}

impl Entity {
    fn new(source: &str, kind: u16, part: u16) -> Self {
        Self {
            source: Id::new(source),
            kind,
            home: part,
            part,
            dirty: false,
            feed: 0,
            time: i64::MIN,
            at: At(0),
            appended: 0,
            position: None,
            areas: SmallVec::new(),
            values: SmallVec::new(),
            ids: SourceIds::default(),
            rules: EntityRules::default(),
        }
    }
}

/// Which partition each source was first seen in, over all workers: an entity in two partitions has no order.
#[derive(Default)]
pub(crate) struct Whereabouts(Mutex<HashMap<u64, u16, foldhash::fast::FixedState>>);

impl Whereabouts {
    /// The partition a source was first seen in: this one, if it was nowhere yet. Sources are told apart by a 64-bit hash:
    /// this only feeds a counter.
    pub(crate) fn first(&self, source: &str, part: u16) -> u16 {
        let hash = foldhash::quality::FixedState::default().hash_one(source);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(hash).or_insert(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_source_and_kind() {
        let mut entities = Entities::new(3);
        assert_eq!(entities.find("a", 0, 0), Some((0, true)));
        assert_eq!(entities.find("a", 1, 0), Some((1, true)));
        assert_eq!(entities.find("b", 0, 5), Some((2, true)));
        assert_eq!(entities.find("a", 1, 9), Some((1, false)));
        assert_eq!(entities.get_mut(2).unwrap().part, 5);
        assert_eq!(entities.find("c", 0, 0), None);
    }

    #[test]
    fn many_entities_keep_their_numbers() {
        let mut entities = Entities::new(100_000);
        for round in 0..2 {
            for number in 0..20_000u32 {
                assert_eq!(entities.find(&format!("sensor-{number}"), 3, 0), Some((number, round == 0)));
            }
        }
    }

    #[test]
    fn the_first_partition_is_remembered() {
        let whereabouts = Whereabouts::default();
        assert_eq!([whereabouts.first("a", 3), whereabouts.first("a", 4), whereabouts.first("b", 4)], [3, 3, 4]);
    }
}
