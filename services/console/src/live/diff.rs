//! What changed between two looks. Pure.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Values that changed: the live stream's event `values`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ValueChanges {
    /// Whose values: `layer|level|metric|span|statistic`.
    pub key: String,
    /// Layer version the numbers of areas belong to.
    pub version: String,
    /// Whether this replaces everything.
    pub full: bool,
    /// End of the newest window taken in, epoch ms.
    pub until: Option<i64>,
    /// Whether every window taken in was closed.
    pub closed: bool,
    /// Numbers of areas.
    pub ids: Vec<u32>,
    /// Their values.
    pub values: Vec<f64>,
    /// Areas that have no value any more.
    pub gone: Vec<u32>,
}

/// What is known of one set of values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// Layer version.
    pub version: String,
    /// End of the newest window, epoch ms.
    pub until: Option<i64>,
    /// Whether every window was closed.
    pub closed: bool,
    /// Value per area.
    pub values: BTreeMap<u32, f64>,
}

impl Look {
    /// Everything, as a change that replaces what the viewer has.
    pub fn whole(&self, key: &str) -> ValueChanges {
        ValueChanges {
            key: key.to_owned(),
            version: self.version.clone(),
            full: true,
            until: self.until,
            closed: self.closed,
            ids: self.values.keys().copied().collect(),
            values: self.values.values().copied().collect(),
            gone: Vec::new(),
        }
    }

    /// What to tell a viewer who knows `self`; `None` when there is nothing to tell.
    pub fn changes_to(&self, next: &Self, key: &str) -> Option<ValueChanges> {
        if self == next {
            return None;
        }
        if self.version != next.version {
            return Some(next.whole(key));
        }
        let changed = next.values.iter().filter(|(id, value)| self.values.get(id) != Some(value));
        let (ids, values) = changed.map(|(id, value)| (*id, *value)).unzip();
        let gone = self.values.keys().filter(|id| !next.values.contains_key(id)).copied().collect();
        let (version, until, closed) = (next.version.clone(), next.until, next.closed);
        Some(ValueChanges { key: key.to_owned(), version, full: false, until, closed, ids, values, gone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn look(version: &str, values: &[(u32, f64)]) -> Look {
        Look { version: version.into(), until: Some(1), closed: false, values: values.iter().copied().collect() }
    }

    fn apply(known: &Look, changes: &ValueChanges) -> BTreeMap<u32, f64> {
        let mut values = if changes.full { BTreeMap::new() } else { known.values.clone() };
        for id in &changes.gone {
            values.remove(id);
        }
        values.extend(changes.ids.iter().copied().zip(changes.values.iter().copied()));
        values
    }

    #[test]
    fn only_what_changed_is_told() {
        let old = look("v1", &[(1, 1.0), (2, 2.0), (3, 3.0)]);
        let new = look("v1", &[(1, 1.0), (2, 2.5), (4, 4.0)]);
        let changes = old.changes_to(&new, "k").expect("changes");
        assert_eq!((changes.ids, changes.values, changes.gone), (vec![2, 4], vec![2.5, 4.0], vec![3]));
        assert_eq!(old.changes_to(&old, "k"), None);
        assert!(old.changes_to(&look("v2", &[(1, 1.0)]), "k").expect("changes").full);
    }

    proptest! {
        #[test]
        fn changes_lead_from_one_look_to_the_next(
            old in proptest::collection::btree_map(0..20u32, 0..5i32, 0..20),
            new in proptest::collection::btree_map(0..20u32, 0..5i32, 0..20),
            other_version: bool,
        ) {
            let as_look = |version: &str, map: BTreeMap<u32, i32>| Look {
                version: version.into(), until: None, closed: true,
                values: map.into_iter().map(|(id, value)| (id, f64::from(value))).collect(),
            };
            let (old, new) = (as_look("a", old), as_look(if other_version { "b" } else { "a" }, new));
            match old.changes_to(&new, "k") {
                None => prop_assert_eq!(old, new),
                Some(changes) => prop_assert_eq!(apply(&old, &changes), new.values),
            }
        }
    }
}
