//! Rejects in words, for people and for programs.

use crate::moment;
use gridwarden_store::read::Rejected;
use serde_json::{Value, json};

/// Bytes of a line of a hex dump.
const DUMPED: usize = 16;

/// Where it stood first.
pub(super) fn place(rejected: &Rejected) -> String {
    format!("{}/{}/{}", rejected.topic, rejected.partition, rejected.offset)
}

/// Field and sentence.
pub(super) fn why(rejected: &Rejected) -> String {
    match rejected.field.as_str() {
        "" => rejected.detail.clone(),
        field => format!("{field}: {}", rejected.detail),
    }
}

/// What became of it when it was sent again, if it was.
pub(super) fn fate(rejected: &Rejected) -> Option<String> {
    match (rejected.taken > 0, rejected.attempts) {
        (true, _) => Some(format!("taken at offset {}", rejected.taken_offset)),
        (false, ..=1) => None,
        (false, attempts) => Some(format!("rejected {attempts} times, last at offset {}", rejected.last_offset)),
    }
}

/// One line.
pub(super) fn line(rejected: &Rejected) -> String {
    let fate = fate(rejected).map(|fate| format!("  [{fate}]")).unwrap_or_default();
    let (place, moment) = (place(rejected), moment::said(rejected.appended_ms));
    format!("{moment}  {place:<28}  {:<20}  {}{fate}", rejected.code, why(rejected))
}

/// For programs.
pub(super) fn json(rejected: &Rejected) -> Value {
    json!({
        "topic_id": rejected.topic_id, "partition": rejected.partition, "offset": rejected.offset,
        "topic": rejected.topic,
        "reason": { "code": rejected.code, "field": rejected.field, "detail": rejected.detail },
        "appended_at": rejected.appended_ms, "first_seen": rejected.first_seen_ms,
        "attempts": rejected.attempts, "last_offset": rejected.last_offset, "bytes": rejected.length,
        "taken_offset": (rejected.taken > 0).then_some(rejected.taken_offset),
    })
}

/// Bytes as text where they are one, else as a dump.
pub(super) fn bytes(payload: &[u8]) -> String {
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\t' | '\r');
    match std::str::from_utf8(payload) {
        Ok(text) if text.chars().all(printable) => text.to_owned(),
        _ => dump(payload),
    }
}

fn dump(payload: &[u8]) -> String {
    let mut lines = Vec::with_capacity(payload.len() / DUMPED + 1);
    for (number, line) in payload.chunks(DUMPED).enumerate() {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = line
            .iter()
            .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' })
            .collect();
        lines.push(format!("{:08x}  {:<47}  {text}", number * DUMPED, hex.join(" ")));
    }
    lines.join("\n")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::rejects) fn rejected() -> Rejected {
        Rejected {
            topic_id: "0".repeat(32),
            partition: 1,
            offset: 77,
            topic: "observations.v1".to_owned(),
            code: "missing_field".to_owned(),
            field: "source".to_owned(),
            detail: "is required".to_owned(),
            appended_ms: 1_780_000_000_000,
            first_seen_ms: 1_780_000_000_950,
            attempts: 1,
            last_offset: 77,
            length: 9,
            taken: 0,
            taken_offset: 0,
        }
    }

    #[test]
    fn a_line_says_when_where_why_and_what_became_of_it() {
        let first = rejected();
        let said = |rejected: &Rejected| line(rejected).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(said(&first), "2026-05-28T20:26:40Z observations.v1/1/77 missing_field source: is required");
        let again = Rejected { attempts: 3, last_offset: 90, ..first.clone() };
        assert!(said(&again).ends_with("is required [rejected 3 times, last at offset 90]"));
        let taken = Rejected { taken: 1, taken_offset: 91, ..again };
        assert!(said(&taken).ends_with("[taken at offset 91]"));
        assert_eq!(json(&taken)["taken_offset"], 91);
        assert_eq!(json(&first)["taken_offset"], Value::Null);
    }

    #[test]
    fn bytes_are_text_where_they_are_one() {
        assert_eq!(bytes("{\n\t数}".as_bytes()), "{\n\t数}");
        assert_eq!(bytes(b""), "");
        assert_eq!(bytes(b"a\x00b"), "00000000  61 00 62                                         a.b");
        let dumped = bytes(&[0xff; 17]);
        assert_eq!(dumped.lines().count(), 2);
        assert!(dumped.contains("\n00000010  ff "), "{dumped}");
    }
}
