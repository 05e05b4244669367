//! What is taken: bytes in, a record ready for Kafka out, or the reason why not. Pure; the time is a parameter.
//!
//! `GTW-2` nothing is written that the readers of the topic would reject: the same decoder, the same reference system, the
//! same limit on future times. Bytes are passed on as they came, but for a report's missing id.

use gridwarden_domain::crs::Crs;
use gridwarden_domain::decode::{Admission, Decoder, Encoding, admit};
use gridwarden_domain::reject::{Code, Reason};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// A record ready to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ready<'a> {
    /// Key: the source, or the report's id.
    pub key: String,
    /// Value.
    pub payload: Cow<'a, [u8]>,
    /// How it is written.
    pub encoding: Encoding,
}

/// Checks an observation.
pub fn observation(encoding: Encoding, payload: &[u8], crs: Crs, now_ms: i64) -> Result<Ready<'_>, Reason> {
    let observation = Decoder::observations().observation_as(encoding, payload, crs)?;
    in_time(observation.time_ms, now_ms)?;
    Ok(Ready { key: observation.source.into_owned(), payload: Cow::Borrowed(payload), encoding })
}

/// Checks a report; `id` is given to it when it has none.
pub fn report(payload: &[u8], crs: Crs, now_ms: i64, id: impl FnOnce() -> String) -> Result<Ready<'_>, Reason> {
    let decoder = Decoder::reports();
    let (report, payload) = match decoder.report_in(payload, crs) {
        Ok(report) => (report, Cow::Borrowed(payload)),
        Err(reason) if reason.code == Code::MissingField && reason.field == "id" => {
            let with_id = insert_id(payload, &id()).ok_or(reason)?;
            (decoder.report_in(&with_id, crs)?, Cow::Owned(with_id))
        }
        Err(reason) => return Err(reason),
    };
    in_time(report.time, now_ms)?;
    Ok(Ready { key: report.id, payload, encoding: Encoding::Json })
}

/// A record without age limit: late ones are taken and counted as late where they are read; future ones are not.
fn in_time(time_ms: i64, now_ms: i64) -> Result<(), Reason> {
    match admit(time_ms, now_ms, None) {
        Admission::Accept | Admission::Late => Ok(()),
        Admission::Reject(reason) => Err(reason),
    }
}

/// The object with one more member in front. `id` is of our own making and needs no escape.
fn insert_id(payload: &[u8], id: &str) -> Option<Vec<u8>> {
    let open = payload.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let (head, tail) = payload.split_at_checked(open + 1)?;
    if !head.ends_with(b"{") {
        return None;
    }
    let comma: &[u8] = if tail.trim_ascii_start().starts_with(b"}") { b"" } else { b"," };
    Some([head, b"\"id\":\"", id.as_bytes(), b"\"", comma, tail].concat())
}

/// An id that is the same whenever this feed sends this body under this idempotency key. The body counts, because a key that
/// is used again after its answer was forgotten must not make another report look like a repeat of the first.
pub fn id_of(feed: &str, idempotency_key: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [feed.as_bytes(), b"\n", idempotency_key.as_bytes(), b"\n", body] {
        hash.update(part);
    }
    let digest = hash.finalize();
    format!("gw-{}", hex::encode(digest.get(..16).unwrap_or_default()))
}

/// The lines of a batch that are not blank: (number, 1-based; bytes without the line's end).
pub fn lines(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..)
        .zip(body.split(|byte| *byte == b'\n'))
        .map(|(number, line)| (number, line.trim_ascii()))
        .filter(|(_, l)| !l.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000_000;

    fn observed(text: &str) -> Result<Ready<'_>, Reason> {
        observation(Encoding::Json, text.as_bytes(), Crs::Wgs84, NOW)
    }

    fn code(result: Result<Ready<'_>, Reason>) -> (Code, String) {
        result.map_err(|reason| (reason.code, reason.field)).expect_err("refused")
    }

    const REPORT: &str =
        r#"{"channel":"citizen","class":{"catalogue":"c","kind":"event","code":"1"},"time":1800000000000}"#;

    #[test]
    fn an_observation_is_passed_on_as_it_came() {
        let text = r#" {"source":"a-1","kind":"air","time":1800000000000,"values":{"pm25":3.5},"extra":[1]} "#;
        let ready = observed(text).expect("taken");
        assert_eq!((ready.key.as_str(), &*ready.payload), ("a-1", text.as_bytes()));
    }

    #[test]
    fn refusals_name_the_field() {
        assert_eq!(code(observed(r#"{"kind":"air","time":1}"#)), (Code::MissingField, "source".into()));
        assert_eq!(code(observed("{")).0, Code::Malformed);
        let future = format!(r#"{{"source":"a","kind":"air","time":{}}}"#, NOW + 60_001);
        assert_eq!(code(observed(&future)).0, Code::FutureTime);
        assert_eq!(code(observed(r#"{"source":"a","kind":"air","time":1,"crs":"EPSG:4326"}"#)).0, Code::UnsupportedCrs);
    }

    #[test]
    fn an_observation_in_protobuf_is_passed_on_as_it_came() {
        let payload = [b"\x12\x03a-1\x1a\x03air\x20".as_slice(), b"\x80\xa0\xf1\xc2\xb1\x34"].concat();
        let ready = observation(Encoding::Protobuf, &payload, Crs::Wgs84, NOW).expect("taken");
        assert_eq!((ready.key.as_str(), &*ready.payload, ready.encoding), ("a-1", &payload[..], Encoding::Protobuf));
        assert_eq!(code(observation(Encoding::Json, &payload, Crs::Wgs84, NOW)).0, Code::NotUtf8);
        assert_eq!(code(observation(Encoding::Protobuf, b"{}", Crs::Wgs84, NOW)).0, Code::Malformed);
    }

    #[test]
    fn a_report_without_id_gets_one_and_keeps_its_own() {
        let given = report(REPORT.as_bytes(), Crs::Wgs84, NOW, || "gw-1".into()).expect("taken");
        assert_eq!(given.key, "gw-1");
        assert!(given.payload.starts_with(br#"{"id":"gw-1","channel""#));
        let own = REPORT.replacen('{', r#"{"id":"r-7","#, 1);
        let kept = report(own.as_bytes(), Crs::Wgs84, NOW, || "gw-1".into()).expect("taken");
        assert_eq!((kept.key.as_str(), &*kept.payload), ("r-7", own.as_bytes()));
        for text in ["{}", " ", "[]", "7", r#"{"id":7}"#, r#"{"id":""}"#] {
            assert!(report(text.as_bytes(), Crs::Wgs84, NOW, || "gw-1".into()).is_err(), "{text}");
        }
    }

    #[test]
    fn ids_follow_feed_key_and_body() {
        let id = id_of("a", "k", b"1");
        assert_eq!((id.as_str(), id.len()), (id_of("a", "k", b"1").as_str(), 35));
        for other in [id_of("b", "k", b"1"), id_of("a", "l", b"1"), id_of("a", "k", b"2")] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn blank_lines_count_but_are_not_records() {
        let found: Vec<_> = lines(b"a\r\n\n  \nb").collect();
        assert_eq!(found, [(1, b"a".as_slice()), (4, b"b")]);
        assert_eq!(lines(b"").count(), 0);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_taken_or_refused_with_a_short_reason(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let observed = [Encoding::Json, Encoding::Protobuf].map(|encoding| observation(encoding, &bytes, Crs::Wgs84, NOW));
            for result in observed.into_iter().chain([report(&bytes, Crs::Wgs84, NOW, || "gw-1".into())]) {
                if let Err(reason) = result {
                    prop_assert!(reason.detail.len() <= 300 && !reason.detail.is_empty());
                }
            }
        }
    }
}
