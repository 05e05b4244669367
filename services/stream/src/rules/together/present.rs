//! Who is there: entities a rule has seen, each until it has said nothing for as long as the rule asks.

use super::Spot;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// An entity.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member<T> {
    /// Id.
    pub(super) source: Arc<str>,
    /// What was seen of it last.
    pub(super) spot: Spot,
    /// What the rule keeps of it.
    pub(super) kept: T,
}

/// All that are there. Each has one entry among the ends: it is not moved with every message, but looks, when its time comes, at
/// when the entity spoke last. Of those that end at once the first by id goes first, whatever happened before.
#[derive(Debug)]
pub(super) struct Present<T> {
    within_ms: i64,
    numbers: HashMap<Arc<str>, u32>,
    members: Vec<Option<Member<T>>>,
    free: Vec<u32>,
    ends: BinaryHeap<Reverse<(i64, Arc<str>)>>,
}

impl<T> Present<T> {
    pub(super) fn new(within_ms: i64) -> Self {
        let (numbers, members) = (HashMap::new(), Vec::new());
        Self { within_ms, numbers, members, free: Vec::new(), ends: BinaryHeap::new() }
    }

    pub(super) fn number(&self, source: &str) -> Option<u32> {
        self.numbers.get(source).copied()
    }

    pub(super) fn get(&self, number: u32) -> Option<&Member<T>> {
        self.members.get(number as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Member<T>> {
        self.members.get_mut(number as usize)?.as_mut()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Member<T>> {
        self.members.iter().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Takes in an entity that is not there: its number.
    pub(super) fn add(&mut self, member: Member<T>) -> u32 {
        let number = self.free.pop().unwrap_or(self.members.len() as u32);
        self.numbers.insert(Arc::clone(&member.source), number);
        self.ends.push(Reverse((self.end_of(&member.spot), Arc::clone(&member.source))));
        match self.members.get_mut(number as usize) {
            Some(place) => *place = Some(member),
            None => self.members.push(Some(member)),
        }
        number
    }

    fn end_of(&self, spot: &Spot) -> i64 {
        spot.time.saturating_add(self.within_ms)
    }

    /// When the next may be over; it may have spoken since.
    pub(super) fn next_end(&self) -> Option<i64> {
        self.ends.peek().map(|Reverse((end, _))| *end)
    }

    /// Takes out one whose time was over at a moment, and when it was; none when there is none any more.
    pub(super) fn take_ended(&mut self, moment: i64) -> Option<(i64, u32, Member<T>)> {
        while self.next_end().is_some_and(|end| end <= moment) {
            let Reverse((end, source)) = self.ends.pop()?;
            let number = self.number(&source)?;
            match self.get(number).map(|member| self.end_of(&member.spot)) {
                Some(later) if later > end => self.ends.push(Reverse((later, source))),
                _ => {
                    let member = self.members.get_mut(number as usize).and_then(Option::take)?;
                    self.numbers.remove(&member.source);
                    self.free.push(number);
                    return Some((end, number, member));
                }
            }
        }
        None
    }
}
