//! The registry: entities that speak (sensors, vehicles, officers) and components (部件) that are looked after.

use crate::{observation::Position, text::Text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The three departments answerable for a component: 主管, 权属, 养护.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Departments {
    /// 主管: in charge.
    #[serde(default)]
    pub supervising: String,
    /// 权属: owner.
    #[serde(default)]
    pub owning: String,
    /// 养护: maintenance.
    #[serde(default)]
    pub maintaining: String,
}

/// A registered entity. Topic `registry.v1`, key = `id`; a tombstone removes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// Entity id: the `source` of its observations.
    pub id: String,
    /// Kind of entity (`air`, `noise`, `vehicle`, `officer`, …).
    pub kind: String,
    /// Name for people.
    #[serde(default)]
    pub name: Text,
    /// Where it stands, if it does not move; used for observations without a position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// For components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub departments: Option<Departments>,
    /// Texts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}
