//! The slow path: fields of a JSON tree by name, each with a reason when it is not what it should be. Says what the
//! contract is; the fast path (`DEC-1`) only repeats it.

use super::check;
use crate::{
    crs::Crs,
    json::{self, Node},
    observation::{ObservationRef, Position},
    reject::{Code, Reason},
    time,
    value::Fixed,
};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Names with texts, in the order sent.
pub(crate) type Texts<'a> = SmallVec<[(Cow<'a, str>, Cow<'a, str>); 4]>;
/// Names with values, in the order sent.
pub(crate) type Values<'a> = SmallVec<[(Cow<'a, str>, Fixed); 6]>;

/// A reason that a field holds the wrong sort of value.
pub(crate) fn wrong(field: &str, node: &Node<'_>, wanted: &str) -> Reason {
    Reason::new(Code::WrongType, field, format!("is {}, not {wanted}", node.sort()))
}

/// The fields of one object. Unknown ones are not looked at; `null` is the same as a missing one.
pub(crate) struct Fields<'a> {
    path: &'static str,
    entries: Vec<(Cow<'a, str>, Node<'a>)>,
}

impl<'a> Fields<'a> {
    /// The fields of a message.
    pub(crate) fn of_message(text: &'a str) -> Result<Self, Reason> {
        match json::parse(text).map_err(|fault| Reason::new(Code::Malformed, "", fault.to_string()))? {
            Node::Object(entries) => Ok(Self { path: "", entries }),
            other => Err(wrong("", &other, "an object")),
        }
    }

    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a field out.
    pub(crate) fn take(&mut self, name: &str) -> Result<Option<Node<'a>>, Reason> {
        let mut found = None;
        for (key, node) in &mut self.entries {
            if key == name && found.replace(std::mem::replace(node, Node::Null)).is_some() {
                return Err(check::invalid(&self.path_of(name), "stands twice"));
            }
        }
        Ok(found.filter(|node| *node != Node::Null))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Reason> {
        match self.take(name)? {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(&self.path_of(name), &other, "a text")),
        }
    }

    /// An optional text of one line.
    pub(crate) fn line(&mut self, name: &str, longest: usize) -> Result<Option<Cow<'a, str>>, Reason> {
        let text = self.text(name)?;
        if let Some(text) = &text {
            check::line(&self.path_of(name), text, longest)?;
        }
        Ok(text)
    }

    /// A text of one line that must be there.
    pub(crate) fn required(&mut self, name: &str, longest: usize) -> Result<Cow<'a, str>, Reason> {
        self.line(name, longest)?.ok_or_else(|| check::missing(&self.path_of(name)))
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f64>, Reason> {
        match self.take(name)? {
            None => Ok(None),
            Some(node) => number(&self.path_of(name), &node).map(Some),
        }
    }

    pub(crate) fn object(&mut self, name: &'static str) -> Result<Option<Self>, Reason> {
        match self.take(name)? {
            None => Ok(None),
            Some(Node::Object(entries)) => Ok(Some(Self { path: name, entries })),
            Some(other) => Err(wrong(&self.path_of(name), &other, "an object")),
        }
    }

    /// The entries of a table of names (`values`, `attributes`): unique, bounded names.
    fn named(&mut self, name: &'static str) -> Result<Vec<(Cow<'a, str>, Node<'a>)>, Reason> {
        let entries = self.object(name)?.map(|fields| fields.entries).unwrap_or_default();
        check::count(name, entries.len(), check::MAX_ENTRIES)?;
        for (at, (key, _)) in entries.iter().enumerate() {
            let path = format!("{name}.{key}");
            check::name(&path, key)?;
            if entries.iter().take(at).any(|(earlier, _)| earlier == key) {
                return Err(check::invalid(&path, "stands twice"));
            }
        }
        Ok(entries)
    }

    pub(crate) fn values(&mut self) -> Result<Values<'a>, Reason> {
        let mut values = Values::new();
        for (name, node) in self.named("values")? {
            let path = format!("values.{name}");
            values.push((name, check::value(&path, number(&path, &node)?)?));
        }
        Ok(values)
    }

    pub(crate) fn attributes(&mut self) -> Result<Texts<'a>, Reason> {
        let mut texts = Texts::new();
        for (name, node) in self.named("attributes")? {
            let path = format!("attributes.{name}");
            let Node::Text(text) = node else { return Err(wrong(&path, &node, "a text")) };
            check::longest(&path, &text, check::MAX_ATTRIBUTE)?;
            texts.push((name, text));
        }
        Ok(texts)
    }

    /// `time`: epoch milliseconds or RFC 3339.
    pub(crate) fn time(&mut self) -> Result<i64, Reason> {
        let unreadable = |detail: String| Reason::new(Code::InvalidTime, "time", detail);
        let time_ms = match self.take("time")? {
            None => return Err(check::missing("time")),
            Some(Node::Number(digits)) => {
                digits.parse().map_err(|_| unreadable(format!("`{digits}` is not a whole number of milliseconds")))?
            }
            Some(Node::Text(text)) => {
                time::rfc3339(&text).ok_or_else(|| unreadable(format!("`{text}` is not an RFC 3339 time")))?
            }
            Some(other) => return Err(wrong("time", &other, "an RFC 3339 time or epoch milliseconds")),
        };
        check::time(time_ms)
    }

    /// `crs`, else the default.
    pub(crate) fn crs(&mut self, default: Crs) -> Result<Crs, Reason> {
        self.text("crs")?.map_or(Ok(default), |name| check::crs(&name))
    }

    /// A position under `name`; `field` is its full path.
    pub(crate) fn position(&mut self, name: &'static str, field: &str, crs: Crs) -> Result<Option<Position>, Reason> {
        let Some(mut fields) = self.object(name)? else { return Ok(None) };
        let mut number =
            |name: &str| fields.number(name).map_err(|reason| Reason { field: format!("{field}.{name}"), ..reason });
        let (lon, lat, accuracy) = (number("lon")?, number("lat")?, number("accuracy_m")?);
        let lon = lon.ok_or_else(|| check::missing(&format!("{field}.lon")))?;
        let lat = lat.ok_or_else(|| check::missing(&format!("{field}.lat")))?;
        let accuracy_m = accuracy.map(|metres| metres as f32);
        check::position(field, Position { lon, lat, accuracy_m }, crs).map(Some)
    }
}

/// A number as `f64` (`DEC-2`); one too large for it is infinite, which no field allows.
fn number(field: &str, node: &Node<'_>) -> Result<f64, Reason> {
    match node {
        Node::Number(digits) => digits.parse().map_err(|_| wrong(field, node, "a number that can be read")),
        other => Err(wrong(field, other, "a number")),
    }
}

/// An observation, or the reason why not.
pub(super) fn observation(text: &str, default_crs: Crs) -> Result<ObservationRef<'_>, Reason> {
    let mut fields = Fields::of_message(text)?;
    let id = fields.line("id", check::MAX_ID)?;
    let source = fields.required("source", check::MAX_ID)?;
    let kind = fields.text("kind")?.ok_or_else(|| check::missing("kind"))?;
    check::kind(&kind)?;
    let time_ms = fields.time()?;
    let crs = fields.crs(default_crs)?;
    let position = fields.position("position", "position", crs)?;
    let values = fields.values()?;
    let attributes = fields.attributes()?;
    Ok(ObservationRef { id, source, kind, time_ms, position, values, attributes })
}
