//! Every kind of malformed message, each with the reason it must be given.

use gridwarden_domain::{
    crs::Crs,
    decode::{self, Decoder, MAX_MESSAGE},
    reject::{Code, Reason},
};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Path of the corpus.
pub(crate) const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/malformed/cases.jsonl");

/// One malformed message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) target: String,
    #[serde(default)]
    pub(crate) payload: String,
    #[serde(default)]
    pub(crate) base64: Option<String>,
    #[serde(default)]
    pub(crate) content_type: Option<String>,
    pub(crate) code: Code,
    pub(crate) field: String,
    #[serde(default)]
    pub(crate) detail: Option<String>,
    pub(crate) schema: bool,
}

impl Case {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.base64.as_ref().map_or_else(|| self.payload.clone().into_bytes(), |text| from_base64(text))
    }

    pub(crate) fn read(&self) -> Result<(), Reason> {
        let encoding = decode::content_type(self.content_type.as_deref().map(str::as_bytes))?;
        match self.target.as_str() {
            "observation" => Decoder::observations().observation_as(encoding, &self.bytes(), Crs::Wgs84).map(|_| ()),
            "report" => Decoder::reports().report_as(encoding, &self.bytes(), Crs::Wgs84).map(|_| ()),
            other => panic!("unknown target {other}"),
        }
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(CASES).expect("corpus");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn from_base64(text: &str) -> Vec<u8> {
    let digit =
        |byte: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|&b| b == byte);
    let bits: Vec<u32> =
        text.bytes().filter(|&b| b != b'=').map(|b| u32::try_from(digit(b).expect("base64")).unwrap()).collect();
    bits.chunks(4)
        .flat_map(|four| {
            let word = four.iter().chain(&[0; 4]).take(4).fold(0, |word, digit| word << 6 | digit);
            word.to_be_bytes()[1..four.len()].to_vec()
        })
        .collect()
}

fn check(case: &Case) {
    let name = &case.name;
    let reason = case.read().map_or_else(|reason| reason, |()| panic!("{name}: was read"));
    assert_eq!((reason.code, reason.field.as_str()), (case.code, case.field.as_str()), "{name}: {reason}");
    if let Some(detail) = &case.detail {
        assert!(reason.detail.contains(detail.as_str()), "{name}: {reason}");
    }
    assert!(
        !reason.detail.is_empty() && reason.detail.len() <= 300 && !reason.detail.contains(char::is_control),
        "{name}"
    );
}

#[test]
fn every_malformed_message_is_given_its_reason() {
    let cases = cases();
    let names: BTreeSet<(&str, &str)> = cases.iter().map(|case| (case.target.as_str(), case.name.as_str())).collect();
    assert!(cases.len() > 300 && names.len() == cases.len(), "{} cases, {} names", cases.len(), names.len());
    cases.iter().for_each(check);
}

/// Size and future are made where they are tested: the one is too long to keep, the other depends on the clock. Poison is found by
/// no decoder.
#[test]
fn every_code_but_those_of_time_and_size_is_in_the_corpus_for_both() {
    let cases = cases();
    for code in Code::ALL.into_iter().filter(|code| !matches!(code, Code::TooLarge | Code::FutureTime | Code::Poison)) {
        for target in ["observation", "report"] {
            assert!(cases.iter().any(|case| case.code == code && case.target == target), "{code:?} {target}");
        }
    }
    let words: BTreeSet<&str> = Code::ALL.into_iter().map(Code::as_str).collect();
    assert_eq!(words.len(), Code::ALL.len());
    for code in Code::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
}

/// Every limit of every field is broken by some case.
#[test]
fn every_field_of_the_contract_is_in_the_corpus() {
    let cases = cases();
    for (target, fields) in [
        (
            "observation",
            "id source kind time position position.lon position.lat position.accuracy_m crs values attributes",
        ),
        (
            "report",
            "id channel class class.catalogue class.kind class.code time position position.lon position.lat \
             position.accuracy_m crs area description attributes component_id media reporter_ref external_id video \
             video.camera video.target video.target.lon video.target.lat video.confidence video.algorithm video.track",
        ),
    ] {
        for field in fields.split_whitespace() {
            let named = |case: &&Case| case.target == target && case.field == field;
            let codes: BTreeSet<&str> = cases.iter().filter(named).map(|case| case.code.as_str()).collect();
            assert!(!codes.is_empty(), "{target}: nothing is wrong with {field}");
        }
    }
}

#[test]
fn a_message_may_be_a_mebibyte_and_no_more() {
    let mut message = br#"{"source":"s","kind":"k","time":1}"#.to_vec();
    message.resize(MAX_MESSAGE, b' ');
    assert!(Decoder::observations().observation(&message).is_ok());
    message.push(b' ');
    assert_eq!(Decoder::observations().observation(&message).expect_err("too large").code, Code::TooLarge);
    assert_eq!(Decoder::reports().report(&message).expect_err("too large").code, Code::TooLarge);
}
