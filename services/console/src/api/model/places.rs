//! The city, its layers and areas.

use super::common::{AreaRefView, TextView};
use serde::Serialize;
use utoipa::ToSchema;

/// The city.
#[derive(Debug, Serialize, ToSchema)]
pub struct CityView {
    /// Its name.
    pub name: TextView,
    /// IANA time zone.
    pub timezone: String,
    /// Whether everything is made up.
    pub simulated: bool,
    /// Version of this program.
    pub version: String,
    /// console's clock.
    pub now: i64,
}

/// A level of a layer.
#[derive(Debug, Serialize, ToSchema)]
pub struct LevelView {
    /// Level id.
    pub id: String,
    /// Its name.
    pub name: TextView,
    /// Areas valid now.
    pub areas: usize,
}

/// A layer in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct LayerView {
    /// Layer id.
    pub id: String,
    /// Its title.
    pub title: TextView,
    /// Whether it is the city's main layer.
    pub main: bool,
    /// Version: part of the tiles' addresses; area numbers hold for it.
    pub version: String,
    /// West, south, east, north in degrees.
    pub bounds: Option<[f64; 4]>,
    /// Root first.
    pub levels: Vec<LevelView>,
}

/// Layers in force, the main one first.
#[derive(Debug, Serialize, ToSchema)]
pub struct LayersView {
    /// The layers.
    pub layers: Vec<LayerView>,
}

/// An area.
#[derive(Debug, Serialize, ToSchema)]
pub struct AreaView {
    /// Its number in this layer version.
    pub id: u32,
    /// Layer id.
    pub layer: String,
    /// Level id.
    pub level: String,
    /// Code.
    pub code: String,
    /// Name.
    pub name: TextView,
    /// Code of the area above.
    pub parent: Option<String>,
    /// Where its name goes, in degrees.
    pub centre: Option<[f64; 2]>,
    /// West, south, east, north in degrees.
    pub bounds: Option<[f64; 4]>,
}

/// Areas found.
#[derive(Debug, Serialize, ToSchema)]
pub struct AreasView {
    /// The first ones, by level and code.
    pub areas: Vec<AreaView>,
    /// How many there are.
    pub total: usize,
}

/// An area with what lies above and below.
#[derive(Debug, Serialize, ToSchema)]
pub struct AreaDetailView {
    /// The area.
    #[serde(flatten)]
    pub area: AreaView,
    /// Areas above, nearest first.
    pub parents: Vec<AreaRefView>,
    /// Areas directly below.
    pub children: Vec<AreaView>,
}
