//! Errors as ClickHouse's HTTP interface shows them: a status, a code in a header, and its words.

use axum::http::StatusCode;

/// Codes of the errors this front makes itself, the numbers ClickHouse uses for the same thing.
pub(super) mod code {
    pub(crate) const BAD_ARGUMENTS: u32 = 36;
    pub(crate) const SYNTAX_ERROR: u32 = 62;
    pub(crate) const NOT_IMPLEMENTED: u32 = 48;
    pub(crate) const UNKNOWN_DATABASE: u32 = 81;
    pub(crate) const READONLY: u32 = 164;
    pub(crate) const REQUIRED_PASSWORD: u32 = 194;
    pub(crate) const CANNOT_DECOMPRESS: u32 = 271;
    pub(crate) const SESSION_NOT_FOUND: u32 = 372;
    pub(crate) const SESSION_IS_LOCKED: u32 = 373;
    pub(crate) const QUERY_WAS_CANCELLED: u32 = 394;
    pub(crate) const ACCESS_DENIED: u32 = 497;
    pub(crate) const AUTHENTICATION_FAILED: u32 = 516;
    pub(crate) const UNKNOWN: u32 = 1002;
}

/// An error on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exception {
    pub(super) code: u32,
    /// `Code: N. DB::Exception: …`
    pub(super) text: String,
}

impl Exception {
    /// One of ours.
    pub(super) fn ours(code: u32, words: impl AsRef<str>) -> Self {
        Self { code, text: format!("Code: {code}. DB::Exception: {}", words.as_ref()) }
    }

    /// One of the engine's.
    pub(super) fn engine(text: String) -> Self {
        let text = text.trim().to_owned();
        let digits = text.split("Code: ").nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        match digits.and_then(|digits| digits.parse().ok()) {
            // The engine may say in front which statement failed; clients expect the code first.
            Some(code) => {
                let at = text.find("Code: ").unwrap_or(0);
                Self { code, text: text.get(at..).unwrap_or(&text).to_owned() }
            }
            None => Self::ours(code::UNKNOWN, text),
        }
    }

    /// The status ClickHouse answers with, see `exceptionCodeToHTTPStatus` in its sources.
    pub(super) fn status(&self) -> StatusCode {
        match self.code {
            code::REQUIRED_PASSWORD => StatusCode::UNAUTHORIZED,
            code::AUTHENTICATION_FAILED | 192 | 193 => StatusCode::FORBIDDEN,
            code::ACCESS_DENIED | code::READONLY => StatusCode::FORBIDDEN,
            36 | 6 | 7 | 26 | 27 | 38 | 41 | 43 | 53 | 62 | 69 | 70 | 72 | 117 | 131 | 271 | 407 | 456 | 457 => {
                StatusCode::BAD_REQUEST
            }
            16 | 46 | 47 | 50 | 60 | 61 | 63 | 81 | 82 | 115 | 372 => StatusCode::NOT_FOUND,
            48 => StatusCode::NOT_IMPLEMENTED,
            159 => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// How an error is told after the answer has begun, for clients that know `tag` from the header
    /// `X-ClickHouse-Exception-Tag`. Must be sent in one piece.
    pub(super) fn after_the_beginning(&self, tag: &str) -> String {
        let words = format!("{}\n", self.text);
        let length = words.len();
        format!("\r\n__exception__\r\n{tag}\r\n{words}{length} {tag}\r\n__exception__\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_code_is_found() {
        let exception = Exception::engine("Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)".into());
        assert_eq!((exception.code, exception.status()), (60, StatusCode::NOT_FOUND));
        let exception = Exception::engine("Error on processing query: Code: 62. DB::Exception: Syntax".into());
        assert_eq!(exception.text, "Code: 62. DB::Exception: Syntax");
        assert_eq!(Exception::engine("no code".into()).code, code::UNKNOWN);
    }

    #[test]
    fn the_tail_tells_its_length() {
        let tail = Exception::ours(1, "x").after_the_beginning("tttttttttttttttt");
        assert!(tail.contains("Code: 1. DB::Exception: x\n26 tttttttttttttttt\r\n"), "{tail}");
    }
}
