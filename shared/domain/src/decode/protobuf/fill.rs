//! The common shape, over an observation that is there already: no heap, every check of the contract, no reasons. What it does not
//! take is read by [`reasons`](super::reasons) (`DEC-1`).

use super::wire::{BYTES, FIXED32, FIXED64, Fields, VARINT};
use crate::{
    crs::Crs,
    decode::check,
    observation::{ObservationRef, Position},
    time,
    value::Fixed,
};
use std::borrow::Cow;

/// The contract's fields, as they are tagged.
const ID: u64 = 1 << 3 | BYTES;
const SOURCE: u64 = 2 << 3 | BYTES;
const KIND: u64 = 3 << 3 | BYTES;
const TIME: u64 = 4 << 3 | VARINT;
const POSITION: u64 = 5 << 3 | BYTES;
const CRS: u64 = 6 << 3 | BYTES;
const VALUES: u64 = 7 << 3 | BYTES;
const ATTRIBUTES: u64 = 8 << 3 | BYTES;
/// Those of a position.
const LON: u64 = 1 << 3 | FIXED64;
const LAT: u64 = 2 << 3 | FIXED64;
const ACCURACY: u64 = 3 << 3 | FIXED32;
/// Those of an entry of values or attributes.
const NAME: u64 = 1 << 3 | BYTES;
const NUMBER: u64 = 2 << 3 | FIXED64;
const CONTENT: u64 = 2 << 3 | BYTES;

/// Reads an observation over another, which is of no use when the answer is `None`.
#[inline]
pub(in crate::decode) fn fill<'a>(payload: &'a [u8], default_crs: Crs, out: &mut ObservationRef<'a>) -> Option<()> {
    (out.id, out.position) = (None, None);
    out.values.clear();
    out.attributes.clear();
    let (mut source, mut kind, mut time_ms, mut crs) = (None, None, None, None);
    let mut fields = Fields::of(payload);
    while !fields.is_empty() {
        match fields.tag().ok()? {
            ID => {
                let id = text(&mut fields).filter(|id| check::is_line(id, check::MAX_ID))?;
                once(&mut out.id, Cow::Borrowed(id))?;
            }
            SOURCE => once(&mut source, text(&mut fields)?)?,
            KIND => once(&mut kind, text(&mut fields)?)?,
            TIME => once(&mut time_ms, fields.varint().ok()? as i64)?,
            POSITION => once(&mut out.position, position(fields.bytes().ok()?)?)?,
            CRS => once(&mut crs, Crs::parse(text(&mut fields)?)?)?,
            VALUES => measured(fields.bytes().ok()?, out)?,
            ATTRIBUTES => attribute(fields.bytes().ok()?, out)?,
            tag => unknown(&mut fields, tag, 8)?,
        }
    }
    let (source, kind, time_ms) = (source?, kind?, time_ms?);
    let crs = crs.unwrap_or(default_crs);
    if !(check::is_line(source, check::MAX_ID) && check::is_kind(kind) && time::in_range(time_ms)) {
        return None;
    }
    out.position = out.position.map(|position| position.in_wgs84(crs));
    out.source = Cow::Borrowed(source);
    out.kind = Cow::Borrowed(kind);
    out.time_ms = time_ms;
    Some(())
}

#[inline]
fn text<'a>(fields: &mut Fields<'a>) -> Option<&'a str> {
    std::str::from_utf8(fields.bytes().ok()?).ok()
}

#[inline]
fn number(fields: &mut Fields<'_>) -> Option<f64> {
    fields.fixed().ok().map(f64::from_le_bytes)
}

/// Past a field nobody knows. Those up to `known` are the contract's: it does not write them like this.
#[cold]
fn unknown(fields: &mut Fields<'_>, tag: u64, known: u64) -> Option<()> {
    if tag >> 3 <= known { None } else { fields.value(tag).ok().map(|_| ()) }
}

/// Puts a value where none was.
#[inline]
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    match place {
        Some(_) => None,
        None => {
            *place = Some(value);
            Some(())
        }
    }
}

#[inline]
fn position(bytes: &[u8]) -> Option<Position> {
    let (mut lon, mut lat, mut accuracy_m) = (None, None, None);
    let mut fields = Fields::of(bytes);
    while !fields.is_empty() {
        match fields.tag().ok()? {
            LON => once(&mut lon, number(&mut fields)?)?,
            LAT => once(&mut lat, number(&mut fields)?)?,
            ACCURACY => once(&mut accuracy_m, f32::from_le_bytes(fields.fixed().ok()?))?,
            tag => unknown(&mut fields, tag, 3)?,
        }
    }
    let position = Position { lon: lon?, lat: lat?, accuracy_m };
    let fits = check::is_within(position.lon, 180.0) && check::is_within(position.lat, 90.0);
    (fits && accuracy_m.is_none_or(check::is_accuracy)).then_some(position)
}

#[inline]
fn measured<'a>(entry: &'a [u8], out: &mut ObservationRef<'a>) -> Option<()> {
    let (mut name, mut measured) = (None, None);
    let mut fields = Fields::of(entry);
    while !fields.is_empty() {
        match fields.tag().ok()? {
            NAME => once(&mut name, text(&mut fields)?)?,
            NUMBER => once(&mut measured, number(&mut fields)?)?,
            tag => unknown(&mut fields, tag, 2)?,
        }
    }
    let name = name.filter(|name| check::is_line(name, check::MAX_NAME))?;
    // An entry leaves out a zero.
    let value = Fixed::from_f64(measured.unwrap_or_default())?;
    let known = out.values.iter().any(|(earlier, _)| earlier == name);
    if known || out.values.len() == check::MAX_ENTRIES {
        return None;
    }
    out.values.push((Cow::Borrowed(name), value));
    Some(())
}

#[inline]
fn attribute<'a>(entry: &'a [u8], out: &mut ObservationRef<'a>) -> Option<()> {
    let (mut name, mut content) = (None, None);
    let mut fields = Fields::of(entry);
    while !fields.is_empty() {
        match fields.tag().ok()? {
            NAME => once(&mut name, text(&mut fields)?)?,
            CONTENT => once(&mut content, text(&mut fields)?)?,
            tag => unknown(&mut fields, tag, 2)?,
        }
    }
    let name = name.filter(|name| check::is_line(name, check::MAX_NAME))?;
    let content = content.unwrap_or_default();
    let known = out.attributes.iter().any(|(earlier, _)| earlier == name);
    if known || out.attributes.len() == check::MAX_ENTRIES || content.len() > check::MAX_ATTRIBUTE {
        return None;
    }
    out.attributes.push((Cow::Borrowed(name), Cow::Borrowed(content)));
    Some(())
}
