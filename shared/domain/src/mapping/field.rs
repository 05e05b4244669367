//! A compiled field: where its text comes from, and what is made of it.

use super::{
    path::{Input, Path},
    unit::Scale,
    when::TimeFormat,
};
use crate::reject::{Code, Reason};
use std::{borrow::Cow, collections::BTreeMap};

/// Where a field's text comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The first of these that holds something.
    Paths(Vec<Path>),
    Constant(String),
    /// Holds something when every piece does.
    Template(Vec<Piece>),
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(String),
    Path(Path),
}

/// What is made of a text.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Text,
    Number(Scale),
    Time(TimeFormat),
}

impl Shape {
    /// Whether a text can be read.
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        match self {
            Self::Text => Ok(()),
            Self::Number(_) => number(text).map(|_| ()),
            Self::Time(format) => format.read(text).map(|_| ()),
        }
    }
}

/// A compiled field.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) source: Source,
    pub(super) table: Option<BTreeMap<String, String>>,
    pub(super) otherwise: Option<String>,
    pub(super) default: Option<String>,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

/// A decimal number; `inf`, `nan` and hexadecimal are none.
fn number(text: &str) -> Result<f64, String> {
    let decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let parsed = text.parse::<f64>().ok().filter(|number| decimal && number.is_finite());
    parsed.ok_or_else(|| format!("`{text}` is not a number"))
}

impl Field {
    /// The integrator's name for it, e.g. `createddate`; `None` for constants.
    pub(super) fn theirs(&self) -> Option<String> {
        let names: Vec<String> = self.paths().iter().map(|path| format!("`{}`", path.text())).collect();
        if names.is_empty() { None } else { Some(names.join(" or ")) }
    }

    /// Every path it looks at.
    pub(super) fn paths(&self) -> Vec<&Path> {
        match &self.source {
            Source::Paths(paths) => paths.iter().collect(),
            Source::Constant(_) => Vec::new(),
            Source::Template(pieces) => pieces
                .iter()
                .filter_map(|piece| if let Piece::Path(path) = piece { Some(path) } else { None })
                .collect(),
        }
    }

    /// A reason about it; `ours` is the contract's name.
    fn reason(&self, code: Code, ours: &str, detail: &str) -> Reason {
        let from = self.theirs().map(|theirs| format!("from {theirs}: ")).unwrap_or_default();
        Reason::new(code, ours, format!("{from}{detail}"))
    }

    fn found<'a>(&'a self, input: Input<'a>) -> Result<Option<Cow<'a, str>>, String> {
        match &self.source {
            Source::Constant(text) => Ok(Some(Cow::Borrowed(text))),
            Source::Paths(paths) => {
                for path in paths {
                    if let Some(text) = path.find(input)? {
                        return Ok(Some(text));
                    }
                }
                Ok(None)
            }
            Source::Template(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(fixed) => text.push_str(fixed),
                        Piece::Path(path) => match path.find(input)? {
                            Some(found) => text.push_str(&found),
                            None => return Ok(None),
                        },
                    }
                }
                Ok(Some(Cow::Owned(text)))
            }
        }
    }

    /// Its text after table and default; `ours` is the contract's name.
    pub(super) fn text<'a>(&'a self, ours: &str, input: Input<'a>) -> Result<Option<Cow<'a, str>>, Reason> {
        let found = self.found(input).map_err(|why| self.reason(Code::WrongType, ours, &why))?;
        let Some(found) = found else {
            let default = self.default.as_deref().map(Cow::Borrowed);
            if default.is_none() && self.required {
                return Err(self.reason(Code::MissingField, ours, "is required"));
            }
            return Ok(default);
        };
        let Some(table) = &self.table else { return Ok(Some(found)) };
        match table.get(found.as_ref()).or(self.otherwise.as_ref()) {
            Some(text) => Ok(Some(Cow::Borrowed(text))),
            None => Err(self.reason(Code::InvalidValue, ours, &format!("`{found}` is not in the mapping's table"))),
        }
    }

    /// Its number, scaled.
    pub(super) fn number(&self, ours: &str, input: Input<'_>) -> Result<Option<f64>, Reason> {
        let Some(text) = self.text(ours, input)? else { return Ok(None) };
        let scale = if let Shape::Number(scale) = &self.shape { *scale } else { Scale::ONE };
        let number = number(&text).map_err(|why| self.reason(Code::WrongType, ours, &why))?;
        Ok(Some(scale.apply(number)))
    }

    /// Its time in epoch milliseconds.
    pub(super) fn time(&self, ours: &str, input: Input<'_>) -> Result<Option<i64>, Reason> {
        let Some(text) = self.text(ours, input)? else { return Ok(None) };
        let Shape::Time(format) = &self.shape else { return Ok(None) };
        format.read(&text).map(Some).map_err(|why| self.reason(Code::InvalidTime, ours, &why))
    }

    /// Adds the integrator's name to a reason found later.
    pub(super) fn naming(&self, reason: Reason) -> Reason {
        self.reason(reason.code, &reason.field, &reason.detail)
    }
}
