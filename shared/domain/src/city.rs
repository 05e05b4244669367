//! `city.toml`: the head of a city folder, as types. Reading the folder is `runtime::city`'s; this only knows the text.

use crate::{
    crs::Crs,
    layer::Level,
    rule::{Calendar, Severity},
    text::Text,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The contract's topics. A mapping reads others: what stands in these needs none.
pub const OWN_TOPICS: [&str; 8] = [
    "observations.v1",
    "reports.v1",
    "registry.v1",
    "rules.v1",
    "layers.v1",
    "alerts.v1",
    "deliveries.v1",
    "rejects.v1",
];

/// `city.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CityFile {
    /// Name of the city.
    pub name: Text,
    /// IANA time zone, e.g. `Asia/Shanghai`.
    pub timezone: String,
    /// Whether everything in it is made up; shown wherever its data are shown.
    #[serde(default)]
    pub simulated: bool,
    /// Limits on time.
    #[serde(default)]
    pub limits: Limits,
    /// Layers, in order of display.
    #[serde(default)]
    pub layers: Vec<LayerFile>,
    /// Registry files (CSV with header, or NDJSON), relative to the folder.
    #[serde(default)]
    pub registry: Vec<String>,
    /// Folder of rule documents (`*.json`, `*.yaml`), relative.
    #[serde(default)]
    pub rules: Option<String>,
    /// Class catalogue files (TOML), relative.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Mappings, relative.
    #[serde(default)]
    pub mappings: Vec<MappingFile>,
    /// Who publishes.
    #[serde(default)]
    pub feeds: Vec<Feed>,
    /// Where alerts go.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// Metrics of which windows tell more than sums.
    #[serde(default)]
    pub sketches: Vec<SketchFile>,
    /// Calendars that schedules of rules name.
    #[serde(default)]
    pub calendars: BTreeMap<String, Calendar>,
}

/// Limits on time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How long windows and rules over several entities wait for stragglers, in seconds.
    pub lateness_s: u32,
    /// Age beyond which a live record is late for everything, in days.
    pub max_age_days: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lateness_s: 10, max_age_days: 7 }
    }
}

/// A layer's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerFile {
    /// Layer id.
    pub id: String,
    /// Title for people.
    #[serde(default)]
    pub title: Text,
    /// GeoJSON FeatureCollection, relative.
    pub file: String,
    /// Reference system of its outlines, where the file names none itself; WGS-84, as GeoJSON is, when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crs: Option<Crs>,
    /// Levels, root first.
    pub levels: Vec<Level>,
    /// Main layer of the city; the first one when none says so.
    #[serde(default)]
    pub main: bool,
    /// Whether its leaves are meant to lie side by side: a position then lies in one of them at most, the one of highest priority
    /// where they overlap, and gaps and overlaps are told.
    #[serde(default)]
    pub partition: bool,
    /// Surface in m² from which a gap, an overlap or what leaves the area above is told; [`LayerFile::TOLERANCE_M2`] when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_m2: Option<f64>,
    /// Whether outlines that are invalid as drawn are repaired, and told; they are read even–odd as drawn, and told, otherwise.
    #[serde(default)]
    pub repair: bool,
    /// Which GeoJSON properties hold what.
    #[serde(default)]
    pub fields: LayerFields,
}

impl LayerFile {
    /// What a surveyor's rounding leaves is smaller, and what people mean by a gap larger.
    pub const TOLERANCE_M2: f64 = 10.0;
}

/// Names of GeoJSON properties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerFields {
    /// Area code.
    pub code: String,
    /// Name (shown in both languages unless `name_zh` is there).
    pub name: String,
    /// Chinese name.
    pub name_zh: String,
    /// Code of the area above. A parent no feature describes is made from its code (its name is the code).
    pub parent: String,
    /// Level id; features without it are leaves.
    pub level: String,
    /// First moment of validity (RFC 3339 or date).
    pub valid_from: String,
    /// End of validity.
    pub valid_to: String,
    /// Priority where areas overlap, a whole number; read in partitions only.
    pub priority: String,
}

impl Default for LayerFields {
    fn default() -> Self {
        let own = |name: &str| name.to_owned();
        Self {
            code: own("code"),
            name: own("name"),
            name_zh: own("name_zh"),
            parent: own("parent"),
            level: own("level"),
            valid_from: own("valid_from"),
            valid_to: own("valid_to"),
            priority: own("priority"),
        }
    }
}

/// A mapping file and the topic whose messages it reads, if any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingFile {
    /// TOML file, relative.
    pub file: String,
    /// Topic whose messages this mapping decodes (besides `replay`, which names the mapping itself).
    #[serde(default)]
    pub topic: Option<String>,
}

/// What a feed may publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intake {
    /// `observations.v1`.
    Observations,
    /// `reports.v1`.
    Reports,
}

/// A feed: a party that publishes (a vendor's gateway, an officers' app, a replayed file). Records carry its name in the
/// Kafka header `feed`; records without it belong to the live feed without a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Name: lower case, digits, `-`.
    pub name: String,
    /// SHA-256 (hex) of its token for the gateway; without it the feed cannot use HTTP.
    #[serde(default)]
    pub token_sha256: Option<String>,
    /// What it may publish through the gateway.
    #[serde(default)]
    pub may: Vec<Intake>,
    /// Reference system of its positions where a record names none.
    #[serde(default)]
    pub crs: Crs,
    /// Plays the past: has its own watermark domain and no `max_age`.
    #[serde(default)]
    pub historical: bool,
}

/// What a window can count distinct ones of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distinct {
    /// Sources of observations.
    Source,
}

/// A metric of which windows keep a sketch. It costs memory and rows, so it is asked for metric by metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SketchFile {
    /// Metric of observations: `<kind>.<value>`, or `<kind>` for all of a kind.
    pub metric: String,
    /// Whether quantiles are kept; of values only.
    #[serde(default)]
    pub quantiles: bool,
    /// What distinct ones are counted of.
    #[serde(default)]
    pub distinct: Option<Distinct>,
}

/// A webhook endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Id: lower case, digits, `-`.
    pub id: String,
    /// `https://…`, or `http://…` with `allow_private`.
    pub url: String,
    /// Signing secret `whsec_…` (base64), or `env:NAME`, or `file:PATH` (relative to the folder).
    pub secret: String,
    /// Least severity sent.
    #[serde(default)]
    pub min_severity: Option<Severity>,
    /// Rules sent; all when empty.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Whether it is told how alerts stand while they are open, if their rules say so.
    #[serde(default = "yes")]
    pub updates: bool,
    /// Whether the address may be private or loopback.
    #[serde(default)]
    pub allow_private: bool,
}

fn yes() -> bool {
    true
}
