//! Reports and rejects.

use super::common::{AreaRefView, TextView};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

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
