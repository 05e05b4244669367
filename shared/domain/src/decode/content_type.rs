//! The Kafka header `content-type`: how a message is written. Absent means JSON.

use crate::reject::{Code, Reason};

/// How a message is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encoding {
    /// JSON (for a mapped topic of format `csv`: one CSV row).
    #[default]
    Json,
    /// Protobuf: observations of the contract only.
    Protobuf,
}

/// Reads the header. Parameters (`; charset=utf-8`) are ignored, upper and lower case are the same.
pub fn content_type(header: Option<&[u8]>) -> Result<Encoding, Reason> {
    let Some(header) = header else { return Ok(Encoding::Json) };
    let name = header.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if is("application/json") || is("text/csv") || name.is_empty() {
        return Ok(Encoding::Json);
    }
    if is("application/x-protobuf") || is("application/protobuf") {
        return Ok(Encoding::Protobuf);
    }
    let detail = format!("unknown content type `{}`", String::from_utf8_lossy(name));
    Err(Reason::new(Code::UnsupportedEncoding, "", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_protobuf_are_read_and_the_rest_refused_by_name() {
        for header in [None, Some(&b"application/json"[..]), Some(b"Application/JSON; charset=utf-8"), Some(b"")] {
            assert_eq!(content_type(header), Ok(Encoding::Json));
        }
        for header in [&b"application/x-protobuf"[..], b"application/protobuf", b"Application/X-Protobuf; v=1"] {
            assert_eq!(content_type(Some(header)), Ok(Encoding::Protobuf));
        }
        let refusal = |header: &[u8]| content_type(Some(header)).expect_err("refused");
        assert_eq!(refusal(b"application/avro").detail, "unknown content type `application/avro`");
        assert_eq!(refusal(b"\xff\x00").code, Code::UnsupportedEncoding);
    }
}
