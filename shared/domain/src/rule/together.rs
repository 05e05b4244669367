//! Rules that look at several entities together. What they see counts in the order of event time, whatever partition it comes from:
//! it is looked at once nothing earlier can come any more.

use super::{Select, Shape, Side, is_zero};
use crate::{alert::AreaRef, crs::Crs};
use serde::{Deserialize, Serialize};

/// Where entities are counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Place {
    /// In each area of a layer that holds no other, one by one.
    Each(String),
    /// In an area of any level.
    Area(AreaRef),
    /// As [`Shape::Polygon`].
    Polygon(Vec<Vec<[f64; 2]>>),
    /// As [`Shape::Circle`].
    Circle {
        /// Centre [lon, lat].
        centre: [f64; 2],
        /// Radius in metres.
        radius_m: f64,
    },
    /// As [`Shape::Line`].
    Line {
        /// Points [lon, lat].
        points: Vec<[f64; 2]>,
        /// How far it reaches to each side, in metres.
        reach_m: f64,
    },
}

impl Place {
    /// The shape; none when it is each area of a layer.
    pub fn shape(&self) -> Option<Shape> {
        match self.clone() {
            Self::Each(_) => None,
            Self::Area(area) => Some(Shape::Area(area)),
            Self::Polygon(rings) => Some(Shape::Polygon(rings)),
            Self::Circle { centre, radius_m } => Some(Shape::Circle { centre, radius_m }),
            Self::Line { points, reach_m } => Some(Shape::Line { points, reach_m }),
        }
    }
}

/// So many entities in one place at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Density {
    /// Where.
    pub place: Place,
    /// The number that raises.
    pub at_least: u32,
    /// The number that clears (hysteresis): fewer than this; `at_least` when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_below: Option<u32>,
    /// How long there must be so many before the alert is raised, in seconds of event time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hold_s: u32,
    /// Who has said nothing for so long is not counted any more, in seconds of event time.
    pub within_s: u32,
    /// Positions that say they are less accurate than this, in metres, are not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f64>,
    /// The reference system a shape is drawn in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crs: Option<Crs>,
}

/// Two entities near each other; both may move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proximity {
    /// Whom the selected ones must not come near to, or must; each other when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Select>,
    /// At most so far apart, in metres: above 0, at most 10,000.
    pub within_m: f64,
    /// Farther apart than this they have parted (hysteresis), in metres; `within_m` when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_m: Option<f64>,
    /// How long they must be near before the alert is raised, in seconds of event time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hold_s: u32,
    /// A position older than this does not count any more, in seconds of event time.
    pub within_s: u32,
    /// Positions that say they are less accurate than this, in metres, are not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f64>,
}

/// A value an observation must show to be an event of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Name of the value looked at.
    pub value: String,
    /// Which side counts.
    pub side: Side,
    /// The level.
    pub level: f64,
}

/// So many reports or sensors' events near each other within some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// So many of different sources raise; each report is a source of its own.
    pub at_least: u32,
    /// Events join when they are at most so far apart, in metres: above 0, at most 10,000.
    pub within_m: f64,
    /// And so long, in seconds of event time. When none joined for so long it is over.
    pub within_s: u32,
    /// Codes of the classes of reports that count, all when it is empty; no report counts when it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<Vec<String>>,
    /// Which observations of the selection count; none when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
}

/// What a window's values come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// How many there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// What the observations, or the reports, of a place come to in a span of time, span by span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Where.
    pub place: Place,
    /// What the values come to.
    pub statistic: Statistic,
    /// Name of the value looked at; for a count: observations that have it, all when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Codes of the classes of reports that are counted instead of observations, all when it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<Vec<String>>,
    /// Length of a window in seconds of event time; windows begin at whole multiples of it since 1970.
    pub window_s: u32,
    /// Which side offends.
    pub side: Side,
    /// The level that raises.
    pub level: f64,
    /// The level that clears (hysteresis); the raising level when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<f64>,
    /// A window with fewer values says nothing, and ends an alert; 1 when missing. Not for a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u32>,
    /// So many windows in a row must offend; 1 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<u32>,
    /// The reference system a shape is drawn in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crs: Option<Crs>,
}
