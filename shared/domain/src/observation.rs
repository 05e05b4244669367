//! An observation: what a registered entity (sensor, vehicle, officer) measured, when and where.

use crate::{crs::Crs, value::Fixed};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A point in degrees, with the source's own estimate of its error.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Longitude in degrees, −180 to 180.
    pub lon: f64,
    /// Latitude in degrees, −90 to 90.
    pub lat: f64,
    /// Radius in metres the source claims; 0 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f32>,
}

impl Position {
    /// The same place, given in `crs`, in WGS-84 (`DEC-3`).
    #[inline]
    pub(crate) fn in_wgs84(self, crs: Crs) -> Self {
        if crs.is_wgs84_compatible() { self } else { self.converted(crs) }
    }

    #[cold]
    fn converted(self, crs: Crs) -> Self {
        let [lon, lat] = crs.to_wgs84([self.lon, self.lat]);
        Self { lon, lat, ..self }
    }
}

/// An observation that owns its text: what producers (gateway, `simulate`, `replay`, tests) build and write.
/// On the wire: JSON, topic `observations.v1`, key = `source`. `infra/schema/json/observation.schema.json` is the contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The source's own id; repeats of it are dropped within `max_age`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Entity id.
    pub source: String,
    /// What kind of entity speaks (`air`, `vehicle`, …); lower case, digits, `_`, `-`; not `reports`.
    pub kind: String,
    /// Epoch milliseconds (on the wire also RFC 3339).
    pub time: i64,
    /// Where; optional for a registered fixed entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Reference system of `position`; the source's default when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crs: Option<Crs>,
    /// Measured numbers by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, f64>,
    /// Texts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// An observation as read from a message: text borrowed from the payload wherever it holds no escapes.
/// `position` is already WGS-84, every number is checked, `time_ms` is epoch milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationRef<'a> {
    /// The source's own id.
    pub id: Option<Cow<'a, str>>,
    /// Entity id.
    pub source: Cow<'a, str>,
    /// Kind of entity.
    pub kind: Cow<'a, str>,
    /// Epoch milliseconds.
    pub time_ms: i64,
    /// WGS-84 position.
    pub position: Option<Position>,
    /// Measured numbers, rounded once (`DOM-2`), in the order sent; names are unique.
    pub values: SmallVec<[(Cow<'a, str>, Fixed); 6]>,
    /// Texts, in the order sent; names are unique.
    pub attributes: SmallVec<[(Cow<'a, str>, Cow<'a, str>); 4]>,
}

impl ObservationRef<'_> {
    /// One that says nothing, to be filled.
    #[inline]
    pub fn empty() -> Self {
        Self {
            id: None,
            source: Cow::Borrowed(""),
            kind: Cow::Borrowed(""),
            time_ms: 0,
            position: None,
            values: SmallVec::new(),
            attributes: SmallVec::new(),
        }
    }
}
