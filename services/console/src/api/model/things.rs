//! Entities and alerts.

use super::common::{AreaRefView, TextView};
use serde::Serialize;
use utoipa::ToSchema;

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
    /// How soon something must be done: `immediate`, `expected`, `future`, `past` or `unknown`.
    pub urgency: String,
    /// How sure it is: `observed`, `likely`, `possible`, `unlikely` or `unknown`.
    pub certainty: String,
    /// The records that raised it, oldest first: topic id, partition and offset, with slashes between.
    pub evidence: Vec<String>,
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

/// A storm: a rule that raises more alerts in a minute than are told.
#[derive(Debug, Serialize, ToSchema)]
pub struct StormView {
    /// Storm id.
    pub id: String,
    /// Rule id.
    pub rule: String,
    /// Title of the rule.
    pub title: TextView,
    /// Severity of the rule.
    pub severity: String,
    /// Raises of the rule that are told in a minute.
    pub per_minute: u32,
    /// Begin of the first minute beyond the limit.
    pub since: i64,
    /// End of the last such minute; null while it goes on.
    pub until: Option<i64>,
    /// Alerts that were not told.
    pub held_back: u64,
    /// Whether it is made up.
    pub simulated: bool,
}

/// Storms. In the live stream's event `storms`: those that go on.
#[derive(Debug, Serialize, ToSchema)]
pub struct StormsView {
    /// Those that go on, then the newest.
    pub storms: Vec<StormView>,
}
