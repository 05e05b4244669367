//! The webhook's message: id, type and body of one transition. Pure, and the same bytes for every attempt.

use gridwarden_domain::alert::{Alert, Transition};
use jiff::Timestamp;
use serde::Serialize;

/// Content of a webhook after Standard Webhooks: `{"type", "timestamp", "data"}`.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: &'a Alert,
}

/// The event's type.
pub fn kind(transition: Transition) -> &'static str {
    match transition {
        Transition::Raised => "alert.raised",
        Transition::Updated => "alert.updated",
        Transition::Cleared => "alert.cleared",
        Transition::Retracted => "alert.retracted",
    }
}

/// The message's id: the same over all attempts and all endpoints.
pub fn id(alert: &Alert) -> String {
    format!("{}.{}", alert.id, alert.seq)
}

/// RFC 3339 in UTC; the epoch for a time out of range, which no admitted record has.
pub fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// The body. `timestamp` is the event time of the transition.
pub fn body(alert: &Alert) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Body { kind: kind(alert.transition), timestamp: rfc3339(alert.time), data: alert })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use serde_json::Value;

    #[test]
    fn the_three_members_and_the_alert_as_it_stands_in_the_topic() {
        let alert = sample::alert(2);
        let body: Value = serde_json::from_slice(&body(&alert).expect("json")).expect("json");
        let members: Vec<&str> = body.as_object().expect("object").keys().map(String::as_str).collect();
        assert_eq!(members, ["data", "timestamp", "type"]);
        assert_eq!(body["type"], "alert.cleared");
        assert_eq!(body["timestamp"], "2027-01-15T08:00:00.002Z");
        assert_eq!(serde_json::from_value::<Alert>(body["data"].clone()).expect("alert"), alert);
        assert_eq!(id(&alert), "00112233445566778899aabbccddeeff.2");
    }
}
