//! The contract's limits, one function per field. Everything that becomes an observation or a report passes here:
//! messages as sent, messages mapped, rows of files.

use crate::{
    crs::Crs,
    observation::Position,
    reject::{Code, Reason},
    report, time,
    value::{Fixed, MAX_UNITS},
};

/// Longest id, source and reference, in bytes.
pub const MAX_ID: usize = 128;
/// Longest kind, and longest name of a value or attribute, in bytes.
pub const MAX_NAME: usize = 64;
/// Most values, and most attributes, of one message.
pub const MAX_ENTRIES: usize = 64;
/// Longest text of an attribute, in bytes.
pub const MAX_ATTRIBUTE: usize = 4096;
/// Longest description of a report, in bytes.
pub const MAX_DESCRIPTION: usize = 16_384;
/// Most media of a report.
pub const MAX_MEDIA: usize = 32;

/// A reason that a field's value is not allowed.
pub(crate) fn invalid(field: &str, detail: impl AsRef<str>) -> Reason {
    Reason::new(Code::InvalidValue, field, detail)
}

/// A reason that a field is not there.
pub(crate) fn missing(field: &str) -> Reason {
    Reason::new(Code::MissingField, field, "is required")
}

/// 1 to `longest` bytes, no control characters (ASCII).
#[inline]
pub(crate) fn is_line(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && !has_control(text.as_bytes())
}

/// Whether there is an ASCII control character. Eight bytes at once: a byte below 0x20 borrows from its own highest bit, 0x7f is what
/// becomes nothing.
#[inline]
fn has_control(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let (words, rest) = bytes.as_chunks::<8>();
    let in_word = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        let delete = word ^ (0x7f * ONES);
        let marked = (word.wrapping_sub(0x20 * ONES) & !word) | (delete.wrapping_sub(ONES) & !delete);
        marked & (0x80 * ONES) != 0
    };
    words.iter().any(in_word) || rest.iter().any(u8::is_ascii_control)
}

/// What [`is_kind`] asks for, in words.
pub(crate) const KIND_IN_WORDS: &str = "must be 1 to 64 lower case letters, digits, _ and -, and not `reports`";

/// 1 to 64 of `a-z 0-9 _ -`, not `reports`. A metric is `kind` or `kind.value`: a dot in the kind would make two of one name.
#[inline]
pub(crate) fn is_kind(text: &str) -> bool {
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(allowed) && text != report::METRIC
}

/// A text of one line.
pub(crate) fn line(field: &str, text: &str, longest: usize) -> Result<(), Reason> {
    if is_line(text, longest) {
        Ok(())
    } else if text.is_empty() {
        Err(invalid(field, "is empty"))
    } else if text.len() > longest {
        Err(invalid(field, format!("is {} bytes long; at most {longest} are allowed", text.len())))
    } else {
        Err(invalid(field, "holds a control character"))
    }
}

/// A text of any lines.
pub(crate) fn longest(field: &str, text: &str, longest: usize) -> Result<(), Reason> {
    if text.len() <= longest {
        Ok(())
    } else {
        Err(invalid(field, format!("is {} bytes long; at most {longest} are allowed", text.len())))
    }
}

/// A kind of entity.
pub(crate) fn kind(text: &str) -> Result<(), Reason> {
    if is_kind(text) {
        return Ok(());
    }
    line("kind", text, MAX_NAME)?;
    if text == report::METRIC {
        return Err(invalid("kind", "`reports` is the name under which reports are counted"));
    }
    Err(invalid("kind", format!("`{text}` holds more than a-z, 0-9, `_` and `-`")))
}

/// A time within the years the platform keeps.
pub(crate) fn time(time_ms: i64) -> Result<i64, Reason> {
    if time::in_range(time_ms) {
        Ok(time_ms)
    } else {
        Err(Reason::new(Code::InvalidTime, "time", format!("{time_ms} ms lies outside the years 1970 to 2105")))
    }
}

/// A position in range, as WGS-84 (`DEC-3`). `field` is its path.
pub(crate) fn position(field: &str, position: Position, crs: Crs) -> Result<Position, Reason> {
    let out = |name: &str, value: f64, limit: f64| {
        Reason::new(Code::InvalidPosition, format!("{field}.{name}"), format!("{value} lies outside ±{limit}"))
    };
    if !is_within(position.lon, 180.0) {
        return Err(out("lon", position.lon, 180.0));
    }
    if !is_within(position.lat, 90.0) {
        return Err(out("lat", position.lat, 90.0));
    }
    if position.accuracy_m.is_some_and(|accuracy| !is_accuracy(accuracy)) {
        let detail = "must be 0 or more metres, and finite";
        return Err(Reason::new(Code::InvalidValue, format!("{field}.accuracy_m"), detail));
    }
    Ok(position.in_wgs84(crs))
}

/// |degrees| ≤ limit; NaN is not.
#[inline]
pub(crate) fn is_within(degrees: f64, limit: f64) -> bool {
    degrees.abs() <= limit
}

#[inline]
pub(crate) fn is_accuracy(metres: f32) -> bool {
    metres >= 0.0 && metres.is_finite()
}

/// A reference system by name.
pub(crate) fn crs(name: &str) -> Result<Crs, Reason> {
    Crs::parse(name)
        .ok_or_else(|| Reason::new(Code::UnsupportedCrs, "crs", format!("unknown reference system `{name}`")))
}

/// A measured number.
pub(crate) fn value(field: &str, number: f64) -> Result<Fixed, Reason> {
    Fixed::from_f64(number).ok_or_else(|| invalid(field, format!("{number} is beyond ±{MAX_UNITS}")))
}

/// Name of a value or attribute; `field` is the path of the whole entry.
pub(crate) fn name(field: &str, name: &str) -> Result<(), Reason> {
    line(field, name, MAX_NAME).map_err(|reason| Reason { detail: format!("its name {}", reason.detail), ..reason })
}

/// How many values or attributes there are.
pub(crate) fn count(field: &str, count: usize, most: usize) -> Result<(), Reason> {
    if count <= most { Ok(()) } else { Err(invalid(field, format!("has {count} entries; at most {most} are allowed"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_found_anywhere_and_nothing_else_is_one() {
        for at in 0..19 {
            for byte in 0..=255u8 {
                let mut bytes = *b"abcdefgh \xc3\xa9\x80\xffklmn~!";
                if let Some(slot) = bytes.get_mut(at) {
                    *slot = byte;
                }
                assert_eq!(has_control(&bytes), byte.is_ascii_control(), "{bytes:?}");
            }
        }
    }
}
