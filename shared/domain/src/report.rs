//! A report: what a person (officer, citizen, hotline caller) or a camera says is wrong somewhere.

use crate::{class::ClassRef, crs::Crs, observation::Position};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The metric that counts reports; by class `reports.<class code>`. No kind of entity may be called so.
pub const METRIC: &str = "reports";

/// How a report came in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A grid officer (采集员) on the spot.
    Officer,
    /// The hotline (12345, 311).
    Hotline,
    /// A citizen by app, page or mail.
    Citizen,
    /// A camera with an algorithm.
    Video,
    /// A patrol drive or a crew's own finding.
    Patrol,
    /// A sensor.
    Sensor,
}

/// What a camera adds to a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoEvidence {
    /// Entity id of the camera.
    pub camera: String,
    /// Where the camera believes its target is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Position>,
    /// 0 to 1.
    pub confidence: f64,
    /// Version of the algorithm.
    pub algorithm: String,
    /// Key of the track the finding belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<String>,
}

/// A report. On the wire: JSON, topic `reports.v1`, key = `id`. `infra/schema/json/report.schema.json` is the contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Report id: unique in the city, chosen by the sender or the gateway.
    pub id: String,
    /// How it came in.
    pub channel: Channel,
    /// What is reported.
    pub class: ClassRef,
    /// Epoch milliseconds (on the wire also RFC 3339).
    pub time: i64,
    /// Where. Position and area both missing: located nowhere, and counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Reference system of `position`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crs: Option<Crs>,
    /// Where, by area: `layer/code`, or a bare code of the city's main layer. Used when there is no position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// What was said, without personal data.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Texts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The component (部件) concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_id: Option<String>,
    /// Media by content hash (SHA-256, hex).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<String>,
    /// Opaque reference to the reporter; contacts never enter topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter_ref: Option<String>,
    /// Number in the system it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What a camera adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoEvidence>,
}
