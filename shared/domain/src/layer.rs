//! Layers: named divisions of the city, some of them trees, each area with a code and a time of validity.
//!
//! Topic `layers.v1` holds one [`LayerRecord::Area`] per area (key `layer/version/code`), then one
//! [`LayerRecord::Closing`] (key `layer/version`) with count and hash, from which the version is in force.

mod reading;
mod version;

pub use reading::{LayerError, ReadLayer, Warning, read_geojson};
pub use version::version_of;

use crate::text::Text;
use serde::{Deserialize, Serialize};

/// Rings of [lon, lat] per polygon: `polygons[polygon][ring][point]`; read even–odd over all rings of the area.
pub type Polygons = Vec<Vec<Vec<[f64; 2]>>>;

/// One level of a layer's tree, e.g. district or unit grid cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Stable id (`city`, `district`, `street`, `community`, `cell`, …).
    pub id: String,
    /// Name for people.
    #[serde(default)]
    pub name: Text,
}

/// What is said of a layer as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerHead {
    /// Layer id (`grid`, `councils`, …).
    pub layer: String,
    /// Title for people.
    #[serde(default)]
    pub title: Text,
    /// Levels, the root first, the leaf last. One level: a flat layer.
    pub levels: Vec<Level>,
    /// The layer a bare area code is looked up in, and the map's first.
    #[serde(default)]
    pub main: bool,
    /// Whether every position has one leaf at most: where areas overlap, the one of higher priority owns the ground.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partition: bool,
}

/// One area of a layer version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Code, unique in its layer over areas valid at the same time.
    pub code: String,
    /// Index into the layer's levels.
    pub level: u8,
    /// Name for people.
    #[serde(default)]
    pub name: Text,
    /// Code of the area above; `None` at the root level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// First moment it is valid, epoch milliseconds; always when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<i64>,
    /// First moment it is no longer valid; for ever when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<i64>,
    /// In a partition: the higher one owns the ground that areas share; 0 when missing. Of equal ones the area owns it that stands
    /// first by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Outline. Leaves have one; for areas above it is drawn only (what lies inside follows from the leaves).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polygons: Option<Polygons>,
}

impl Area {
    /// Gives back the room that reading left in its outline: about half of what it takes, and areas are kept by the ten thousand.
    pub(crate) fn fit(&mut self) {
        let Some(polygons) = &mut self.polygons else { return };
        polygons.shrink_to_fit();
        for polygon in polygons {
            polygon.shrink_to_fit();
            // Made anew, because an allocator leaves a list where it is that fills more than half of its place.
            polygon.iter_mut().for_each(|ring| *ring = ring.as_slice().to_vec());
        }
    }
}

/// A record of `layers.v1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerRecord {
    /// One area.
    Area {
        /// Layer id.
        layer: String,
        /// Version: first 16 hex digits of the content hash.
        version: String,
        /// The area.
        area: Area,
    },
    /// Closes a version: it is in force from here.
    Closing {
        /// The layer.
        head: LayerHead,
        /// Version: first 16 hex digits of the content hash.
        version: String,
        /// Number of area records before it.
        count: u32,
        /// SHA-256 over head and areas in order, hex.
        hash: String,
    },
}
