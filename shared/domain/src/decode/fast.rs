//! The fast path: one pass over the bytes, borrowed text, no allocation for up to 6 values and 4 attributes. It knows the
//! common shape in any order of keys and says `None` for everything else, valid or not: the slow path judges that (`DEC-1`).

use super::check;
use super::scan::{Key, Scan};
use crate::{
    crs::Crs,
    observation::{ObservationRef, Position},
    time,
};
use std::borrow::Cow;

/// The contract's fields.
#[derive(Clone, Copy)]
enum Field {
    Id,
    Source,
    Kind,
    Time,
    Position,
    Crs,
    Values,
    Attributes,
    /// None of them; the ninth, for which there is no bit.
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
    /// Notes a field; `None` when it was there before. What nobody knows may come as often as it likes.
    #[inline]
    fn once(&mut self, field: Field) -> Option<()> {
        let bit = 1u8.checked_shl(field as u32).unwrap_or(0);
        let seen = self.0 & bit != 0;
        self.0 |= bit;
        (!seen).then_some(())
    }
}

/// The fields in the contract's order, as most devices write them.
const IN_ORDER: [(Key, Field); 8] = [
    (Key::of(b"\"id\":"), Field::Id),
    (Key::of(b"\"source\":"), Field::Source),
    (Key::of(b"\"kind\":"), Field::Kind),
    (Key::of(b"\"time\":"), Field::Time),
    (Key::of(b"\"position\":"), Field::Position),
    (Key::of(b"\"crs\":"), Field::Crs),
    (Key::of(b"\"values\":"), Field::Values),
    (Key::of(b"\"attributes\":"), Field::Attributes),
];

/// What was read so far and is not in the observation yet.
struct Draft<'a> {
    seen: Seen,
    source: &'a str,
    kind: &'a str,
    time_ms: i64,
    crs: Crs,
}

impl<'a> Draft<'a> {
    /// Reads a field's value.
    #[inline]
    fn read(&mut self, field: Field, scan: &mut Scan<'a>, out: &mut ObservationRef<'a>) -> Option<()> {
        self.seen.once(field)?;
        match field {
            Field::Id => {
                out.id = Some(Cow::Borrowed(scan.string().filter(|id| bounded(id, check::MAX_ID))?));
            }
            Field::Source => {
                self.source = scan.string()?;
            }
            Field::Kind => {
                self.kind = scan.string()?;
            }
            Field::Time => {
                self.time_ms = if scan.peek() == Some(b'"') { time::rfc3339(scan.string()?)? } else { scan.integer()? };
            }
            Field::Position => {
                out.position = Some(position(scan)?);
            }
            Field::Crs => {
                self.crs = Crs::parse(scan.string()?)?;
            }
            Field::Values => {
                values(scan, out)?;
            }
            Field::Attributes => {
                attributes(scan, out)?;
            }
            Field::Unknown => scan.skip()?,
        }
        Some(())
    }
}

/// Reads an observation of the common shape over another, which is of no use when the answer is `None`.
#[inline]
pub(super) fn fill<'a>(text: &'a str, default_crs: Crs, out: &mut ObservationRef<'a>) -> Option<()> {
    (out.id, out.position) = (None, None);
    out.values.clear();
    out.attributes.clear();
    let mut scan = Scan::new(text);
    let mut draft = Draft { seen: Seen::default(), source: "", kind: "", time_ms: -1, crs: default_crs };
    scan.open(b'{')?;
    let mut more = true;
    // What stands where it is looked for is known by one comparison; the rest, from the first that does not, by its name.
    for (key, field) in IN_ORDER {
        if more && scan.follows(key) {
            draft.read(field, &mut scan, out)?;
            more = scan.another(b'}')?;
        }
    }
    while more {
        let field = Field::named(scan.key()?.as_bytes());
        draft.read(field, &mut scan, out)?;
        more = scan.another(b'}')?;
    }
    scan.end()?;
    let Draft { source, kind, time_ms, crs, .. } = draft;
    if !(bounded(source, check::MAX_ID) && check::is_kind(kind) && time::in_range(time_ms)) {
        return None;
    }
    out.position = out.position.map(|position| position.in_wgs84(crs));
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

/// The fields of a position in the contract's order.
const PLACE: [Key; 3] = [Key::of(b"\"lon\":"), Key::of(b"\"lat\":"), Key::of(b"\"accuracy_m\":")];

#[inline]
fn position(scan: &mut Scan<'_>) -> Option<Position> {
    let mut read = [None; 3];
    scan.open(b'{')?;
    let mut more = true;
    for (slot, key) in read.iter_mut().zip(PLACE) {
        if more && scan.follows(key) {
            *slot = Some(scan.number()?.to_f64()?);
            more = scan.another(b'}')?;
        }
    }
    let [lon, lat, accuracy_m] = &mut read;
    while more {
        let key = scan.key()?.as_bytes();
        let slot = match key.len() {
            3 if key == b"lon" => Some(&mut *lon),
            3 if key == b"lat" => Some(&mut *lat),
            10 if key == b"accuracy_m" => Some(&mut *accuracy_m),
            _ => None,
        };
        match slot {
            Some(Some(_)) => return None,
            Some(slot) => *slot = Some(scan.number()?.to_f64()?),
            None => scan.skip()?,
        }
        more = scan.another(b'}')?;
    }
    let (lon, lat, accuracy_m) = ((*lon)?, (*lat)?, accuracy_m.map(|metres| metres as f32));
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
