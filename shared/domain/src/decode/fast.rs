//! The fast path: one pass over the bytes, borrowed text, no allocation for up to 6 values and 4 attributes. It knows the
//! common shape in any order of keys and says `None` for everything else, valid or not: the slow path judges that (`DEC-1`).

use super::check;
use super::scan::Scan;
use crate::{
    crs::Crs,
    observation::{ObservationRef, Position},
    time,
};
use std::borrow::Cow;

/// The contract's fields.
enum Field {
    Id,
    Source,
    Kind,
    Time,
    Position,
    Crs,
    Values,
    Attributes,
    /// None of them.
    Unknown,
}

impl Field {
    /// By length first: then each comparison is of a known length, a word or two instead of a call.
    #[inline]
    fn named(key: &[u8]) -> Self {
        match key.len() {
            2 if key == b"id" => Self::Id,
            3 if key == b"crs" => Self::Crs,
            4 if key == b"kind" => Self::Kind,
            4 if key == b"time" => Self::Time,
            6 if key == b"source" => Self::Source,
            6 if key == b"values" => Self::Values,
            8 if key == b"position" => Self::Position,
            10 if key == b"attributes" => Self::Attributes,
            _ => Self::Unknown,
        }
    }
}

/// Which fields were seen, one bit each.
#[derive(Default)]
struct Seen(u8);

impl Seen {
    /// Notes a field; `None` when it was there before.
    #[inline]
    fn once(&mut self, bit: u8) -> Option<()> {
        let seen = self.0 & bit != 0;
        self.0 |= bit;
        (!seen).then_some(())
    }
}

/// Reads an observation of the common shape over another, which is of no use when the answer is `None`.
#[inline]
pub(super) fn fill<'a>(text: &'a str, default_crs: Crs, out: &mut ObservationRef<'a>) -> Option<()> {
    (out.id, out.position) = (None, None);
    out.values.clear();
    out.attributes.clear();
    let mut scan = Scan::new(text);
    let mut seen = Seen::default();
    let mut crs = default_crs;
    let (mut source, mut kind, mut time_ms) = ("", "", -1);
    scan.open(b'{')?;
    loop {
        match Field::named(scan.key()?.as_bytes()) {
            Field::Id => {
                seen.once(1)?;
                out.id = Some(Cow::Borrowed(scan.string().filter(|id| bounded(id, check::MAX_ID))?));
            }
            Field::Source => {
                seen.once(2)?;
                source = scan.string()?;
            }
            Field::Kind => {
                seen.once(4)?;
                kind = scan.string()?;
            }
            Field::Time => {
                seen.once(8)?;
                time_ms = if scan.peek() == Some(b'"') { time::rfc3339(scan.string()?)? } else { scan.integer()? };
            }
            Field::Position => {
                seen.once(16)?;
                out.position = Some(position(&mut scan)?);
            }
            Field::Crs => {
                seen.once(32)?;
                crs = Crs::parse(scan.string()?)?;
            }
            Field::Values => {
                seen.once(64)?;
                values(&mut scan, out)?;
            }
            Field::Attributes => {
                seen.once(128)?;
                attributes(&mut scan, out)?;
            }
            Field::Unknown => scan.skip()?,
        }
        if !scan.another(b'}')? {
            break;
        }
    }
    scan.end()?;
    let in_use = out.position.is_none() || crs.is_wgs84_compatible();
    if !(in_use && bounded(source, check::MAX_ID) && check::is_kind(kind) && time::in_range(time_ms)) {
        return None;
    }
    out.source = Cow::Borrowed(source);
    out.kind = Cow::Borrowed(kind);
    out.time_ms = time_ms;
    Some(())
}

/// A scanned string holds no control characters already.
#[inline]
fn bounded(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest
}

#[inline]
fn position(scan: &mut Scan<'_>) -> Option<Position> {
    let mut seen = Seen::default();
    let (mut lon, mut lat, mut accuracy_m) = (f64::NAN, f64::NAN, None);
    scan.open(b'{')?;
    loop {
        let key = scan.key()?.as_bytes();
        match key.len() {
            3 if key == b"lon" => {
                seen.once(1)?;
                lon = scan.number()?.to_f64()?;
            }
            3 if key == b"lat" => {
                seen.once(2)?;
                lat = scan.number()?.to_f64()?;
            }
            10 if key == b"accuracy_m" => {
                seen.once(4)?;
                accuracy_m = Some(scan.number()?.to_f64()? as f32);
            }
            _ => scan.skip()?,
        }
        if !scan.another(b'}')? {
            break;
        }
    }
    let fits = check::is_within(lon, 180.0) && check::is_within(lat, 90.0) && accuracy_m.is_none_or(check::is_accuracy);
    fits.then_some(Position { lon, lat, accuracy_m })
}

#[inline]
fn values<'a>(scan: &mut Scan<'a>, out: &mut ObservationRef<'a>) -> Option<()> {
    scan.open(b'{')?;
    if scan.is_closed(b'}') {
        return Some(());
    }
    loop {
        let name = scan.key()?;
        let value = scan.number()?.to_fixed()?;
        let known = out.values.iter().any(|(earlier, _)| earlier == name);
        if known || !bounded(name, check::MAX_NAME) || out.values.len() == check::MAX_ENTRIES {
            return None;
        }
        out.values.push((Cow::Borrowed(name), value));
        if !scan.another(b'}')? {
            return Some(());
        }
    }
}

#[inline]
fn attributes<'a>(scan: &mut Scan<'a>, out: &mut ObservationRef<'a>) -> Option<()> {
    scan.open(b'{')?;
    if scan.is_closed(b'}') {
        return Some(());
    }
    loop {
        let name = scan.key()?;
        let text = scan.string()?;
        let known = out.attributes.iter().any(|(earlier, _)| earlier == name);
        let too_many = out.attributes.len() == check::MAX_ENTRIES;
        if known || too_many || !bounded(name, check::MAX_NAME) || text.len() > check::MAX_ATTRIBUTE {
            return None;
        }
        out.attributes.push((Cow::Borrowed(name), Cow::Borrowed(text)));
        if !scan.another(b'}')? {
            return Some(());
        }
    }
}
