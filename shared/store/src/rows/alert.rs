//! Rows of `alerts` and `deliveries`: what `dispatch` writes.

use super::sealed;
use crate::encode::Encoder;
use gridwarden_domain::{
    alert::{Alert, AreaRef, Subject},
    rule::Severity,
};

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
    const COLUMNS: &'static str = "id, seq, transition, generation, rule, rule_version, kind, severity, title_en, \
        title_zh, subject_kind, subject, time, raised_at, appended_at, topic_id, partition, offset, lon, lat, \
        area_layers, area_codes, metric, value, level, simulated";

    fn encode(row: &AlertRow<'_>, out: &mut Encoder<'_>) {
        let alert = row.0;
        out.str(&alert.id);
        out.u32(alert.seq);
        out.str(alert.transition.as_str());
        out.u32(alert.generation);
        out.str(&alert.rule);
        out.u32(alert.rule_version);
        out.str(&alert.kind);
        out.u8(match alert.severity {
            Severity::Warning => 1,
            Severity::Minor => 2,
            Severity::Major => 3,
            Severity::Critical => 4,
        });
        out.str(&alert.title.en);
        out.str(&alert.title.zh);
        subject(out, &alert.subject);
        out.i64(alert.time);
        out.i64(alert.raised_at);
        out.i64(alert.appended_at);
        out.record(alert.cause);
        out.nullable(alert.position.map(|p| p.lon), Encoder::f64);
        out.nullable(alert.position.map(|p| p.lat), Encoder::f64);
        out.array(alert.areas.iter(), |e, area| e.str(&area.layer));
        out.array(alert.areas.iter(), |e, area| e.str(&area.code));
        out.str(alert.metric.as_deref().unwrap_or(""));
        out.nullable(alert.value, Encoder::f64);
        out.nullable(alert.level, Encoder::f64);
        out.bool(alert.simulated);
    }
}

/// `subject_kind, subject`.
fn subject(out: &mut Encoder<'_>, subject: &Subject) {
    match subject {
        Subject::Entity(id) => {
            out.str("entity");
            out.str(id);
        }
        Subject::Area(AreaRef { layer, code }) => {
            out.str("area");
            out.str(&format!("{layer}/{code}"));
        }
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
    const COLUMNS: &'static str =
        "alert, seq, endpoint, version, state, attempts, status, detail, first_at, last_at, next_at";

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
        out.nullable(row.next_ms, Encoder::i64);
    }
}
