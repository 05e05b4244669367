//! An alert for unit tests.

use gridwarden_domain::alert::{Alert, Subject, Transition};
use gridwarden_domain::identity::{RecordId, TopicId};
use gridwarden_domain::rule::{Certainty, Severity, Urgency};
use gridwarden_domain::text::Text;

/// The `seq`th transition of one alert: raised when odd, cleared when even.
pub(crate) fn alert(seq: u32) -> Alert {
    Alert {
        id: "00112233445566778899aabbccddeeff".into(),
        seq,
        transition: if seq % 2 == 1 { Transition::Raised } else { Transition::Cleared },
        generation: 0,
        rule: "pm25-high".into(),
        rule_version: 1,
        kind: "threshold".into(),
        severity: Severity::Major,
        urgency: Urgency::default(),
        certainty: Certainty::default(),
        title: Text { en: "PM2.5 high".into(), zh: String::new() },
        subject: Subject::Entity("air-1".into()),
        time: 1_800_000_000_000 + i64::from(seq),
        raised_at: 1_800_000_000_001,
        appended_at: 1_800_000_000_500,
        cause: RecordId { topic_id: TopicId(1), partition: 0, offset: 7 },
        position: None,
        areas: Vec::new(),
        metric: Some("pm25".into()),
        value: Some(151.0),
        level: Some(150.0),
        evidence: Vec::new(),
        storm_per_minute: None,
        simulated: false,
    }
}
