//! Rows of `alerts` and `deliveries`: what `dispatch` writes.

use super::sealed;
use crate::native::{BOOL, Declared, Encoder, Kind, MILLIS, NULLABLE_F64, NULLABLE_MILLIS, U16, U32, U64, UUID};
use gridwarden_domain::{alert::Alert, rule::Severity};

pub(super) const SEVERITY: Kind = Kind::Fixed(1, "Enum8('warning' = 1, 'minor' = 2, 'major' = 3, 'critical' = 4)");

/// A severity as its column holds it.
pub(super) fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Warning => 1,
        Severity::Minor => 2,
        Severity::Major => 3,
        Severity::Critical => 4,
    }
}

/// One transition of an alert.
pub struct AlertRow<'a>(
    /// The alert as it stands in the topic.
    pub &'a Alert,
);

/// Table `alerts_rows`.
pub struct Alerts;

impl sealed::Table for Alerts {
    type Row<'a> = AlertRow<'a>;
    const NAME: &'static str = "alerts_rows";
    const COLUMNS: &'static [Declared] = &[
        ("id", Kind::Text),
        ("seq", U32),
        ("transition", Kind::Low),
        ("generation", U32),
        ("rule", Kind::Low),
        ("rule_version", U32),
        ("kind", Kind::Low),
        ("severity", SEVERITY),
        ("title_en", Kind::Text),
        ("title_zh", Kind::Text),
        ("subject_kind", Kind::Low),
        ("subject", Kind::Text),
        ("time", MILLIS),
        ("raised_at", MILLIS),
        ("appended_at", MILLIS),
        ("topic_id", UUID),
        ("partition", U32),
        ("offset", U64),
        ("lon", NULLABLE_F64),
        ("lat", NULLABLE_F64),
        ("area_layers", Kind::Lows),
        ("area_codes", Kind::Texts),
        ("metric", Kind::Text),
        ("value", NULLABLE_F64),
        ("level", NULLABLE_F64),
        ("simulated", BOOL),
        ("urgency", Kind::Low),
        ("certainty", Kind::Low),
        ("evidence", Kind::Texts),
    ];

    fn encode(row: &AlertRow<'_>, out: &mut Encoder<'_>) {
        let alert = row.0;
        out.str(&alert.id);
        out.u32(alert.seq);
        out.str(alert.transition.as_str());
        out.u32(alert.generation);
        out.str(&alert.rule);
        out.u32(alert.rule_version);
        out.str(&alert.kind);
        out.u8(severity(alert.severity));
        out.str(&alert.title.en);
        out.str(&alert.title.zh);
        let (kind, subject) = alert.subject.named();
        out.str(kind);
        out.str(&subject);
        out.i64(alert.time);
        out.i64(alert.raised_at);
        out.i64(alert.appended_at);
        out.record(alert.cause);
        out.nullable_f64(alert.position.map(|p| p.lon));
        out.nullable_f64(alert.position.map(|p| p.lat));
        out.strs(alert.areas.iter().map(|area| area.layer.as_str()));
        out.strs(alert.areas.iter().map(|area| area.code.as_str()));
        out.str(alert.metric.as_deref().unwrap_or(""));
        out.nullable_f64(alert.value);
        out.nullable_f64(alert.level);
        out.bool(alert.simulated);
        out.str(alert.urgency.as_str());
        out.str(alert.certainty.as_str());
        let evidence: Vec<String> = alert.evidence.iter().map(ToString::to_string).collect();
        out.strs(evidence.iter().map(String::as_str));
    }
}

/// Where a delivery stands. Later states outrank earlier ones of the same attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryState {
    /// Will be tried, or tried again.
    Waiting,
    /// Not sent on purpose (endpoint disabled, filtered).
    Skipped,
    /// Given up.
    Failed,
    /// Answered 2xx.
    Delivered,
}

impl DeliveryState {
    /// The state as it stands in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
        }
    }

    fn rank(self) -> u64 {
        match self {
            Self::Waiting => 0,
            Self::Skipped => 1,
            Self::Failed => 2,
            Self::Delivered => 3,
        }
    }
}

/// The ledger's line for one alert transition and one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryRow<'a> {
    /// Alert id.
    pub alert: &'a str,
    /// Transition of the alert.
    pub seq: u32,
    /// Endpoint id.
    pub endpoint: &'a str,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts made so far; with `state` it makes the row's version.
    pub attempts: u32,
    /// Last HTTP status, 0 when there was no answer.
    pub status: u16,
    /// What happened last, in words.
    pub detail: &'a str,
    /// First attempt, epoch milliseconds.
    pub first_ms: i64,
    /// Last attempt, epoch milliseconds.
    pub last_ms: i64,
    /// Next attempt, epoch milliseconds.
    pub next_ms: Option<i64>,
}

/// Table `deliveries_rows`.
pub struct Deliveries;

impl sealed::Table for Deliveries {
    type Row<'a> = DeliveryRow<'a>;
    const NAME: &'static str = "deliveries_rows";
    const COLUMNS: &'static [Declared] = &[
        ("alert", Kind::Text),
        ("seq", U32),
        ("endpoint", Kind::Low),
        ("version", U64),
        ("state", Kind::Low),
        ("attempts", U32),
        ("status", U16),
        ("detail", Kind::Text),
        ("first_at", MILLIS),
        ("last_at", MILLIS),
        ("next_at", NULLABLE_MILLIS),
    ];

    fn encode(row: &DeliveryRow<'_>, out: &mut Encoder<'_>) {
        out.str(row.alert);
        out.u32(row.seq);
        out.str(row.endpoint);
        out.u64(u64::from(row.attempts) * 4 + row.state.rank());
        out.str(row.state.as_str());
        out.u32(row.attempts);
        out.u16(row.status);
        out.str(row.detail);
        out.i64(row.first_ms);
        out.i64(row.last_ms);
        out.nullable_i64(row.next_ms);
    }
}
