//! What becomes of a record: an observation, a report, a reject, or a marker. Pure; everything it asks is a parameter.
//!
//! `ARC-5` every record becomes exactly one of these, and each leaves exactly one row.

use gridwarden_domain::city::Feed;
use gridwarden_domain::crs::Crs;
use gridwarden_domain::decode::{Admission, Decoder, admit, content_type};
use gridwarden_domain::mapping::Target;
use gridwarden_domain::observation::ObservationRef;
use gridwarden_domain::origin::Origin;
use gridwarden_domain::reject::{Code, Reason};
use gridwarden_domain::report::Report;

/// What is needed of a record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope<'a> {
    /// Value.
    pub payload: Option<&'a [u8]>,
    /// Header `feed`.
    pub feed: Option<&'a [u8]>,
    /// Header `content-type`.
    pub content_type: Option<&'a [u8]>,
    /// Header `end`.
    pub end: Option<&'a [u8]>,
    /// Header `origin`.
    pub origin: Option<&'a [u8]>,
    /// Header by which a test asks for a panic.
    #[cfg(debug_assertions)]
    pub fault: Option<&'a [u8]>,
    /// Append time, epoch milliseconds.
    pub appended_ms: i64,
}

/// What is known of the feeds.
#[derive(Clone, Debug)]
pub struct Feeds {
    feeds: Vec<Feed>,
    max_age_ms: i64,
}

/// What a feed's records are measured by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Measure {
    max_age_ms: Option<i64>,
    /// `None`: what the decoder says.
    crs: Option<Crs>,
}

impl Feeds {
    /// The city's feeds and its age limit.
    pub fn new(feeds: Vec<Feed>, max_age_days: u32) -> Self {
        Self { feeds, max_age_ms: i64::from(max_age_days) * 86_400_000 }
    }

    /// A feed nobody described is measured like the live one without a name.
    fn measure(&self, name: &str) -> Measure {
        let known = self.feeds.iter().find(|feed| feed.name == name);
        let historical = known.is_some_and(|feed| feed.historical);
        Measure { max_age_ms: (!historical).then_some(self.max_age_ms), crs: known.map(|feed| feed.crs) }
    }
}

/// What becomes of a record.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time on the stack; a box would be an allocation per event")]
pub enum Verdict<'a> {
    /// A row of observations.
    Observation {
        /// Feed, empty for live ones.
        feed: &'a str,
        /// What was said.
        said: ObservationRef<'a>,
        /// Older than the age limit.
        late: bool,
    },
    /// A row of reports.
    Report {
        /// Feed, empty for live ones.
        feed: &'a str,
        /// What was said.
        said: Box<Report>,
        /// Older than the age limit.
        late: bool,
    },
    /// A row of rejects.
    Reject(Reason),
    /// The end of a feed on this partition: nothing to archive, but a place in the log that was read.
    Marker {
        /// The feed that ends.
        feed: &'a str,
    },
}

/// Decides. `decoder` is the topic's.
pub fn judge<'a>(decoder: &Decoder, feeds: &Feeds, envelope: &Envelope<'a>) -> Verdict<'a> {
    if let (Some(feed), None) = (envelope.end, envelope.payload) {
        return Verdict::Marker { feed: std::str::from_utf8(feed).unwrap_or_default() };
    }
    read(decoder, feeds, envelope).unwrap_or_else(Verdict::Reject)
}

fn read<'a>(decoder: &Decoder, feeds: &Feeds, envelope: &Envelope<'a>) -> Result<Verdict<'a>, Reason> {
    let Some(payload) = envelope.payload else {
        return Err(Reason::new(Code::EmptyPayload, "", "the record has no value"));
    };
    let encoding = content_type(envelope.content_type)?;
    let feed = std::str::from_utf8(envelope.feed.unwrap_or_default())
        .map_err(|_| Reason::new(Code::NotUtf8, "header feed", "the header is not UTF-8"))?;
    envelope.origin.map(Origin::parse).transpose()?;
    let measure = feeds.measure(feed);
    match decoder.target() {
        Target::Observations => {
            let said = decoder.observation_as(encoding, payload, measure.crs.unwrap_or(decoder.default_crs()))?;
            let late = is_late(said.time_ms, envelope.appended_ms, measure)?;
            Ok(Verdict::Observation { feed, said, late })
        }
        Target::Reports => {
            let said = decoder.report_as(encoding, payload, measure.crs.unwrap_or(decoder.default_crs()))?;
            let late = is_late(said.time, envelope.appended_ms, measure)?;
            Ok(Verdict::Report { feed, said: Box::new(said), late })
        }
    }
}

fn is_late(time_ms: i64, appended_ms: i64, measure: Measure) -> Result<bool, Reason> {
    match admit(time_ms, appended_ms, measure.max_age_ms) {
        Admission::Accept => Ok(false),
        Admission::Late => Ok(true),
        Admission::Reject(reason) => Err(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_780_000_000_000;

    fn feeds() -> Feeds {
        let past =
            Feed { name: "past".to_owned(), token_sha256: None, may: Vec::new(), crs: Crs::Wgs84, historical: true };
        Feeds::new(vec![past], 7)
    }

    fn observation(time_ms: i64) -> Vec<u8> {
        format!(r#"{{"source":"s","kind":"air","time":{time_ms},"values":{{"pm25":1}}}}"#).into_bytes()
    }

    /// `ok`, `late`, `marker`, or the code of the reject.
    fn verdict(envelope: &Envelope<'_>) -> &'static str {
        match judge(&Decoder::observations(), &feeds(), envelope) {
            Verdict::Observation { late: false, .. } => "ok",
            Verdict::Observation { late: true, .. } => "late",
            Verdict::Report { .. } => "report",
            Verdict::Reject(reason) => reason.code.as_str(),
            Verdict::Marker { .. } => "marker",
        }
    }

    fn of(payload: &[u8]) -> Envelope<'_> {
        Envelope { payload: Some(payload), appended_ms: NOW, ..Envelope::default() }
    }

    #[test]
    fn age_is_measured_by_the_feed() {
        let (fresh, old, ahead) = (observation(NOW), observation(NOW - 8 * 86_400_000), observation(NOW + 61_000));
        assert_eq!(verdict(&of(&fresh)), "ok");
        assert_eq!(verdict(&of(&old)), "late");
        assert_eq!(verdict(&Envelope { feed: Some(b"past"), ..of(&old) }), "ok");
        assert_eq!(verdict(&Envelope { feed: Some(b"unknown"), ..of(&old) }), "late");
        assert_eq!(verdict(&Envelope { feed: Some(b"past"), ..of(&ahead) }), "future_time");
    }

    #[test]
    fn a_record_without_value_is_a_marker_only_when_it_says_so() {
        let empty = Envelope { appended_ms: NOW, ..Envelope::default() };
        assert_eq!(verdict(&empty), "empty_payload");
        assert_eq!(verdict(&Envelope { end: Some(b"past"), ..empty }), "marker");
        let fresh = observation(NOW);
        assert_eq!(verdict(&Envelope { end: Some(b"past"), ..of(&fresh) }), "ok");
    }

    #[test]
    fn headers_can_spoil_a_record() {
        let fresh = observation(NOW);
        assert_eq!(verdict(&Envelope { feed: Some(b"\xff"), ..of(&fresh) }), "not_utf8");
        assert_eq!(
            verdict(&Envelope { content_type: Some(b"application/avro"), ..of(&fresh) }),
            "unsupported_encoding"
        );
        assert_eq!(verdict(&Envelope { content_type: Some(b"application/x-protobuf"), ..of(&fresh) }), "malformed");
        assert_eq!(verdict(&of(b"{")), "malformed");
        assert_eq!(verdict(&Envelope { origin: Some(b"somewhere"), ..of(&fresh) }), "invalid_value");
        assert_eq!(verdict(&Envelope { origin: Some(b"00112233445566778899aabbccddeeff/0/1/2"), ..of(&fresh) }), "ok");
    }
}
