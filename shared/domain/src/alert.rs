//! Alerts: what a rule raised and cleared. Topic `alerts.v1`, key = alert id.
//!
//! `ALR-1` an alert's id is a function of rule, subject and its first offending record alone, so a replay raises the same.
//! `ALR-2` `seq` rises by one per transition of an alert; readers ignore a `seq` they know.

use crate::{
    identity::RecordId,
    observation::Position,
    rule::{Certainty, Severity, Urgency},
    text::Text,
};
use serde::{Deserialize, Serialize};

/// An area by layer and code.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AreaRef {
    /// Layer id.
    pub layer: String,
    /// Area code.
    pub code: String,
}

/// Whom an alert is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// An entity, by id.
    Entity(String),
    /// An area.
    Area(AreaRef),
    /// Two entities near each other, by id, in order.
    Pair([String; 2]),
    /// A place that only its rule names: the rule's id.
    Place(String),
}

impl Subject {
    /// As it stands in alert ids, rows and figures: what it is, and which.
    pub fn named(&self) -> (&'static str, String) {
        match self {
            Self::Entity(id) => ("entity", id.clone()),
            Self::Area(area) => ("area", format!("{}/{}", area.layer, area.code)),
            Self::Pair([one, other]) => ("pair", format!("{one} | {other}")),
            Self::Place(rule) => ("place", rule.clone()),
        }
    }
}

/// What happened to the alert.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// The condition began to hold.
    Raised,
    /// It goes on, and this is how it stands now.
    Updated,
    /// The condition ended.
    Cleared,
    /// After a restart nobody watches over it any more: a note, and a proposal to void, not a statement that it ended.
    Retracted,
}

impl Transition {
    /// Whether the alert is open after it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Raised | Self::Updated)
    }

    /// As it stands in messages, rows and figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Updated => "updated",
            Self::Cleared => "cleared",
            Self::Retracted => "retracted",
        }
    }
}

/// One transition of an alert.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// 32 hex digits: the first half of SHA-256 over rule id, subject and first offending record (`ALR-1`).
    pub id: String,
    /// 1 for the raise, then rising by one (`ALR-2`).
    pub seq: u32,
    /// What happened to it.
    pub transition: Transition,
    /// Generation of the process that wrote it; lower ones are not heard behind a fence ([`crate::generation`]).
    #[serde(default)]
    pub generation: u32,
    /// Rule id.
    pub rule: String,
    /// Rule version in force.
    pub rule_version: u32,
    /// Rule kind (`threshold`, `fence`, …).
    pub kind: String,
    /// How bad.
    pub severity: Severity,
    /// How soon something must be done.
    #[serde(default)]
    pub urgency: Urgency,
    /// How sure it is.
    #[serde(default)]
    pub certainty: Certainty,
    /// Title of the rule.
    pub title: Text,
    /// Whom it is about.
    pub subject: Subject,
    /// Event time of the transition, epoch milliseconds.
    pub time: i64,
    /// Event time of the raise, epoch milliseconds.
    pub raised_at: i64,
    /// Append time of the record that caused the transition, epoch milliseconds.
    pub appended_at: i64,
    /// The record that caused the transition.
    pub cause: RecordId,
    /// Where, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Areas that contain the position, leaf first, every layer and level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<AreaRef>,
    /// For thresholds: the value's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// The value seen: of a threshold the value, of rules over several entities how many there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The level crossed: of a threshold, or the number that raises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<f64>,
    /// The records that raised it, oldest first, [`MOST_EVIDENCE`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<RecordId>,
    /// More raises of this rule than this in a minute are a storm; the deployment's limit when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm_per_minute: Option<u32>,
    /// Whether the subject is simulated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

/// Records named as evidence of an alert: the newest of them.
pub const MOST_EVIDENCE: usize = 20;
