//! The books made so far, and the numbers of rules.

use super::{binder::Binder, book::Book};
use crate::{
    cluster::{Ask, Authority, Tail},
    intern::{MetricNames, View, Views},
};
use gridwarden_domain::{control::RuleSet, rule::Rule};
use hashbrown::HashMap;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What the index of fences may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Memory of the spatial index, in MiB.
    pub(crate) shapes_mib: usize,
}

/// Books made so far, shared between workers, and the slots of rules: one per rule id, for the life of the process.
pub(crate) struct Books {
    limits: Limits,
    /// The city's, which hours of rules are in.
    zone: TimeZone,
    inner: Mutex<Shelf>,
    /// Who gives out slots, when this process does not.
    authority: Option<Authority>,
}

#[derive(Default)]
struct Shelf {
    slots: HashMap<String, u32>,
    made: Vec<Arc<Book>>,
}

impl Shelf {
    /// A rule's slot, made if need be.
    fn slot(&mut self, rule: &str) -> u32 {
        let next = self.slots.len() as u32;
        *self.slots.entry_ref(rule).or_insert(next)
    }

    fn by_slot(&self) -> Vec<String> {
        let mut rules = vec![String::new(); self.slots.len()];
        for (rule, slot) in &self.slots {
            if let Some(place) = rules.get_mut(*slot as usize) {
                place.clone_from(rule);
            }
        }
        rules
    }
}

impl Books {
    /// For saving: rules by slot.
    pub(crate) fn saved(&self) -> Vec<String> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).by_slot()
    }

    /// For another process: the rules from slot `from` on, with those that are wanted.
    pub(crate) fn tail(&self, from: u32, wanted: &[String]) -> Vec<String> {
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.iter().for_each(|rule| {
            shelf.slot(rule);
        });
        shelf.by_slot().split_off((from as usize).min(shelf.slots.len()))
    }

    /// Has the rules of a set numbered by the process that gives out slots.
    fn learn(&self, shelf: &mut Shelf, set: &RuleSet) {
        let Some(authority) = &self.authority else { return };
        let new = |rule: &&Arc<Rule>| !shelf.slots.contains_key(rule.id.as_str());
        let wanted: Vec<String> = set.rules.iter().filter(new).map(|rule| rule.id.clone()).collect();
        if wanted.is_empty() {
            return;
        }
        let from = shelf.slots.len() as u32;
        if let Tail::Rules { rules, .. } = authority.ask(Ask::Rules { from, wanted }) {
            rules.iter().for_each(|rule| {
                shelf.slot(rule);
            });
        }
    }

    /// None made yet, rules with the slots they had.
    pub(crate) fn restored(limits: Limits, rules: &[String]) -> Self {
        let slots = (0u32..).zip(rules).map(|(slot, rule)| (rule.clone(), slot)).collect();
        let inner = Mutex::new(Shelf { slots, made: Vec::new() });
        Self { limits, zone: TimeZone::UTC, inner, authority: None }
    }

    /// The same, for a city in another time zone than UTC.
    pub(crate) fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// The same, with slots given out by another process.
    pub(crate) fn asking(self, authority: Option<Authority>) -> Self {
        Self { authority, ..self }
    }

    /// The book of a rule set and a version of the layers, made by the first who asks.
    pub(crate) fn of(&self, set: &Arc<RuleSet>, view: &Arc<View>, shared: (&Views, &MetricNames)) -> Arc<Book> {
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |book: &&Arc<Book>| {
            (Arc::ptr_eq(&book.set, set) || book.set.revision == set.revision) && Arc::ptr_eq(&book.view, view)
        };
        if let Some(book) = shelf.made.iter().find(same) {
            return Arc::clone(book);
        }
        shelf.made.retain(|book| Arc::strong_count(book) > 1);
        self.learn(&mut shelf, set);
        let (views, names) = shared;
        let mut bind = |reorder_s: u32| {
            let mut binder = Binder::new(Book::empty(set, view), (views, names), &self.zone);
            for rule in set.rules.iter().filter(|rule| rule.reorder_s == reorder_s) {
                binder.add(rule, shelf.slot(&rule.id));
            }
            binder.bind(self.limits)
        };
        let waits: BTreeSet<u32> = set.rules.iter().map(|rule| rule.reorder_s).filter(|wait| *wait > 0).collect();
        let ordered = waits.into_iter().map(|wait| (wait, Arc::new(bind(wait)))).collect();
        let book = Arc::new(Book { ordered, ..bind(0) });
        shelf.made.push(Arc::clone(&book));
        book
    }
}
