//! The whole contract in its own order, with a reason for whatever is not as it should be: the same codes and fields as for JSON.

use super::wire::{Fault, Fields, Value};
use crate::{
    crs::Crs,
    decode::{
        check,
        tree::{Texts, Values},
    },
    observation::{ObservationRef, Position},
    reject::{Code, Reason},
};
use std::borrow::Cow;

/// An observation, or the reason why not.
#[cold]
pub(in crate::decode) fn observation(payload: &[u8], default_crs: Crs) -> Result<ObservationRef<'_>, Reason> {
    let fields = Message::read(payload, "")?;
    let id = fields.text(1, "id")?;
    if let Some(id) = id {
        check::line("id", id, check::MAX_ID)?;
    }
    let source = fields.text(2, "source")?.ok_or_else(|| check::missing("source"))?;
    check::line("source", source, check::MAX_ID)?;
    let kind = fields.text(3, "kind")?.ok_or_else(|| check::missing("kind"))?;
    check::kind(kind)?;
    let time_ms = match fields.one(4, "time")? {
        Some(Value::Varint(number)) => check::time(number as i64)?,
        Some(other) => return Err(wrong("time", other, "a varint")),
        None => return Err(check::missing("time")),
    };
    let crs = fields.text(6, "crs")?.map_or(Ok(default_crs), check::crs)?;
    let position = fields.bytes(5, "position")?.map(|bytes| position(bytes, crs)).transpose()?;
    Ok(ObservationRef {
        id: id.map(Cow::Borrowed),
        source: Cow::Borrowed(source),
        kind: Cow::Borrowed(kind),
        time_ms,
        position,
        values: values(&fields)?,
        attributes: attributes(&fields)?,
    })
}

fn position(bytes: &[u8], crs: Crs) -> Result<Position, Reason> {
    let fields = Message::read(bytes, "position")?;
    let degrees = |number, path| match fields.one(number, path)? {
        Some(Value::Fixed64(bytes)) => Ok(f64::from_le_bytes(bytes)),
        Some(other) => Err(wrong(path, other, "a 64-bit number")),
        None => Err(check::missing(path)),
    };
    let (lon, lat) = (degrees(1, "position.lon")?, degrees(2, "position.lat")?);
    let accuracy_m = match fields.one(3, "position.accuracy_m")? {
        Some(Value::Fixed32(bytes)) => Some(f32::from_le_bytes(bytes)),
        Some(other) => return Err(wrong("position.accuracy_m", other, "a 32-bit number")),
        None => None,
    };
    check::position("position", Position { lon, lat, accuracy_m }, crs)
}

fn values<'a>(fields: &Message<'a>) -> Result<Values<'a>, Reason> {
    let mut values = Values::new();
    for (name, path, entry) in named(fields, 7, "values")? {
        let number = match entry.one(2, &path)? {
            Some(Value::Fixed64(bytes)) => f64::from_le_bytes(bytes),
            Some(other) => return Err(wrong(&path, other, "a 64-bit number")),
            None => 0.0,
        };
        values.push((Cow::Borrowed(name), check::value(&path, number)?));
    }
    Ok(values)
}

fn attributes<'a>(fields: &Message<'a>) -> Result<Texts<'a>, Reason> {
    let mut texts = Texts::new();
    for (name, path, entry) in named(fields, 8, "attributes")? {
        let text = entry.text(2, &path)?.unwrap_or_default();
        check::longest(&path, text, check::MAX_ATTRIBUTE)?;
        texts.push((Cow::Borrowed(name), Cow::Borrowed(text)));
    }
    Ok(texts)
}

/// The entries of a table of names: unique, bounded names. Name, path, entry.
fn named<'a>(
    fields: &Message<'a>,
    number: u64,
    table: &'static str,
) -> Result<Vec<(&'a str, String, Message<'a>)>, Reason> {
    let mut entries: Vec<(&'a str, String, Message<'a>)> = Vec::new();
    let all = fields.0.iter().filter(|(known, _)| *known == number);
    check::count(table, all.clone().count(), check::MAX_ENTRIES)?;
    for (_, value) in all {
        let Value::Bytes(bytes) = value else { return Err(wrong(table, *value, "an entry")) };
        let entry = Message::read(bytes, table)?;
        let name = entry.text(1, table)?.unwrap_or_default();
        let path = format!("{table}.{name}");
        check::name(&path, name)?;
        if entries.iter().any(|(earlier, ..)| *earlier == name) {
            return Err(check::invalid(&path, "stands twice"));
        }
        entries.push((name, path, entry));
    }
    Ok(entries)
}

fn wrong(field: &str, value: Value<'_>, wanted: &str) -> Reason {
    Reason::new(Code::WrongType, field, format!("is {}, not {wanted}", value.sort()))
}

/// A message's fields.
struct Message<'a>(Vec<(u64, Value<'a>)>);

impl<'a> Message<'a> {
    fn read(bytes: &'a [u8], field: &str) -> Result<Self, Reason> {
        let (mut fields, mut found) = (Fields::of(bytes), Vec::new());
        loop {
            match fields.next() {
                Ok(Some(field)) => found.push(field),
                Ok(None) => return Ok(Self(found)),
                Err(Fault) => return Err(Reason::new(Code::Malformed, field, "is no Protobuf message")),
            }
        }
    }

    /// A field that stands once at most.
    fn one(&self, number: u64, path: &str) -> Result<Option<Value<'a>>, Reason> {
        let mut found = self.0.iter().filter(|(known, _)| *known == number).map(|(_, value)| *value);
        let first = found.next();
        if found.next().is_some() { Err(check::invalid(path, "stands twice")) } else { Ok(first) }
    }

    fn bytes(&self, number: u64, path: &str) -> Result<Option<&'a [u8]>, Reason> {
        match self.one(number, path)? {
            Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
            Some(other) => Err(wrong(path, other, "length-delimited")),
            None => Ok(None),
        }
    }

    fn text(&self, number: u64, path: &str) -> Result<Option<&'a str>, Reason> {
        let Some(bytes) = self.bytes(number, path)? else { return Ok(None) };
        let not_utf8 = |error: std::str::Utf8Error| {
            Reason::new(Code::NotUtf8, path, format!("not UTF-8 at byte {}", error.valid_up_to()))
        };
        std::str::from_utf8(bytes).map(Some).map_err(not_utf8)
    }
}
