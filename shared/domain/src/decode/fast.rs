//! The fast path: one pass over the bytes, borrowed text, no allocation for up to 6 values and 4 attributes. It knows the
//! common shape in any order of keys and says `None` for everything else, valid or not: the slow path judges that (`DEC-1`).

use super::check;
use super::scan::Scan;
use crate::{
    crs::Crs,
    observation::{ObservationRef, Position},
    time,
};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Where the fast path begins.
#[inline]
pub(super) fn empty<'a>() -> ObservationRef<'a> {
    ObservationRef {
        id: None,
        source: Cow::Borrowed(""),
        kind: Cow::Borrowed(""),
        time_ms: 0,
        position: None,
        values: SmallVec::new(),
        attributes: SmallVec::new(),
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

/// Reads an observation of the common shape into an empty one, which is of no use when the answer is `None`.
#[inline]
pub(super) fn fill<'a>(text: &'a str, default_crs: Crs, out: &mut ObservationRef<'a>) -> Option<()> {
    let mut scan = Scan::new(text);
    let mut seen = Seen::default();
    let mut crs = default_crs;
    let (mut source, mut kind, mut time_ms) = ("", "", -1);
    scan.open(b'{')?;
    loop {
        match scan.key()?.as_bytes() {
            b"id" => {
                seen.once(1)?;
                out.id = Some(Cow::Borrowed(scan.string().filter(|id| bounded(id, check::MAX_ID))?));
            }
            b"source" => {
                seen.once(2)?;
                source = scan.string()?;
            }
            b"kind" => {
                seen.once(4)?;
                kind = scan.string()?;
            }
            b"time" => {
                seen.once(8)?;
                time_ms = if scan.peek() == Some(b'"') { time::rfc3339(scan.string()?)? } else { scan.integer()? };
            }
            b"position" => {
                seen.once(16)?;
                out.position = Some(position(&mut scan)?);
            }
            b"crs" => {
                seen.once(32)?;
                crs = Crs::parse(scan.string()?)?;
            }
            b"values" => {
                seen.once(64)?;
                values(&mut scan, out)?;
            }
            b"attributes" => {
                seen.once(128)?;
                attributes(&mut scan, out)?;
            }
            _ => scan.skip_scalar()?,
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
        match scan.key()?.as_bytes() {
            b"lon" => {
                seen.once(1)?;
                lon = scan.number()?.to_f64()?;
            }
            b"lat" => {
                seen.once(2)?;
                lat = scan.number()?.to_f64()?;
            }
            b"accuracy_m" => {
                seen.once(4)?;
                accuracy_m = Some(scan.number()?.to_f64()? as f32);
            }
            _ => scan.skip_scalar()?,
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
