//! Moments on the command line: how they are given, and how they are said.

use gridwarden_domain::time::rfc3339;
use jiff::Timestamp;

/// Epoch milliseconds of a moment given as RFC 3339 or as epoch milliseconds.
pub(crate) fn read(text: &str) -> Result<i64, String> {
    let ms = text.parse().ok().or_else(|| rfc3339(text));
    ms.ok_or_else(|| "is neither an RFC 3339 time nor epoch milliseconds".to_owned())
}

/// A moment as people read it.
pub(crate) fn said(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |moment| moment.to_string())
}
