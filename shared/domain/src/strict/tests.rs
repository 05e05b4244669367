//! Every fault of a document names its place; what serde writes is read back.

use super::{part, read};
use crate::reject::{Code, Reason};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    count: u32,
    #[serde(default)]
    inner: Inner,
    #[serde(default)]
    maybe: Option<f64>,
    #[serde(default)]
    texts: BTreeMap<String, String>,
    #[serde(default)]
    points: Vec<[f64; 2]>,
    #[serde(default)]
    choice: Choice,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    #[serde(default)]
    on: bool,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Choice {
    #[default]
    None,
    One(Inner),
    Two {
        size: f32,
    },
}

fn refused(text: &str) -> Reason {
    read::<Document>(text).expect_err(text)
}

#[test]
fn faults_name_their_place() {
    use Code::{InvalidValue, Malformed, MissingField, WrongType};
    for (rest, code, field) in [
        (r#""count":"1""#, WrongType, "count"),
        (r#""count":1.5"#, WrongType, "count"),
        (r#""count":-1"#, InvalidValue, "count"),
        (r#""count":4294967296"#, InvalidValue, "count"),
        (r#""cuont":1"#, InvalidValue, "cuont"),
        (r#""maybe":1"#, MissingField, "count"),
        (r#""count":1,"count":1"#, InvalidValue, "count"),
        (r#""count":1,"inner":[true]"#, WrongType, "inner"),
        (r#""count":1,"inner":[]"#, WrongType, "inner"),
        (r#""count":1,"inner":null"#, WrongType, "inner"),
        (r#""count":1,"inner":{"on":1}"#, WrongType, "inner.on"),
        (r#""count":1,"inner":{"no":1}"#, InvalidValue, "inner.no"),
        (r#""count":1,"inner":{"on":true,"on":true}"#, InvalidValue, "inner.on"),
        (r#""count":1,"texts":{"a":"x","b":1}"#, WrongType, "texts.b"),
        (r#""count":1,"texts":{"a":"x","\u0061":"y"}"#, InvalidValue, "texts.a"),
        (r#""count":1,"points":[[1,2],[1,2,3]]"#, InvalidValue, "points[1]"),
        (r#""count":1,"points":[[1]]"#, InvalidValue, "points[0]"),
        (r#""count":1,"points":[[1,"2"]]"#, WrongType, "points[0][1]"),
        (r#""count":1,"choice":"three""#, InvalidValue, "choice"),
        (r#""count":1,"choice":"one""#, WrongType, "choice"),
        (r#""count":1,"choice":{"none":null}"#, WrongType, "choice"),
        (r#""count":1,"choice":{}"#, InvalidValue, "choice"),
        (r#""count":1,"choice":{"one":{},"two":{"size":1}}"#, InvalidValue, "choice"),
        (r#""count":1,"choice":{"one":{"on":0}}"#, WrongType, "choice.one.on"),
        (r#""count":1,"choice":{"two":{}}"#, MissingField, "choice.two.size"),
        (r#""count":1,"choice":{"two":[1]}"#, WrongType, "choice.two"),
        (r#""count":1,"choice":{"two":{"size":1,"colour":1}}"#, InvalidValue, "choice.two.colour"),
        (r#""count":1,"choice":7"#, WrongType, "choice"),
        (r#""count":1 "maybe":1"#, Malformed, ""),
    ] {
        let reason = refused(&format!(r#"{{"name":"n",{rest}}}"#));
        assert_eq!((reason.code, reason.field.as_str()), (code, field), "{rest}: {reason}");
        assert!(!reason.detail.is_empty());
    }
    assert_eq!(refused("[\"n\",1]").code, WrongType);
    assert_eq!(refused("").code, Malformed);
    assert_eq!(part::<Vec<u8>>("list", "[1,300]").expect_err("too large").field, "list[1]");
}

fn document() -> impl Strategy<Value = Document> {
    let choice = prop_oneof![
        Just(Choice::None),
        any::<bool>().prop_map(|on| Choice::One(Inner { on })),
        (-1e9f32..1e9).prop_map(|size| Choice::Two { size }),
    ];
    (
        "\\PC{0,12}",
        any::<u32>(),
        any::<bool>(),
        proptest::option::of(-1e300..1e300f64),
        proptest::collection::btree_map("\\PC{0,4}", any::<String>(), 0..4),
        proptest::collection::vec([-180.0..180.0f64, -90.0..90.0f64], 0..4),
        choice,
    )
        .prop_map(|(name, count, on, maybe, texts, points, choice)| Document {
            name,
            count,
            inner: Inner { on },
            maybe,
            texts,
            points,
            choice,
        })
}

proptest! {
    #[test]
    fn what_serde_writes_is_read_back(written in document()) {
        let text = serde_json::to_string(&written).expect("JSON");
        prop_assert_eq!(read::<Document>(&text), Ok(written));
    }
}
