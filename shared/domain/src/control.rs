//! What is in force, by append time (`DOM-3`).
//!
//! Control topics keep their whole history. A [`Fold`] reads their records in log order and gives [`Timeline`]s: snapshots
//! that answer what was in force for a record appended at a moment. A control record appended at `a` is in force for
//! records appended at `a +` [`FORCE_DELAY_MS`] or later. Should a broker's clock step back, a later control record is
//! never in force before an earlier one of its topic.
//!
//! A control record that cannot be read is skipped with a reason; what was in force stays in force.

mod fold;
mod registry;
mod rules;

pub use fold::Fold;
pub use rules::RuleSet;

use crate::{entity::Entity, locate::LayerSet, rule::Rule};
use registry::Registry;
use rules::Rules;
use std::sync::Arc;

/// Time between a control record's append and its force, so that readers can have read it by then.
pub const FORCE_DELAY_MS: i64 = 2000;

/// What is in force, for every append time the control topics cover. Cheap to clone.
#[derive(Clone, Default)]
pub struct Timeline {
    /// Before the first layer: none.
    no_layers: Arc<LayerSet>,
    no_rules: Arc<RuleSet>,
    layers: Arc<Vec<(i64, Arc<LayerSet>)>>,
    rules: Arc<Rules>,
    registry: Registry,
    settled_ms: Option<i64>,
}

impl Timeline {
    /// The layers in force for records appended at this moment.
    #[inline]
    pub fn layers_at(&self, append_ms: i64) -> &Arc<LayerSet> {
        let after = self.layers.partition_point(|(force, _)| *force <= append_ms);
        let found = after.checked_sub(1).and_then(|at| self.layers.get(at));
        found.map_or(&self.no_layers, |(_, set)| set)
    }

    /// The same layers and entities, under these rules all the time.
    pub fn under(&self, rules: RuleSet) -> Self {
        Self { no_rules: Arc::new(rules), rules: Arc::default(), ..self.clone() }
    }

    /// The rules in force for records appended at this moment.
    #[inline]
    pub fn rules_at(&self, append_ms: i64) -> &Arc<RuleSet> {
        self.rules.at(append_ms).unwrap_or(&self.no_rules)
    }

    /// Every rule by its newest document, in force or not, in order of ids.
    pub fn written_rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.written()
    }

    /// The newest document of a rule, in force or not.
    pub fn written_rule(&self, id: &str) -> Option<&Arc<Rule>> {
        self.rules.newest(id)
    }

    /// The entity registered under this id for records appended at this moment.
    #[inline]
    pub fn entity_at(&self, id: &str, append_ms: i64) -> Option<&Arc<Entity>> {
        self.registry.at(id, append_ms)
    }

    /// Number of entities registered at the end of what was read.
    pub fn entity_count(&self) -> usize {
        self.registry.len()
    }

    /// Entities registered at the end of what was read, in no order.
    pub fn entities(&self) -> impl Iterator<Item = &Arc<Entity>> {
        self.registry.latest()
    }

    /// The next moment after this one from which other layers or other rules are in force. Entities are asked for one by
    /// one and do not count here; see [`Timeline::registry_revision`].
    pub fn next_change_after(&self, append_ms: i64) -> Option<i64> {
        let after = self.layers.partition_point(|(force, _)| *force <= append_ms);
        let layers = self.layers.get(after).map(|(force, _)| *force);
        let rules = self.rules.next_after(append_ms);
        layers.into_iter().chain(rules).min()
    }

    /// The moment from which everything read is in force; `None` when nothing was read.
    pub fn settled_from(&self) -> Option<i64> {
        self.settled_ms
    }

    /// Rises with every registry record read; equal revisions hold equal registries.
    pub fn registry_revision(&self) -> u64 {
        self.registry.revision()
    }
}

#[cfg(test)]
mod tests;
