//! Classes of components (部件) and events (事件), by catalogue version: the digits alone are ambiguous.

use crate::text::Text;
use serde::{Deserialize, Serialize};

/// Whether a class names a thing or a happening (GB/T 30428.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassKind {
    /// 部件: a facility.
    Component,
    /// 事件: an incident.
    Event,
}

/// A class as a report names it: {catalogue version, component | event, code}.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRef {
    /// Catalogue version, e.g. `la311-2020`.
    pub catalogue: String,
    /// Component or event.
    pub kind: ClassKind,
    /// Code at any of the catalogue's levels.
    pub code: String,
}

/// One class of a catalogue.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Component or event.
    pub kind: ClassKind,
    /// Code.
    pub code: String,
    /// Code of the class above.
    #[serde(default)]
    pub parent: Option<String>,
    /// Name.
    pub name: Text,
}

/// A class catalogue (`classes.toml` in a city folder).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Version, the `catalogue` of a [`ClassRef`].
    pub version: String,
    /// The classes.
    pub classes: Vec<Class>,
}

impl Catalogue {
    /// Whether a class is one of this catalogue's, by version, kind and code.
    pub fn contains(&self, class: &ClassRef) -> bool {
        self.version == class.catalogue
            && self.classes.iter().any(|known| known.kind == class.kind && known.code == class.code)
    }
}
