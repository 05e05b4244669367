//! Rules in force over time. A set is put together when first asked for: ten thousand rules published one after the other
//! are ten thousand changes, not ten thousand sets.

use crate::rule::{Rule, State};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The rules in force together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    /// Number of changes that led to it; 0 for the empty set before the first.
    pub revision: u64,
    /// In order of their ids.
    pub rules: Vec<Arc<Rule>>,
}

impl RuleSet {
    /// The rule with this id.
    pub fn find(&self, id: &str) -> Option<&Arc<Rule>> {
        let at = self.rules.binary_search_by(|rule| rule.id.as_str().cmp(id)).ok()?;
        self.rules.get(at)
    }
}

/// One change: the rule under this id is now this one, or none.
type Change = (Arc<str>, Option<Arc<Rule>>);

/// A moment from which another set is in force.
struct Point {
    force_ms: i64,
    /// Number of changes in force from here.
    changes: usize,
    set: OnceLock<Arc<RuleSet>>,
}

/// The history of the rules.
#[derive(Clone, Default)]
pub(super) struct Rules {
    changes: Vec<Change>,
    points: Vec<Arc<Point>>,
    latest: BTreeMap<Arc<str>, Arc<Rule>>,
}

impl Rules {
    /// Takes the next change of the log. One that changes nothing leaves no trace.
    pub(super) fn change(&mut self, id: &str, rule: Option<Rule>, force_ms: i64) {
        if self.latest.get(id).map(Arc::as_ref) == rule.as_ref() {
            return;
        }
        let id: Arc<str> = Arc::from(id);
        let rule = rule.map(Arc::new);
        match &rule {
            Some(rule) => self.latest.insert(Arc::clone(&id), Arc::clone(rule)),
            None => self.latest.remove(&id),
        };
        self.changes.push((id, rule));
        let force_ms = self.last_force().map_or(force_ms, |last| last.max(force_ms));
        if self.last_force() == Some(force_ms) {
            self.points.pop();
        }
        self.points.push(Arc::new(Point { force_ms, changes: self.changes.len(), set: OnceLock::new() }));
    }

    pub(super) fn at(&self, append_ms: i64) -> Option<&Arc<RuleSet>> {
        let after = self.points.partition_point(|point| point.force_ms <= append_ms);
        let point = self.points.get(after.checked_sub(1)?)?;
        Some(point.set.get_or_init(|| Arc::new(self.set(point.changes))))
    }

    /// Documents, in force or not, in order of ids.
    pub(super) fn written(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.latest.values()
    }

    pub(super) fn newest(&self, id: &str) -> Option<&Arc<Rule>> {
        self.latest.get(id)
    }

    pub(super) fn next_after(&self, append_ms: i64) -> Option<i64> {
        let after = self.points.partition_point(|point| point.force_ms <= append_ms);
        self.points.get(after).map(|point| point.force_ms)
    }

    fn last_force(&self) -> Option<i64> {
        self.points.last().map(|point| point.force_ms)
    }

    fn set(&self, changes: usize) -> RuleSet {
        let mut rules: BTreeMap<&str, &Arc<Rule>> = BTreeMap::new();
        for (id, rule) in self.changes.iter().take(changes) {
            // Drafts and retired rules are kept in the log, and in force nowhere.
            match rule.as_ref().filter(|rule| rule.state == State::Active) {
                Some(rule) => rules.insert(id, rule),
                None => rules.remove(id.as_ref()),
            };
        }
        RuleSet { revision: changes as u64, rules: rules.into_values().cloned().collect() }
    }
}
