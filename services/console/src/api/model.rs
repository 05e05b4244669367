//! What the API says, as types: the source of `/api/openapi.json`. Times are epoch milliseconds unless a name says otherwise.

use crate::catalogue::Statistic;
use gridwarden_domain::text::Text;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A text for people; a language may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TextView {
    /// English.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub en: String,
    /// Chinese.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub zh: String,
}

impl From<&Text> for TextView {
    fn from(text: &Text) -> Self {
        Self { en: text.en.clone(), zh: text.zh.clone() }
    }
}

impl From<Text> for TextView {
    fn from(text: Text) -> Self {
        Self { en: text.en, zh: text.zh }
    }
}

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

/// An area by layer and code, with its name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AreaRefView {
    /// Layer id.
    pub layer: String,
    /// Level id, when the area is known now.
    pub level: String,
    /// Code.
    pub code: String,
    /// Name.
    pub name: TextView,
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

/// A metric that has windows.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricView {
    /// Name as in `area_metrics`.
    pub metric: String,
    /// Name for people.
    pub name: TextView,
    /// Unit, or empty.
    pub unit: String,
    /// How it is folded unless asked otherwise.
    pub statistic: Statistic,
    /// Start of its newest window.
    pub newest: Option<i64>,
}

/// Metrics that have windows.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricsView {
    /// By name.
    pub metrics: Vec<MetricView>,
}

/// Values of a metric per area.
#[derive(Debug, Serialize, ToSchema)]
pub struct AreaValuesView {
    /// Layer id.
    pub layer: String,
    /// Level id.
    pub level: String,
    /// Metric.
    pub metric: String,
    /// How windows were folded.
    pub statistic: Statistic,
    /// Layer version the numbers belong to.
    pub version: String,
    /// Length of the windows folded, in seconds.
    pub window_s: u32,
    /// Length of time folded, in seconds.
    pub span_s: u32,
    /// End of the newest window taken in.
    pub until: Option<i64>,
    /// Whether every window taken in was closed.
    pub closed: bool,
    /// Numbers of areas.
    pub ids: Vec<u32>,
    /// Their codes.
    pub codes: Vec<String>,
    /// Their values.
    pub values: Vec<f64>,
}

/// One window of an area.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointView {
    /// Start.
    pub start: i64,
    /// Value.
    pub value: f64,
    /// Events.
    pub count: u64,
    /// Whether it was closed.
    pub closed: bool,
}

/// Windows of one area over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesView {
    /// Layer id.
    pub layer: String,
    /// Area code.
    pub code: String,
    /// Metric.
    pub metric: String,
    /// How a window became one number.
    pub statistic: Statistic,
    /// Length of a window in seconds.
    pub window_s: u32,
    /// Oldest first; windows without events are left out.
    pub points: Vec<PointView>,
}

/// A kind of entities.
#[derive(Debug, Serialize, ToSchema)]
pub struct KindView {
    /// Kind.
    pub kind: String,
    /// Name for people.
    pub name: TextView,
    /// Entities of it with a registered position.
    pub fixed: u64,
    /// Entities of it.
    pub entities: u64,
}

/// Entities with a position, column by column.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntitiesView {
    /// Numbers hold while this does not change.
    pub epoch: String,
    /// Kinds.
    pub kinds: Vec<KindView>,
    /// Numbers.
    pub ids: Vec<u32>,
    /// Entity ids.
    pub sources: Vec<String>,
    /// Index into `kinds`.
    pub kind: Vec<usize>,
    /// Longitudes.
    pub lon: Vec<f64>,
    /// Latitudes.
    pub lat: Vec<f64>,
    /// Event times.
    pub time: Vec<i64>,
}

/// A value of an entity.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValueView {
    /// Name as sent.
    pub name: String,
    /// Name for people.
    pub title: TextView,
    /// Unit, or empty.
    pub unit: String,
    /// The number.
    pub value: f64,
}

/// The latest state of an entity.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityView {
    /// Entity id.
    pub source: String,
    /// Kind.
    pub kind: String,
    /// Kind, for people.
    pub kind_name: TextView,
    /// Its registered name.
    pub name: TextView,
    /// Whether it has a registered position.
    pub fixed: bool,
    /// Event time.
    pub time: i64,
    /// Append time.
    pub appended_at: i64,
    /// Feed.
    pub feed: String,
    /// Longitude, latitude.
    pub position: Option<[f64; 2]>,
    /// Areas it lies in, leaf first.
    pub areas: Vec<AreaRefView>,
    /// Its values.
    pub values: Vec<ValueView>,
}

/// Whom an alert is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubjectView {
    /// `entity` or `area`.
    pub kind: String,
    /// Entity id, or layer/code.
    pub id: String,
    /// Its name.
    pub name: TextView,
}

/// An alert as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertView {
    /// Alert id.
    pub id: String,
    /// Number of its last transition.
    pub seq: u32,
    /// Raised and not cleared.
    pub open: bool,
    /// `critical`, `major`, `minor` or `warning`.
    pub severity: String,
    /// Title of the rule.
    pub title: TextView,
    /// Rule id.
    pub rule: String,
    /// Rule kind.
    pub kind: String,
    /// Whom it is about.
    pub subject: SubjectView,
    /// When it was raised.
    pub raised_at: i64,
    /// When it was cleared.
    pub cleared_at: Option<i64>,
    /// Longitude, latitude.
    pub position: Option<[f64; 2]>,
    /// Areas it lies in, leaf first.
    pub areas: Vec<AreaRefView>,
    /// The value's name, for thresholds.
    pub metric: Option<String>,
    /// The value's name for people.
    pub metric_name: Option<TextView>,
    /// Its unit.
    pub unit: Option<String>,
    /// The value seen.
    pub value: Option<f64>,
    /// The level crossed.
    pub level: Option<f64>,
    /// Whether its subject is simulated.
    pub simulated: bool,
}

/// Alerts, newest raise first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertsView {
    /// The newest ones.
    pub alerts: Vec<AlertView>,
    /// How many pass the filter.
    pub total: u64,
    /// When ClickHouse was last heard, while it is away; null when this is as of now.
    pub as_of: Option<i64>,
}

/// Alerts that changed: the live stream's event `alerts`.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertsNews {
    /// As they stand now.
    pub alerts: Vec<AlertView>,
}

/// Key figures.
#[derive(Debug, Serialize, ToSchema)]
pub struct KpiView {
    /// Counted at.
    pub at: i64,
    /// Observations and reports appended in the last full minute and archived.
    pub events_per_min: u64,
    /// Entities whose latest event time lies in the last 5 minutes.
    pub entities_seen_5m: u64,
    /// Entities that ever spoke.
    pub entities_known: u64,
    /// Alerts raised and not cleared, by severity.
    pub open_alerts: BTreeMap<String, u64>,
    /// Reports with an event time today, in the city's time zone.
    pub reports_today: u64,
    /// Observations and reports appended in the last 5 minutes that lie in no area.
    pub nowhere_5m: u64,
    /// Messages rejected today.
    pub rejects_today: u64,
}

/// The newest moments of each part.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreshnessView {
    /// console's clock.
    pub at: i64,
    /// Append time of the newest archived observation or report.
    pub observations: Option<i64>,
    /// Append time behind the newest latest state of an entity.
    pub entities: Option<i64>,
    /// End of the newest window at the city's root level, never later than `at`.
    pub metrics: Option<i64>,
}

/// A rejected message.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectView {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: u64,
    /// Bounded reason.
    pub code: String,
    /// Field concerned.
    pub field: String,
    /// Sentence.
    pub detail: String,
    /// Append time.
    pub appended_at: i64,
    /// First bytes of the message, as text.
    pub excerpt: String,
}

/// Rejects of one reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectCountView {
    /// Topic.
    pub topic: String,
    /// Bounded reason.
    pub code: String,
    /// How many.
    pub count: u64,
}

/// Rejected messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectsView {
    /// Counted from here.
    pub since: i64,
    /// All of them.
    pub total: u64,
    /// By topic and reason.
    pub counts: Vec<RejectCountView>,
    /// The newest ones.
    pub rejects: Vec<RejectView>,
}

/// A report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportView {
    /// Report id.
    pub id: String,
    /// Event time.
    pub time: i64,
    /// Append time.
    pub appended_at: i64,
    /// Feed.
    pub feed: String,
    /// Channel.
    pub channel: String,
    /// Class catalogue.
    pub catalogue: String,
    /// Class code.
    pub class: String,
    /// Class, for people.
    pub class_name: TextView,
    /// Longitude, latitude.
    pub position: Option<[f64; 2]>,
    /// Areas it lies in, every layer and level, leaf first.
    pub areas: Vec<AreaRefView>,
    /// What was said.
    pub description: String,
    /// Number in the system it came from.
    pub external_id: String,
    /// Attributes.
    pub attributes: BTreeMap<String, String>,
}

/// Reports in the order of ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportsView {
    /// The reports.
    pub reports: Vec<ReportView>,
    /// Give this as `after` for the next ones; null at the end.
    pub next: Option<String>,
}

/// A field that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldErrorView {
    /// Name of the parameter.
    pub field: String,
    /// What is wrong.
    pub detail: String,
}

/// A problem after RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemView {
    /// Kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Title.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened.
    pub detail: Option<String>,
    /// Parameters that are wrong.
    pub errors: Vec<FieldErrorView>,
}
