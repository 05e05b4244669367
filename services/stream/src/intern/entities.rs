//! The entities of one partition: (source, kind) → number → what is known of it.
//!
//! `CKP-5` a copy is of one moment: whoever changes what is not copied yet, keeps it as it was first.

mod saved;

use crate::{intake::SourceIds, rules::EntityRules, windows::At};
use gridwarden_domain::{observation::Position, value::Fixed};
use gridwarden_geo::ahead::ask_for;
use hashbrown::HashTable;
use saved::Kept;
use smallvec::SmallVec;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

/// An entity id, kept where the entity is up to 32 bytes: comparing it costs no leap in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id(SmallVec<[u8; 32]>);

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
    /// Whether its latest state is still to be written.
    pub(crate) dirty: bool,
    /// The chunk it was last handed out in.
    pub(crate) handed: u32,
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
    pub(crate) values: SmallVec<[(u32, Fixed); 3]>,
    /// Ids it sent lately.
    pub(crate) ids: SourceIds,
    /// What rules know of it.
    pub(crate) rules: EntityRules,
}

type Hasher = foldhash::fast::FixedState;

#[inline]
fn hash(hasher: &Hasher, source: &str, kind: u16) -> u64 {
    hasher.hash_one(source) ^ u64::from(kind).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Entities of a partition.
#[derive(Default)]
pub(crate) struct Entities {
    hasher: Hasher,
    /// (upper half of the hash, number).
    table: HashTable<(u32, u32)>,
    /// So that one more never means moving all, and one can be copied while the others change.
    pages: Vec<Page>,
    /// Copies made since they were last taken.
    copies: Vec<Copied>,
    /// Chunks known to be in ClickHouse when the copying began.
    taken: u32,
    /// The first page that may still have to be copied.
    next: usize,
    /// How many bytes a page takes, about.
    room: usize,
}

/// Entities that lie together.
#[derive(Default)]
struct Page {
    entities: Vec<Entity>,
    /// Whether it may have changed since it was copied last, or is to be.
    changed: bool,
    /// What is still to be copied of it.
    due: Option<Box<Due>>,
}

/// A page that is still to be copied as it was when the copying began.
struct Due {
    /// Whether it had changed since the copy before.
    changed: bool,
    /// How many entities it had.
    len: usize,
    /// Those that have changed since, as they were. One by one: a page is a thousand of them, and whoever waited for the whole of it
    /// with every event would stand still for as long as the copying takes.
    kept: Kept,
}

/// A page as it was when the copying began.
pub(crate) struct Copied {
    /// Which page.
    pub(crate) page: u32,
    /// The copy; none when it is as it was the last time.
    pub(crate) body: Option<Vec<u8>>,
}

/// Entities in a page.
const PAGE: usize = 1024;

#[inline]
fn at(pages: &[Page], number: u32) -> Option<&Entity> {
    pages.get(number as usize / PAGE)?.entities.get(number as usize % PAGE)
}

impl Entities {
    /// The number an entity most likely has, without a look at the entity itself; of use with [`Entities::ask`] only.
    #[inline]
    pub(crate) fn guess(&self, source: &str, kind: u16) -> Option<u32> {
        let hash = hash(&self.hasher, source, kind);
        let tag = (hash >> 32) as u32;
        self.table.find(hash, |(known, _)| *known == tag).map(|(_, number)| *number)
    }

    /// Asks for an entity; [`Entity::ask_apart`] goes on.
    #[inline]
    pub(crate) fn ask(&self, number: u32) -> Option<&Entity> {
        let entity = at(&self.pages, number)?;
        ask_for(entity);
        Some(entity)
    }

    /// The number of an entity, and whether it was unknown until now; none when it is and there is no `room` for it. `guess`
    /// is looked at first.
    #[inline]
    pub(crate) fn find(&mut self, guess: Option<u32>, who: (&str, u16), room: bool) -> Option<(u32, bool)> {
        let (source, kind) = who;
        if let Some(number) = guess
            && at(&self.pages, number).is_some_and(|entity| entity.is(source, kind))
        {
            return Some((number, false));
        }
        let hash = hash(&self.hasher, source, kind);
        let tag = (hash >> 32) as u32;
        let pages = &self.pages;
        let same = |(known, number): &(u32, u32)| {
            *known == tag && at(pages, *number).is_some_and(|entity| entity.is(source, kind))
        };
        match self.table.find(hash, same) {
            Some((_, number)) => Some((*number, false)),
            None if room => self.learn(source, kind, hash).map(|number| (number, true)),
            None => None,
        }
    }

    #[cold]
    fn learn(&mut self, source: &str, kind: u16, hash: u64) -> Option<u32> {
        let number = u32::try_from(self.len()).ok()?;
        if self.pages.last().is_none_or(|page| page.entities.len() == PAGE) {
            self.pages.push(Page { entities: Vec::with_capacity(PAGE), ..Page::default() });
        }
        let last = self.pages.last_mut()?;
        last.changed = true;
        last.entities.push(Entity::new(source, kind));
        self.file(hash, number);
        Some(number)
    }

    /// Makes an entity that lies there found.
    fn file(&mut self, hash: u64, number: u32) {
        let (hasher, pages) = (&self.hasher, &self.pages);
        let rehash = |(_, number): &(u32, u32)| at(pages, *number).map_or(0, |entity| entity.hash(hasher));
        self.table.insert_unique(hash, ((hash >> 32) as u32, number), rehash);
    }

    /// An entity by number, to change: one that is still to be copied is kept as it is first.
    #[inline]
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Entity> {
        let (page, place) = (self.pages.get_mut(number as usize / PAGE)?, number as usize % PAGE);
        if page.due.is_some() {
            page.keep(place, self.taken);
        }
        page.changed = true;
        page.entities.get_mut(place)
    }

    /// The same, to look at.
    pub(crate) fn get(&self, number: u32) -> Option<&Entity> {
        at(&self.pages, number)
    }

    /// All of them, to look at.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entity> {
        self.pages.iter().flat_map(|page| &page.entities)
    }

    /// All of them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entity> {
        while self.copy_next() {}
        self.pages.iter_mut().flat_map(|page| {
            page.changed = true;
            &mut page.entities
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.pages.last().map_or(0, |last| (self.pages.len() - 1) * PAGE + last.entities.len())
    }
}

impl Entities {
    /// Bytes they take, the ids of their messages left out, and what does not lie with them: long names, many values.
    pub(crate) fn bytes(&self) -> usize {
        // Room is made page by page.
        self.pages.len() * PAGE * (size_of::<Entity>() - size_of::<SourceIds>()) + self.table.allocation_size()
    }
}

impl Entity {
    fn new(source: &str, kind: u16) -> Self {
        Self {
            source: Id::new(source),
            kind,
            home: 0,
            dirty: false,
            handed: 0,
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

    fn hash(&self, hasher: &Hasher) -> u64 {
        hash(hasher, self.source.as_str(), self.kind)
    }

    #[inline]
    fn is(&self, source: &str, kind: u16) -> bool {
        self.kind == kind && self.source.0.as_slice() == source.as_bytes()
    }

    /// Asks for what stands apart from it, once it is there itself.
    #[inline]
    pub(crate) fn ask_apart(&self) {
        self.ids.ask();
        self.rules.ask();
    }
}

impl Entities {
    /// Begins to copy all there is, as it is now. `taken`: the chunks known to be in ClickHouse.
    pub(crate) fn begin_copy(&mut self, taken: u32) {
        self.copies.clear();
        (self.taken, self.next) = (taken, 0);
        for page in &mut self.pages {
            let (changed, len) = (std::mem::take(&mut page.changed), page.entities.len());
            page.due = Some(Box::new(Due { changed, len, kept: Kept::default() }));
        }
    }

    /// Copies one page more; false when all are.
    pub(crate) fn copy_next(&mut self) -> bool {
        while let Some(page) = self.pages.get_mut(self.next) {
            // Pages are much alike: a list that grows is written several times over.
            let how = (self.taken, self.room);
            let copied = page.due.take().map(|due| due.copy(&page.entities, how));
            let number = self.next as u32;
            self.next += 1;
            if let Some(body) = copied {
                self.room = body.as_ref().map_or(self.room, |body| body.len() + body.len() / 8);
                self.copies.push(Copied { page: number, body });
                return true;
            }
        }
        false
    }

    /// The copies made.
    pub(crate) fn copies(&mut self) -> std::vec::Drain<'_, Copied> {
        self.copies.drain(..)
    }

    /// Puts back a page that was saved, after those before it.
    pub(crate) fn restore(&mut self, saved: Vec<Entity>) {
        let first = self.len() as u32;
        let mut entities = Vec::with_capacity(PAGE);
        entities.extend(saved);
        self.pages.push(Page { entities, changed: true, ..Page::default() });
        for number in first..self.len() as u32 {
            let hash = at(&self.pages, number).map_or(0, |entity| entity.hash(&self.hasher));
            self.file(hash, number);
        }
    }
}

impl Page {
    /// Keeps an entity of a page that is still to be copied as it is.
    #[cold]
    fn keep(&mut self, place: usize, taken: u32) {
        let Some(due) = &mut self.due else { return };
        if due.changed
            && place < due.len
            && let Some(entity) = self.entities.get(place)
        {
            due.kept.keep(place, entity, taken);
        }
    }
}

impl Due {
    /// The page as it was; none when that is what was copied before.
    fn copy(self, entities: &[Entity], how: (u32, usize)) -> Option<Vec<u8>> {
        self.changed.then(|| saved::write(entities.get(..self.len).unwrap_or(entities), &self.kept, how))
    }
}

/// Which partition each source was first seen in, over all workers: an entity in two partitions has no order.
#[derive(Default)]
pub(crate) struct Whereabouts(Mutex<HashTable<Known>>);

/// The upper 48 bits of a source's hash, and the partition.
#[derive(Clone, Copy)]
struct Known(u64);

impl Whereabouts {
    /// The partition a source was first seen in: this one, if it was nowhere yet. Sources are told apart by 48 bits of a
    /// hash: this only feeds a counter.
    pub(crate) fn first(&self, source: &str, part: u16) -> u16 {
        let known = Known(foldhash::quality::FixedState::default().hash_one(source) & !Known::PART | u64::from(part));
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |other: &Known| other.source() == known.source();
        table.entry(known.source(), same, Known::source).or_insert(known).get().part()
    }
}

impl Whereabouts {
    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).allocation_size()
    }
}

impl Known {
    const PART: u64 = 0xffff;

    /// As a hash of its own: where a table looks at the lowest bits, they must differ.
    fn source(&self) -> u64 {
        (self.0 & !Self::PART).rotate_left(32)
    }

    fn part(self) -> u16 {
        (self.0 & Self::PART) as u16
    }
}

/// What an entity takes, ids of its messages left out.
const _: () = assert!(size_of::<Entity>() - size_of::<SourceIds>() <= 224, "an entity has grown");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn an_entity_is_source_and_kind() {
        let mut entities = Entities::default();
        assert_eq!(entities.find(None, ("a", 0), true), Some((0, true)));
        assert_eq!(entities.find(None, ("a", 1), true), Some((1, true)));
        assert_eq!(entities.find(None, ("b", 0), true), Some((2, true)));
        assert_eq!(entities.find(None, ("c", 0), false), None, "no room");
        assert_eq!(entities.find(None, ("a", 1), false), Some((1, false)));
    }

    #[test]
    fn many_entities_keep_their_numbers() {
        let mut entities = Entities::default();
        // Right, wrong, or none.
        let guess = |number: u32| [Some(number), Some(number / 2), None].into_iter().nth(number as usize % 3).flatten();
        for round in 0..2 {
            for number in 0..20_000u32 {
                assert_eq!(
                    entities.find(guess(number), (&format!("sensor-{number}"), 3), true),
                    Some((number, round == 0))
                );
            }
        }
    }

    /// `CKP-5`, page by page: what is copied is what was there when the copying began, and only what had changed since the copy before.
    fn copied_as_it_was(steps: Vec<(u8, u32)>) {
        let mut entities = Entities::default();
        let name = |number: u32| format!("sensor-{number}");
        let touch = |entities: &mut Entities, number: u32, time: i64| {
            let (number, _) = entities.find(None, (&name(number), 0), true).expect("room");
            entities.get_mut(number).expect("it is there").time = time;
        };
        (0..2 * PAGE as u32 + 100).for_each(|number| touch(&mut entities, number, 0));
        let mut changed = HashSet::from([0, 1, 2]);
        let mut steps = steps.into_iter().zip(1i64..);
        for _ in 0..3 {
            entities.begin_copy(0);
            let as_it_was = |page: &Page| saved::write(&page.entities, &Kept::default(), (0, 0));
            let wanted: Vec<Vec<u8>> = entities.pages.iter().map(as_it_was).collect();
            let wanted = wanted.into_iter().enumerate().map(|(page, body)| changed.contains(&page).then_some(body));
            let wanted: Vec<Option<Vec<u8>>> = wanted.collect();
            changed.clear();
            for ((step, number), time) in steps.by_ref().take(40) {
                if step % 8 == 0 {
                    entities.copy_next();
                } else {
                    // Some of them are new.
                    let number = number % (3 * PAGE as u32);
                    touch(&mut entities, number, time);
                    let (number, _) = entities.find(None, (&name(number), 0), false).expect("it is there");
                    changed.insert(number as usize / PAGE);
                }
            }
            while entities.copy_next() {}
            let copies: Vec<Option<Vec<u8>>> = entities.copies().map(|copied| copied.body).collect();
            assert!(copies == wanted, "a copy is not of the moment it began");
        }
    }

    proptest! {
        #[test]
        fn a_copy_is_of_the_moment_it_began(steps in prop::collection::vec((0u8..=255, 0u32..100_000), 120)) {
            copied_as_it_was(steps);
        }
    }

    #[test]
    fn the_first_partition_is_remembered() {
        let whereabouts = Whereabouts::default();
        assert_eq!([whereabouts.first("a", 3), whereabouts.first("a", 4), whereabouts.first("b", 4)], [3, 3, 4]);
    }
}
