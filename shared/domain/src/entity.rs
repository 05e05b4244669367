//! The registry: entities that speak (sensors, vehicles, officers) and components (部件) that are looked after.

use crate::{
    decode::{self, check},
    observation::Position,
    reject::{Code, Reason},
    strict,
    text::Text,
};
use gridwarden_geo::is_in_degrees;
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

impl Entity {
    /// Reads and checks an entity as it stands in the topic and in files of one JSON object a line.
    pub fn read(payload: &[u8]) -> Result<Self, Reason> {
        let entity: Self = strict::read(decode::text_of(payload)?)?;
        entity.check().map_err(|(field, detail)| Reason::new(Code::InvalidValue, field, detail))?;
        Ok(entity)
    }

    /// What a registry may hold; the field and what is wrong with it otherwise.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        // The same limits as for the `source` and `kind` of its observations: it could not be found otherwise.
        if !check::is_line(&self.id, check::MAX_ID) {
            return Err(("id", "must have 1 to 128 bytes and no control characters"));
        }
        if !check::is_kind(&self.kind) {
            return Err(("kind", check::KIND_IN_WORDS));
        }
        if let Some(position) = &self.position
            && !is_in_degrees([position.lon, position.lat])
        {
            return Err(("position", "is not a position in degrees"));
        }
        let accuracy = self.position.and_then(|position| position.accuracy_m);
        if accuracy.is_some_and(|metres| !check::is_accuracy(metres)) {
            return Err(("position.accuracy_m", "must be 0 or more metres, and finite"));
        }
        Ok(())
    }
}
