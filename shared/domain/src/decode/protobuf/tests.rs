//! JSON and Protobuf of one observation are decoded to the same, the two paths agree, and so does what others write (`prost`).

use super::{fill, observation, protobuf_of};
use crate::{
    crs::Crs,
    decode::{Decoder, Encoding},
    observation::{Observation, ObservationRef, Position},
    reject::{Code, Reason},
};
use proptest::prelude::*;
use prost::Message;
use std::collections::BTreeMap;

/// The contract, as prost sees it.
#[derive(Clone, PartialEq, Message)]
struct Theirs {
    #[prost(string, optional, tag = "1")]
    id: Option<String>,
    #[prost(string, optional, tag = "2")]
    source: Option<String>,
    #[prost(string, optional, tag = "3")]
    kind: Option<String>,
    #[prost(int64, optional, tag = "4")]
    time: Option<i64>,
    #[prost(message, optional, tag = "5")]
    position: Option<TheirPosition>,
    #[prost(string, optional, tag = "6")]
    crs: Option<String>,
    #[prost(btree_map = "string, double", tag = "7")]
    values: BTreeMap<String, f64>,
    #[prost(btree_map = "string, string", tag = "8")]
    attributes: BTreeMap<String, String>,
    #[prost(string, optional, tag = "99")]
    unknown: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct TheirPosition {
    #[prost(double, optional, tag = "1")]
    lon: Option<f64>,
    #[prost(double, optional, tag = "2")]
    lat: Option<f64>,
    #[prost(float, optional, tag = "3")]
    accuracy_m: Option<f32>,
}

impl Theirs {
    /// The same in JSON; what is not finite cannot be written there.
    fn json(&self) -> Option<String> {
        let mut fields = serde_json::Map::new();
        let texts = [("id", &self.id), ("source", &self.source), ("kind", &self.kind), ("crs", &self.crs)];
        for (name, text) in texts {
            fields.extend(text.as_ref().map(|text| (name.to_owned(), text.as_str().into())));
        }
        fields.extend(self.time.map(|time| ("time".to_owned(), time.into())));
        if let Some(position) = &self.position {
            let mut inner = serde_json::Map::new();
            for (name, number) in [("lon", position.lon), ("lat", position.lat)] {
                inner.extend(number.map(|number| (name.to_owned(), number.into())));
            }
            inner.extend(position.accuracy_m.map(|metres| ("accuracy_m".to_owned(), f64::from(metres).into())));
            fields.insert("position".to_owned(), inner.into());
        }
        let place = self.position.iter();
        let place = place.flat_map(|place| [place.lon, place.lat, place.accuracy_m.map(f64::from)]).flatten();
        let all = place.chain(self.values.values().copied()).all(f64::is_finite);
        fields.insert("values".to_owned(), serde_json::json!(self.values));
        fields.insert("attributes".to_owned(), serde_json::json!(self.attributes));
        all.then(|| serde_json::Value::Object(fields).to_string())
    }
}

fn read(payload: &[u8]) -> Result<ObservationRef<'_>, Reason> {
    Decoder::observations().observation_as(Encoding::Protobuf, payload, Crs::Wgs84)
}

/// The fast path may leave a message to the slow one, but never read it differently (`DEC-1`).
fn check(payload: &[u8]) -> bool {
    let mut fast = ObservationRef::empty();
    for crs in [Crs::Wgs84, Crs::Gcj02] {
        if fill(payload, crs, &mut fast).is_some() {
            assert_eq!(Ok(fast.clone()), observation(payload, crs), "{payload:02x?}");
        }
    }
    fill(payload, Crs::Wgs84, &mut fast).is_some()
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z0-9]{1,12}", 1 => "\\PC{0,20}", 1 => any::<String>()]
}

fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -200.0..200.0f64, 1 => any::<f64>(), 1 => Just(0.0)]
}

prop_compose! {
    fn positions()(
        lon in proptest::option::weighted(0.95, numbers()), lat in proptest::option::weighted(0.95, -95.0..95.0f64),
        accuracy_m in proptest::option::of(prop_oneof![4 => 0.0..50.0f32, 1 => any::<f32>()]),
    ) -> TheirPosition {
        TheirPosition { lon, lat, accuracy_m }
    }
}

prop_compose! {
    fn observations()(
        id in proptest::option::of(texts()),
        source in proptest::option::weighted(0.95, texts()),
        kind in proptest::option::weighted(0.95, prop_oneof![4 => "[a-z]{1,8}", 1 => "[a-z._-]{0,8}", 1 => Just("reports".to_owned())]),
        time in proptest::option::weighted(0.95, prop_oneof![4 => 0i64..4_000_000_000_000, 1 => any::<i64>()]),
        position in proptest::option::of(positions()),
        crs in proptest::option::of(prop_oneof![2 => Just("WGS-84"), 1 => Just("GCJ-02"), 2 => Just("CGCS2000"), 1 => Just("EPSG:4326")]),
        values in proptest::collection::btree_map(texts(), numbers(), 0..9),
        attributes in proptest::collection::btree_map(texts(), texts(), 0..6),
        unknown in proptest::option::of(texts()),
    ) -> Theirs {
        Theirs { id, source, kind, time, position, crs: crs.map(str::to_owned), values, attributes, unknown }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    /// One observation, two encodings: the same decoded form, or the same code of the same field.
    #[test]
    fn json_and_protobuf_say_the_same(theirs in observations()) {
        let bytes = theirs.encode_to_vec();
        check(&bytes);
        if let (false, Some(json)) = (bytes.is_empty(), theirs.json()) {
            let of_json = Decoder::observations().observation(json.as_bytes()).map_err(|reason| (reason.code, reason.field));
            let of_protobuf = read(&bytes).map_err(|reason| (reason.code, reason.field));
            match (of_json, of_protobuf) {
                (Ok(one), Ok(other)) => prop_assert_eq!(one, other, "{}", json),
                (one, other) => prop_assert_eq!(one.map(|_| ()), other.map(|_| ()), "{}", json),
            }
        }
    }

    /// Bytes spoilt anywhere are read alike by both paths, or refused with a reason that can be printed.
    #[test]
    fn spoilt_messages_are_read_alike(theirs in observations(), edits in proptest::collection::vec((0..200usize, 0..3usize, proptest::collection::vec(any::<u8>(), 0..3)), 1..4)) {
        let mut bytes = theirs.encode_to_vec();
        for (at, drop, insert) in edits {
            let at = at.min(bytes.len());
            let end = (at + drop).min(bytes.len());
            bytes.splice(at..end, insert);
        }
        check(&bytes);
        if let Err(reason) = read(&bytes) {
            prop_assert!(!reason.detail.is_empty() && reason.detail.len() <= 300 && reason.field.len() <= 200);
            prop_assert!(!reason.detail.contains(char::is_control) && !reason.field.contains(char::is_control));
        }
    }

    /// What this house writes others read, and it is what they would have written.
    #[test]
    fn what_is_written_is_read_by_others(
        source in "[a-z]{1,9}[é汉]?", time in 0i64..4_000_000_000_000, lon in -180.0..180.0f64, lat in -90.0..90.0f64,
        accuracy_m in proptest::option::of(0.0..9.0f32), id in proptest::option::of("[a-z]{1,5}"),
        values in proptest::collection::btree_map("[a-z]{1,6}", -1e9..1e9f64, 0..8),
        attributes in proptest::collection::btree_map("[a-z]{1,6}", "\\PC{1,30}", 0..6),
    ) {
        let position = Some(Position { lon, lat, accuracy_m });
        let ours = Observation { id, source, kind: "air".to_owned(), time, position, crs: Some(Crs::Cgcs2000), values, attributes };
        let bytes = protobuf_of(&ours);
        let theirs = Theirs::decode(&bytes[..]).expect("read by prost");
        prop_assert_eq!(theirs.encode_to_vec(), &bytes[..]);
        prop_assert!(check(&bytes), "the common shape is read fast");
        prop_assert_eq!(read(&bytes), crate::decode::observation_of(ours, Crs::Wgs84));
    }
}

#[test]
fn common_messages_need_no_heap() {
    let values = (0..6).map(|number| (format!("v{number}"), f64::from(number))).collect();
    let attributes = (0..4).map(|number| (format!("a{number}"), "数".to_owned())).collect();
    let position = Some(Position { lon: 0.0, lat: 0.0, accuracy_m: Some(0.0) });
    let (source, kind) = ("s".to_owned(), "air".to_owned());
    let ours = Observation { id: None, source, kind, time: 0, position, crs: None, values, attributes };
    let bytes = protobuf_of(&ours);
    assert!(check(&bytes));
    let read = read(&bytes).unwrap();
    let borrowed = |text: &std::borrow::Cow<'_, str>| matches!(text, std::borrow::Cow::Borrowed(_));
    assert!(!read.values.spilled() && !read.attributes.spilled() && borrowed(&read.source));
    assert!(
        read.values.iter().all(|(name, _)| borrowed(name))
            && read.attributes.iter().all(|(n, t)| borrowed(n) && borrowed(t))
    );
}

#[test]
fn zeros_and_empty_texts_that_entries_leave_out_are_there() {
    let mut theirs = Theirs { source: Some("s".into()), kind: Some("air".into()), time: Some(0), ..Theirs::default() };
    theirs.values.insert("still".to_owned(), 0.0);
    theirs.attributes.insert("note".to_owned(), String::new());
    let bytes = theirs.encode_to_vec();
    let read = read(&bytes).unwrap();
    assert!(check(&bytes));
    assert_eq!((read.values.len(), read.values[0].1.0, read.attributes[0].1.as_ref()), (1, 0, ""));
}

#[test]
fn only_observations_of_the_contract_come_in_protobuf() {
    let code = |result: Result<(), Reason>| result.expect_err("refused").code;
    let mapping = "target = \"observations\"\nformat = \"json\"\nfields = { source = \"s\", kind = \"k\", \
                   time = { from = \"t\", time = \"epoch_ms\" } }";
    let mapped = Decoder::mapped(crate::mapping::Mapping::parse(mapping, "m").expect("mapping"));
    let bytes = [0x12, 1, b's'];
    assert_eq!(
        code(mapped.observation_as(Encoding::Protobuf, &bytes, Crs::Wgs84).map(|_| ())),
        Code::UnsupportedEncoding
    );
    assert_eq!(
        code(Decoder::reports().report_as(Encoding::Protobuf, &bytes, Crs::Wgs84).map(|_| ())),
        Code::UnsupportedEncoding
    );
    assert_eq!(code(read(b"").map(|_| ())), Code::EmptyPayload);
    assert_eq!(code(read(&[0; 1024 * 1024 + 1]).map(|_| ())), Code::TooLarge);
}

/// The published document says what is read here.
#[test]
fn the_published_document_names_these_fields() {
    let document = include_str!("../../../../../infra/schema/proto/observation.proto");
    let fields = |message: &str| {
        let body = document.split_once(&format!("message {message} {{")).and_then(|(_, rest)| rest.split_once('}'));
        let lines = body.expect("the message").0.lines().map(str::trim).filter(|line| line.ends_with(';'));
        lines.map(|line| line.trim_end_matches(';').to_owned()).collect::<Vec<_>>()
    };
    let observation = [
        "optional string id = 1",
        "optional string source = 2",
        "optional string kind = 3",
        "optional int64 time = 4",
        "optional Position position = 5",
        "optional string crs = 6",
        "map<string, double> values = 7",
        "map<string, string> attributes = 8",
    ];
    assert_eq!(fields("Observation"), observation);
    assert_eq!(
        fields("Position"),
        ["optional double lon = 1", "optional double lat = 2", "optional float accuracy_m = 3"]
    );
}
