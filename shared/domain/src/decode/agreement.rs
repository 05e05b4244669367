//! `DEC-1`, tested: whatever the fast path reads, the slow path reads alike; and both against an independent reading.
#![allow(clippy::indexing_slicing, reason = "tests")]

use super::{Decoder, fast, tree};
use crate::{
    crs::Crs,
    observation::{Observation, ObservationRef},
    reject::Code,
};
use proptest::prelude::*;
use serde_json::Value;

fn read_fast(text: &str, crs: Crs) -> Option<ObservationRef<'_>> {
    let mut read = ObservationRef::empty();
    fast::fill(text, crs, &mut read).map(|()| read)
}

/// The fast path may leave a message to the slow one, but never read it differently.
fn check(text: &str) -> bool {
    for crs in [Crs::Wgs84, Crs::Gcj02] {
        if let Some(read) = read_fast(text, crs) {
            assert_eq!(Ok(read), tree::observation(text, crs), "{text}");
        }
    }
    read_fast(text, Crs::Wgs84).is_some()
}

const COMMON: &[&str] = &[
    r#"{"source":"air-1","kind":"air","time":1760000000123,"position":{"lon":121.473701,"lat":31.230416},"values":{"pm25":35.2,"no2":18}}"#,
    r#"{"kind":"vehicle","values":{"speed":11.5,"heading":270},"time":"2026-11-23T10:00:00.5+08:00","source":"v/1","position":{"lat":-31.2,"accuracy_m":4.5,"lon":-121.4},"attributes":{"plate":"沪A·12345","fw":"1.2"},"id":"a-1"}"#,
    r#" { "time" : 0 , "seq" : 17, "ok" : true, "note":"x", "none":null, "kind":"a-b_c-9", "source":" s ", "values":{ }, "crs":"CGCS2000" } "#,
    r#"{"source":"s","kind":"k","time":1,"attributes":{},"values":{"a":-0.0000005,"b":123456789.123456,"c":0.1234567,"d":-12}}"#,
    r#"{"net":{"rssi":-71,"cells":[ 1 , {"x":"}"},[],{ }] },"source":"s","more":[[[[[[[[1]]]]]]]],"kind":"k","time":1}"#,
];

const UNCOMMON: &[&str] = &[
    r#"{"source":"s","kind":"k","time":1,"values":{"a":1e2}}"#,
    r#"{"source":"s\u0041","kind":"k","time":1}"#,
    r#"{"source":"s","kind":"k","time":1,"more":{"deep":[1,{"x":"\n"}]}}"#,
    r#"{"source":"s","kind":"k","time":1,"more":[[[[[[[[[1]]]]]]]]]}"#,
    r#"{"source":"s","kind":"k","time":1,"id":null,"position":null}"#,
    r#"{"source":"s","kind":"k","time":1,"attributes":{"a":"line\nbreak"}}"#,
    r#"{"source":"s","kind":"k","time":1,"values":{"a":12345678901234567890.5e-9}}"#,
];

#[test]
fn the_common_shape_is_read_fast_and_the_rest_is_read_too() {
    for text in COMMON {
        assert!(check(text), "{text}");
    }
    for text in UNCOMMON {
        assert!(!check(text), "{text}");
        assert!(Decoder::observations().observation(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn common_messages_need_no_heap() {
    let read = Decoder::observations().observation(COMMON[1].as_bytes()).expect("read");
    assert!(!read.values.spilled() && !read.attributes.spilled());
    let borrowed = |text: &std::borrow::Cow<'_, str>| matches!(text, std::borrow::Cow::Borrowed(_));
    assert!(
        borrowed(&read.source)
            && borrowed(&read.kind)
            && read.attributes.iter().all(|(n, t)| borrowed(n) && borrowed(t))
    );
}

#[test]
fn reading_reports_from_a_topic_of_observations_is_refused() {
    let code =
        |result: Result<_, crate::reject::Reason>| result.map(|_: crate::report::Report| ()).expect_err("refused").code;
    assert_eq!(code(Decoder::observations().report(b"{}")), Code::WrongType);
    assert_eq!(Decoder::reports().observation(b"{}").expect_err("refused").code, Code::WrongType);
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9]{1,12}",
        1 => "\\PC{0,20}",
        1 => any::<String>(),
    ]
}

fn numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,7})?",
        1 => "-?[0-9]{1,20}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        1 => any::<f64>().prop_map(|number| format!("{number}")),
    ]
}

prop_compose! {
    fn fields()(
        id in proptest::option::of(texts()), source in texts(), kind in "[a-z._-]{0,8}",
        time in prop_oneof![numbers(), (0i64..5_000_000_000_000).prop_map(|ms| ms.to_string()), Just("\"2026-01-01T00:00:00Z\"".to_owned())],
        position in proptest::option::of((numbers(), numbers(), proptest::option::of(numbers()))),
        crs in proptest::option::of(prop_oneof![Just("WGS-84"), Just("GCJ-02"), Just("CGCS2000"), Just("EPSG:4326")]),
        values in proptest::collection::vec((texts(), numbers()), 0..9),
        attributes in proptest::collection::vec((texts(), texts()), 0..6),
        extra in proptest::option::of(prop_oneof![Just("1"), Just("\"a\""), Just("[1,2]"), Just("[ ]"), Just("[1,]"), Just("{\"a\":{}}"), Just("{\"a\":[{\"b\":1},null],\"a\":2}"), Just("{\"a\":1 2}"), Just("null"), Just("true")]),
    ) -> Vec<String> {
        let quoted = |text: &str| serde_json::to_string(text).expect("text");
        let mut fields = vec![format!("\"source\":{}", quoted(&source)), format!("\"kind\":{}", quoted(&kind)), format!("\"time\":{time}")];
        fields.extend(id.map(|id| format!("\"id\":{}", quoted(&id))));
        fields.extend(position.map(|(lon, lat, accuracy)| {
            let accuracy = accuracy.map(|metres| format!(",\"accuracy_m\":{metres}")).unwrap_or_default();
            format!("\"position\":{{\"lon\":{lon},\"lat\":{lat}{accuracy}}}")
        }));
        fields.extend(crs.map(|crs| format!("\"crs\":\"{crs}\"")));
        let list = |entries: Vec<String>| entries.join(",");
        fields.push(format!("\"values\":{{{}}}", list(values.iter().map(|(n, v)| format!("{}:{v}", quoted(n))).collect())));
        fields.push(format!("\"attributes\":{{{}}}", list(attributes.iter().map(|(n, t)| format!("{}:{}", quoted(n), quoted(t))).collect())));
        fields.extend(extra.map(|extra| format!("\"extra\":{extra}")));
        fields
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn generated_messages_are_read_alike(fields in fields().prop_shuffle(), repeat in 0..40usize) {
        let mut fields = fields;
        if let Some(twice) = fields.get(repeat).cloned() {
            fields.push(twice);
        }
        check(&format!("{{{}}}", fields.join(",")));
    }

    #[test]
    fn mutated_messages_are_read_alike(
        seed in 0..COMMON.len(),
        edits in proptest::collection::vec((0..260usize, 0..4usize, prop_oneof![
            3 => "[\\x00-\\x7f]{0,2}", 1 => "\\PC{1}", 1 => Just("\"values\":{}".to_owned()), 1 => Just(",\"id\":\"x\"".to_owned()),
        ]), 1..4),
    ) {
        let mut chars: Vec<char> = COMMON[seed].chars().collect();
        for (at, drop, insert) in edits {
            let at = at.min(chars.len());
            let end = (at + drop).min(chars.len());
            chars.splice(at..end, insert.chars());
        }
        check(&chars.into_iter().collect::<String>());
    }

    /// Garbage, whole or in the middle of a good message, is read or refused with a reason that can be printed.
    #[test]
    fn any_bytes_get_an_answer(garbage in proptest::collection::vec(any::<u8>(), 0..40), seed in 0..COMMON.len(), at in 0..300usize) {
        let mut spoiled = COMMON[seed].as_bytes().to_vec();
        let at = at.min(spoiled.len());
        spoiled.splice(at..at, garbage.iter().copied());
        let mapping = "target = \"observations\"\nformat = \"json\"\nfields = { source = \"source\", kind = \"kind\", \
            time = { from = \"time\", time = \"epoch_ms\" }, values = { a = \"values.a\", b = \"attributes.plate[1]\" } }";
        let mapped = Decoder::mapped(crate::mapping::Mapping::parse(mapping, "m").expect("mapping"));
        for bytes in [&garbage, &spoiled] {
            let refusals = [
                Decoder::observations().observation(bytes).err(),
                Decoder::reports().report(bytes).err(),
                mapped.observation(bytes).err(),
            ];
            for reason in refusals.into_iter().flatten() {
                prop_assert!(!reason.detail.is_empty() && reason.detail.len() <= 300 && reason.field.len() <= 200);
                prop_assert!(!reason.detail.contains(char::is_control) && !reason.field.contains(char::is_control));
            }
        }
    }

    /// An independent reading: serde's own, where it and the contract agree on the shape.
    #[test]
    fn what_producers_write_is_read_back(
        source in "[a-z]{1,9}[é汉\"\\\\]?", time in 0i64..4_291_747_200_000, lon in -180.0..=180.0f64, lat in -90.0..=90.0f64,
        values in proptest::collection::btree_map("[a-z]{1,6}", -1e9..1e9f64, 0..8),
        attributes in proptest::collection::btree_map("[a-z]{1,6}", "\\PC{0,30}", 0..6),
    ) {
        let position = Some(crate::observation::Position { lon, lat, accuracy_m: Some(3.5) });
        let written = Observation { id: Some("x-1".to_owned()), source, kind: "air".to_owned(), time, position, crs: None, values, attributes };
        let bytes = serde_json::to_vec(&written).expect("JSON");
        let parsed: Value = serde_json::from_slice(&bytes).expect("JSON");
        prop_assert!(parsed.is_object());
        let read = Decoder::observations().observation(&bytes).expect("read");
        prop_assert_eq!(Ok(read), super::observation_of(written, Crs::Wgs84));
    }
}
