//! Rules as documents: what files and API write alike. Topic `rules.v1`, key = rule id; a tombstone removes a rule.
//!
//! `infra/schema/json/rule.schema.json` is the published contract. Kinds of this version: `threshold`, `fence` and
//! `silence` over single entities; `density`, `proximity`, `cluster` and `window` over several ([`together`]).

mod document;
mod hours;
mod reading;
mod schedule;
pub mod together;
mod validity;

pub use document::{Calendars, Document, DocumentError, read_document};
pub use hours::Hours;
pub use reading::read;
pub use schedule::{Calendar, Date, DayKind, Period, Schedule, TimeOfDay};
pub use validity::{MAX_RADIUS_M, MAX_VERTICES, RuleError, areas_of, validate};

use crate::{alert::AreaRef, crs::Crs, text::Text};
use serde::{Deserialize, Serialize};
use together::{Cluster, Density, Proximity, Window};

/// How bad an alert is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look.
    Warning,
    /// Needs care in working time.
    Minor,
    /// Needs care now.
    Major,
    /// People or things are in danger.
    Critical,
}

/// How soon something must be done, after the Common Alerting Protocol 1.2 (§3.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    /// At once.
    #[default]
    Immediate,
    /// Within the hour.
    Expected,
    /// In the near future.
    Future,
    /// No longer.
    Past,
    /// Not known.
    Unknown,
}

/// How sure it is, after the Common Alerting Protocol 1.2 (§3.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// It was seen.
    #[default]
    Observed,
    /// More likely than not.
    Likely,
    /// Possible, but not likely.
    Possible,
    /// Hardly.
    Unlikely,
    /// Not known.
    Unknown,
}

impl Urgency {
    /// As it stands in messages and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Expected => "expected",
            Self::Future => "future",
            Self::Past => "past",
            Self::Unknown => "unknown",
        }
    }
}

impl Certainty {
    /// As it stands in messages and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Likely => "likely",
            Self::Possible => "possible",
            Self::Unlikely => "unlikely",
            Self::Unknown => "unknown",
        }
    }
}

/// How far a rule has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Being written: it is kept and can be tried on the past, and raises nothing.
    Draft,
    /// In force.
    #[default]
    Active,
    /// No longer in force, kept with its history.
    Retired,
}

/// Who changed a rule last, and why. When, says the log: its record's append time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// Who.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Which observations a rule looks at; an empty list means any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Select {
    /// Kinds of entity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Entity ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Areas (any level) the position must lie in one of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<AreaRef>,
}

/// On which side of the level a threshold offends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Offends when value > level.
    Above,
    /// Offends when value < level.
    Below,
}

impl Side {
    /// Whether a value is beyond a level, on this side of it; never at the level itself.
    #[inline]
    pub fn is_beyond<T: PartialOrd>(self, value: T, level: T) -> bool {
        match self {
            Self::Above => value > level,
            Self::Below => value < level,
        }
    }
}

/// A value beyond a level, per entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Name of the value looked at.
    pub value: String,
    /// Which side offends.
    pub side: Side,
    /// The level that raises.
    pub level: f64,
    /// The level that clears (hysteresis); the raising level when missing. Must lie on the other side of `level`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<f64>,
    /// How long the value must offend before the alert is raised, in seconds of event time.
    #[serde(default)]
    pub hold_s: u32,
}

/// What raises at a fence; the opposite clears.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crossing {
    /// Raised when an entity comes in, cleared when it leaves.
    Enter,
    /// Raised when an entity leaves, cleared when it comes back.
    Exit,
    /// Raised while an entity is inside, however it came there; cleared when it leaves.
    Inside,
    /// Raised when an entity has been inside for `hold_s`, however it came there; cleared when it leaves.
    Dwell,
    /// Raised when the way from an entity's last position to this one leads in, out or through; cleared by the next that does not.
    Cross,
    /// Raised when an entity inside is faster than [`Speed::above_kmh`]; cleared when it is not, or leaves.
    Speed,
}

impl Crossing {
    /// Whether it looks at the way from one position to the next.
    pub fn is_about_ways(self) -> bool {
        matches!(self, Self::Cross | Self::Speed)
    }
}

/// How fast is too fast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// Faster than this raises, in km/h.
    pub above_kmh: f64,
    /// At most this fast clears (hysteresis), in km/h; `above_kmh` when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_kmh: Option<f64>,
    /// The value that says how fast, in km/h; reckoned from one position to the next when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// The shape of a fence. Coordinates are degrees in the fence's reference system, lengths metres.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Shape {
    /// An area of a layer, any level; follows the layer when it is redrawn.
    Area(AreaRef),
    /// Rings of [lon, lat]; the first is the outline, the others holes.
    Polygon(Vec<Vec<[f64; 2]>>),
    /// A circle.
    Circle {
        /// Centre [lon, lat].
        centre: [f64; 2],
        /// Radius in metres, above 0, at most 100,000.
        radius_m: f64,
    },
    /// Everything near a line: a road, a pipe, a river.
    Line {
        /// Points [lon, lat], two at least.
        points: Vec<[f64; 2]>,
        /// How far it reaches to each side, in metres, above 0, at most 10,000.
        reach_m: f64,
    },
}

/// A fence looked at per entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fence {
    /// Where.
    pub shape: Shape,
    /// Which crossing raises.
    pub on: Crossing,
    /// Whether the first position of an entity, seen inside (or outside for `exit`), raises at once.
    #[serde(default)]
    pub first_counts: bool,
    /// How long an entity must be on the side that offends before the alert is raised, in seconds of event time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hold_s: u32,
    /// Hysteresis: who is inside is taken to be so until it is farther outside than this, in metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_m: Option<f64>,
    /// Positions that say they are less accurate than this, in metres, are not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f64>,
    /// For `speed`: how fast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
    /// For `cross` and `speed`: positions further apart in time than this, in seconds, are no way; [`USUAL_WAY_S`] when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_s: Option<u32>,
    /// The reference system a polygon, a line, or a circle's centre is drawn in; an area has its layer's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crs: Option<Crs>,
}

/// Positions further apart in time than this, in seconds, are no way, unless a rule says otherwise.
pub const USUAL_WAY_S: u32 = 120;

impl Fence {
    /// A fence that asks for nothing but this.
    pub fn new(shape: Shape, on: Crossing) -> Self {
        Self {
            shape,
            on,
            first_counts: false,
            hold_s: 0,
            margin_m: None,
            accuracy_m: None,
            speed: None,
            way_s: None,
            crs: None,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}

/// An entity that spoke before and says nothing any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// How long it must be silent, in seconds of event time.
    pub after_s: u32,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// See [`Threshold`].
    Threshold(Threshold),
    /// See [`Fence`].
    Fence(Fence),
    /// See [`Silence`].
    Silence(Silence),
    /// See [`Density`].
    Density(Density),
    /// See [`Proximity`].
    Proximity(Proximity),
    /// See [`Cluster`].
    Cluster(Cluster),
    /// See [`Window`].
    Window(Window),
}

impl Condition {
    /// The kind's name as it stands in documents and alerts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Threshold(_) => "threshold",
            Self::Fence(_) => "fence",
            Self::Silence(_) => "silence",
            Self::Density(_) => "density",
            Self::Proximity(_) => "proximity",
            Self::Cluster(_) => "cluster",
            Self::Window(_) => "window",
        }
    }

    /// Whether it looks at several entities together, in the order of event time.
    pub fn is_together(&self) -> bool {
        is_together(self.kind())
    }
}

/// Whether rules of a kind look at several entities together.
pub fn is_together(kind: &str) -> bool {
    matches!(kind, "density" | "proximity" | "cluster" | "window")
}

/// A rule document: `{"id", "version", "title", "severity", "select", "threshold": {…} | "fence": {…} | …}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Unique, stable: part of every alert id.
    pub id: String,
    /// Rises with each change.
    pub version: u32,
    /// For people.
    pub title: Text,
    /// How bad its alerts are.
    pub severity: Severity,
    /// How soon something must be done about them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub urgency: Urgency,
    /// How sure they are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub certainty: Certainty,
    /// How far it has come.
    #[serde(default, skip_serializing_if = "is_default")]
    pub state: State,
    /// When it looks; always when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Of a threshold or a fence: it looks at records in the order of event time, as far as they are at most so many seconds late; 0: in
    /// the order they come.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reorder_s: u32,
    /// While an alert is open it is told anew how it stands, at most once in each so many seconds since it was raised; 0: never.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub update_s: u32,
    /// More alerts than this raised in a minute are a storm, and not told one by one; the deployment's limit when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm_per_minute: Option<u32>,
    /// Who changed it last; nobody when it is a file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
    /// What it looks at.
    #[serde(default)]
    pub select: Select,
    /// What it does.
    #[serde(flatten)]
    pub condition: Condition,
}

impl Rule {
    /// A first version that is in force, looks at everything, always, and asks for nothing more.
    pub fn new(id: impl Into<String>, title: Text, severity: Severity, condition: Condition) -> Self {
        Self {
            id: id.into(),
            version: 1,
            title,
            severity,
            urgency: Urgency::default(),
            certainty: Certainty::default(),
            state: State::default(),
            schedule: None,
            reorder_s: 0,
            update_s: 0,
            storm_per_minute: None,
            changed: None,
            select: Select::default(),
            condition,
        }
    }

    /// Whether what it says is the same: condition, selection, hours and order. If so it keeps its state over a change.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        self.condition == other.condition
            && self.select == other.select
            && self.schedule == other.schedule
            && self.reorder_s == other.reorder_s
    }
}
