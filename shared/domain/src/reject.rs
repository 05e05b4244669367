//! Why a message was not taken. A reject carries the original bytes, its origin, and one reason.

use crate::identity::RecordId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A reason's code: bounded, so that it can be a metric's label. The wording for people is in [`Reason::detail`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The record has no value.
    EmptyPayload,
    /// Longer than the contract allows.
    TooLarge,
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON (or CSV, with a mapping).
    Malformed,
    /// A required field is missing.
    MissingField,
    /// A field has the wrong type.
    WrongType,
    /// A field's value is not allowed (empty, too long, unknown name, duplicate).
    InvalidValue,
    /// Latitude or longitude out of range or not finite.
    InvalidPosition,
    /// A time that cannot be read.
    InvalidTime,
    /// Event time more than 60 s after the append time.
    FutureTime,
    /// A reference system that is unknown or not converted yet.
    UnsupportedCrs,
    /// A content type that is not read here.
    UnsupportedEncoding,
    /// It made a process panic twice.
    Poison,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 13] = [
        Self::EmptyPayload,
        Self::TooLarge,
        Self::NotUtf8,
        Self::Malformed,
        Self::MissingField,
        Self::WrongType,
        Self::InvalidValue,
        Self::InvalidPosition,
        Self::InvalidTime,
        Self::FutureTime,
        Self::UnsupportedCrs,
        Self::UnsupportedEncoding,
        Self::Poison,
    ];

    /// The code as it stands in topics, tables and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmptyPayload => "empty_payload",
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::Malformed => "malformed",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::InvalidValue => "invalid_value",
            Self::InvalidPosition => "invalid_position",
            Self::InvalidTime => "invalid_time",
            Self::FutureTime => "future_time",
            Self::UnsupportedCrs => "unsupported_crs",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::Poison => "poison",
        }
    }
}

/// One reason: what is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Reason {
    /// Bounded code.
    pub code: Code,
    /// Path of the field concerned (`position.lat`), or empty for the whole message.
    pub field: String,
    /// A sentence for people; short, never longer than 300 bytes, safe to print.
    pub detail: String,
}

impl Reason {
    /// A reason whose texts are made safe to print: control characters become spaces, the field is cut at 200 bytes and
    /// the sentence at 300.
    pub fn new(code: Code, field: impl AsRef<str>, detail: impl AsRef<str>) -> Self {
        Self { code, field: printable(field.as_ref(), 200), detail: printable(detail.as_ref(), 300) }
    }
}

/// `text` without control characters, at most `longest` bytes.
fn printable(text: &str, longest: usize) -> String {
    let mut safe = String::with_capacity(text.len().min(longest));
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if safe.len() + c.len_utf8() > longest {
            break;
        }
        safe.push(c);
    }
    safe
}

/// A message that was not taken. Topic `rejects.v1`, key = origin; written by `archive` alone. One that was sent again and
/// rejected again keeps its first origin and the moment it was first seen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Reject {
    /// Where the message stands; of one that was sent again, where it stood first.
    pub origin: RecordId,
    /// Where it stands now, when it was sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<RecordId>,
    /// Name of the topic it stands in.
    pub topic: String,
    /// Why.
    pub reason: Reason,
    /// Append time of the message, epoch milliseconds.
    pub appended_at: i64,
    /// When it was first rejected, epoch milliseconds.
    pub first_seen: i64,
    /// The message's key, base64; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_base64: Option<String>,
    /// Those of its headers that say how it is read, base64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers_base64: BTreeMap<String, String>,
    /// The original bytes, base64 (standard alphabet, padded).
    pub payload_base64: String,
}
