//! The common shape, over an observation that is there already: no heap, every check of the contract, no reasons. What it does not
//! take is read by [`reasons`](super::reasons) (`DEC-1`).

use super::wire::{Fields, Value};
use crate::{
    crs::Crs,
    decode::check,
    observation::{ObservationRef, Position},
    time,
    value::Fixed,
};
use std::borrow::Cow;

/// Reads an observation over another, which is of no use when the answer is `None`.
#[inline]
pub(in crate::decode) fn fill<'a>(payload: &'a [u8], default_crs: Crs, out: &mut ObservationRef<'a>) -> Option<()> {
    (out.id, out.position) = (None, None);
    out.values.clear();
    out.attributes.clear();
    let (mut source, mut kind, mut time_ms, mut crs) = (None, None, None, None);
    let mut fields = Fields::of(payload);
    while let Some((number, value)) = fields.next().ok()? {
        match (number, value) {
            (1, Value::Bytes(bytes)) if out.id.is_none() => {
                out.id = Some(Cow::Borrowed(text(bytes).filter(|id| check::is_line(id, check::MAX_ID))?));
            }
            (2, Value::Bytes(bytes)) => once(&mut source, text(bytes)?)?,
            (3, Value::Bytes(bytes)) => once(&mut kind, text(bytes)?)?,
            (4, Value::Varint(number)) => once(&mut time_ms, number as i64)?,
            (5, Value::Bytes(bytes)) => once(&mut out.position, position(bytes)?)?,
            (6, Value::Bytes(bytes)) => once(&mut crs, Crs::parse(text(bytes)?)?)?,
            (7, Value::Bytes(bytes)) => measured(bytes, out)?,
            (8, Value::Bytes(bytes)) => attribute(bytes, out)?,
            (1..=8, _) => return None,
            _ => {}
        }
    }
    let (source, kind, time_ms) = (source?, kind?, time_ms?);
    let in_use = out.position.is_none() || crs.unwrap_or(default_crs).is_wgs84_compatible();
    if !(in_use && check::is_line(source, check::MAX_ID) && check::is_kind(kind) && time::in_range(time_ms)) {
        return None;
    }
    out.source = Cow::Borrowed(source);
    out.kind = Cow::Borrowed(kind);
    out.time_ms = time_ms;
    Some(())
}

#[inline]
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
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
    while let Some((number, value)) = fields.next().ok()? {
        match (number, value) {
            (1, Value::Fixed64(bytes)) => once(&mut lon, f64::from_le_bytes(bytes))?,
            (2, Value::Fixed64(bytes)) => once(&mut lat, f64::from_le_bytes(bytes))?,
            (3, Value::Fixed32(bytes)) => once(&mut accuracy_m, f32::from_le_bytes(bytes))?,
            (1..=3, _) => return None,
            _ => {}
        }
    }
    let position = Position { lon: lon?, lat: lat?, accuracy_m };
    let fits = check::is_within(position.lon, 180.0) && check::is_within(position.lat, 90.0);
    (fits && accuracy_m.is_none_or(check::is_accuracy)).then_some(position)
}

#[inline]
fn measured<'a>(entry: &'a [u8], out: &mut ObservationRef<'a>) -> Option<()> {
    let (mut name, mut number) = (None, None);
    let mut fields = Fields::of(entry);
    while let Some((place, value)) = fields.next().ok()? {
        match (place, value) {
            (1, Value::Bytes(bytes)) => once(&mut name, text(bytes)?)?,
            (2, Value::Fixed64(bytes)) => once(&mut number, f64::from_le_bytes(bytes))?,
            (1..=2, _) => return None,
            _ => {}
        }
    }
    let name = name.filter(|name| check::is_line(name, check::MAX_NAME))?;
    // An entry leaves out a zero.
    let value = Fixed::from_f64(number.unwrap_or_default())?;
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
    while let Some((place, value)) = fields.next().ok()? {
        match (place, value) {
            (1, Value::Bytes(bytes)) => once(&mut name, text(bytes)?)?,
            (2, Value::Bytes(bytes)) => once(&mut content, text(bytes)?)?,
            (1..=2, _) => return None,
            _ => {}
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
