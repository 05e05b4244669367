//! The mapping document as written: TOML into compiled fields, every fault with its place.

use super::{
    Format, Target,
    field::{Field, Piece, Shape, Source},
    path::Path,
    unit::{Scale, conversion},
    when::{ClockChange, TimeFormat},
};
use crate::{
    crs::Crs,
    decode::{channel_of, check, class_kind_of},
    reject::Reason,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) target: Target,
    pub(super) format: Format,
    #[serde(default)]
    pub(super) file: Option<String>,
    #[serde(default)]
    pub(super) columns: Vec<String>,
    #[serde(default)]
    pub(super) delimiter: Option<char>,
    #[serde(default)]
    pub(super) zone: Option<String>,
    #[serde(default)]
    pub(super) clock_change: ClockChange,
    #[serde(default)]
    pub(super) crs: Option<Crs>,
    pub(super) fields: toml::Table,
}

/// One field as written; a plain text stands for `{ from = "…" }`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Written {
    from: Option<From>,
    r#const: Option<toml::Value>,
    template: Option<String>,
    table: Option<BTreeMap<String, String>>,
    otherwise: Option<String>,
    default: Option<toml::Value>,
    required: bool,
    time: Option<String>,
    zone: Option<String>,
    clock_change: Option<ClockChange>,
    multiply: Option<f64>,
    add: Option<f64>,
    unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum From {
    One(String),
    FirstOf(Vec<String>),
}

/// Fields of a target: path, what it holds, whether the contract needs it.
fn known(target: Target) -> &'static [(&'static str, Kind, bool)] {
    use Kind::{Number, Text, Time};
    match target {
        Target::Observations => &[
            ("id", Text, false),
            ("source", Text, true),
            ("kind", Text, true),
            ("time", Time, true),
            ("crs", Text, false),
            ("position.lon", Number, false),
            ("position.lat", Number, false),
            ("position.accuracy_m", Number, false),
        ],
        Target::Reports => &[
            ("id", Text, true),
            ("channel", Text, true),
            ("class.catalogue", Text, true),
            ("class.kind", Text, true),
            ("class.code", Text, true),
            ("time", Time, true),
            ("crs", Text, false),
            ("position.lon", Number, false),
            ("position.lat", Number, false),
            ("position.accuracy_m", Number, false),
            ("area", Text, false),
            ("description", Text, false),
            ("component_id", Text, false),
            ("reporter_ref", Text, false),
            ("external_id", Text, false),
            ("video.camera", Text, false),
            ("video.target.lon", Number, false),
            ("video.target.lat", Number, false),
            ("video.target.accuracy_m", Number, false),
            ("video.confidence", Number, false),
            ("video.algorithm", Text, false),
            ("video.track", Text, false),
        ],
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Time,
}

/// Compiles the fields of a document; the error is its place and a sentence.
pub(super) fn compile(document: &Document) -> Result<BTreeMap<String, Field>, (String, String)> {
    check_rows(document).map_err(|(place, detail)| (place.to_owned(), detail))?;
    let mut fields = BTreeMap::new();
    for (name, value) in &document.fields {
        add_all(document, &mut fields, name.clone(), value)?;
    }
    for (name, _, required) in known(document.target) {
        match fields.get_mut(*name) {
            Some(field) => field.required |= required,
            None if *required => return Err(("fields".to_owned(), format!("`{name}` is required"))),
            None => {}
        }
    }
    go_together(&fields)?;
    Ok(fields)
}

/// What only rows have.
fn check_rows(document: &Document) -> Result<(), Fault> {
    match document.delimiter {
        Some(c) if !c.is_ascii() || matches!(c, '"' | '\r' | '\n') => {
            return Err(("delimiter", "must be one ASCII character, and no quote".to_owned()));
        }
        _ => {}
    }
    if document.format == Format::Json && document.delimiter.is_some() {
        return Err(("delimiter", "only fits format = \"csv\"".to_owned()));
    }
    if document.format == Format::Json && !document.columns.is_empty() {
        return Err(("columns", "only fit format = \"csv\"".to_owned()));
    }
    Ok(())
}

fn go_together(fields: &BTreeMap<String, Field>) -> Result<(), (String, String)> {
    for place in ["position", "video.target"] {
        let has = |name: &str| fields.contains_key(&format!("{place}.{name}"));
        if has("lon") != has("lat") || (has("accuracy_m") && !has("lon")) {
            return Err((format!("fields.{place}"), "`lon` and `lat` go together".to_owned()));
        }
    }
    let video = ["camera", "confidence", "algorithm"].map(|name| fields.contains_key(&format!("video.{name}")));
    let any = fields.keys().any(|name| name.starts_with("video."));
    if any && video.contains(&false) {
        return Err(("fields.video".to_owned(), "`camera`, `confidence` and `algorithm` go together".to_owned()));
    }
    Ok(())
}

/// Adds a field, or every field of a group.
fn add_all(
    document: &Document,
    fields: &mut BTreeMap<String, Field>,
    name: String,
    value: &toml::Value,
) -> Result<(), (String, String)> {
    let group = matches!(name.as_str(), "position" | "class" | "video" | "video.target" | "values" | "attributes");
    match value {
        toml::Value::Table(entries) if group => {
            entries.iter().try_for_each(|(entry, value)| add_all(document, fields, format!("{name}.{entry}"), value))
        }
        _ => add(document, fields, name, value),
    }
}

fn add(
    document: &Document,
    fields: &mut BTreeMap<String, Field>,
    name: String,
    value: &toml::Value,
) -> Result<(), (String, String)> {
    let place = format!("fields.{name}");
    let kind = kind_of(document.target, &name)
        .ok_or_else(|| (place.clone(), format!("{} have no field `{name}`", document.target.as_str())))?;
    let written = match value {
        toml::Value::String(path) => Written { from: Some(From::One(path.clone())), ..Written::default() },
        toml::Value::Table(table) => {
            Written::deserialize(table.clone()).map_err(|error| (place.clone(), error.message().to_owned()))?
        }
        _ => return Err((place, "is neither a path nor a table".to_owned())),
    };
    if let Some((_, entry)) = name.split_once('.').filter(|(group, _)| matches!(*group, "values" | "attributes")) {
        check::name(&name, entry).map_err(|reason| (place.clone(), reason.detail))?;
    }
    let under = |(part, detail): (&str, String)| {
        (if part.is_empty() { place.clone() } else { format!("{place}.{part}") }, detail)
    };
    let field = field(document, &name, kind, &written).map_err(under)?;
    fields.insert(name, field);
    Ok(())
}

fn kind_of(target: Target, name: &str) -> Option<Kind> {
    let known = known(target).iter().find(|(known, _, _)| *known == name).map(|(_, kind, _)| *kind);
    known.or_else(|| match name.split_once('.') {
        Some(("values", entry)) if target == Target::Observations && !entry.is_empty() => Some(Kind::Number),
        Some(("attributes", entry)) if !entry.is_empty() => Some(Kind::Text),
        _ => None,
    })
}

type Fault = (&'static str, String);

fn field(document: &Document, name: &str, kind: Kind, written: &Written) -> Result<Field, Fault> {
    let source = source(document, written)?;
    let default = written.default.as_ref().map(|value| plain(value).map_err(|why| ("default", why))).transpose()?;
    if written.otherwise.is_some() && written.table.is_none() {
        return Err(("otherwise", "needs a `table`".to_owned()));
    }
    if written.required && default.is_some() {
        return Err(("required", "and `default` exclude each other".to_owned()));
    }
    let field = Field {
        source,
        table: written.table.clone(),
        otherwise: written.otherwise.clone(),
        default,
        required: written.required,
        shape: shape(document, kind, written)?,
    };
    let constant = if let Source::Constant(text) = &field.source { Some(text) } else { None };
    for text in constant
        .into_iter()
        .chain(&field.default)
        .chain(&field.otherwise)
        .chain(field.table.iter().flat_map(|table| table.values()))
    {
        allowed(name, &field.shape, text).map_err(|why| ("", why))?;
    }
    Ok(field)
}

/// Whether a text the mapping itself supplies fits its field.
fn allowed(name: &str, shape: &Shape, text: &str) -> Result<(), String> {
    let said = |result: Result<(), Reason>| result.map_err(|reason| reason.detail);
    let fits = match name {
        "channel" => channel_of(text).is_some(),
        "class.kind" => class_kind_of(text).is_some(),
        "crs" => Crs::parse(text).is_some(),
        "kind" => return said(check::kind(text)),
        "class.catalogue" | "class.code" => return said(check::line(name, text, check::MAX_NAME)),
        "description" => return said(check::longest(name, text, check::MAX_DESCRIPTION)),
        _ if name.starts_with("attributes.") => return said(check::longest(name, text, check::MAX_ATTRIBUTE)),
        _ if matches!(shape, Shape::Text) => return said(check::line(name, text, check::MAX_ID)),
        _ => return shape.check(text),
    };
    if fits { Ok(()) } else { Err(format!("`{text}` is not a {name}")) }
}

fn source(document: &Document, written: &Written) -> Result<Source, Fault> {
    let path = |text: &String| match document.format {
        Format::Json => Path::json(text),
        Format::Csv => Path::column(text),
    };
    match (&written.from, &written.r#const, &written.template) {
        (Some(From::One(text)), None, None) => Ok(Source::Paths(vec![path(text).map_err(|why| ("from", why))?])),
        (Some(From::FirstOf(texts)), None, None) if !texts.is_empty() => {
            texts.iter().map(path).collect::<Result<_, _>>().map(Source::Paths).map_err(|why| ("from", why))
        }
        (None, Some(value), None) => plain(value).map(Source::Constant).map_err(|why| ("const", why)),
        (None, None, Some(template)) => pieces(template, path).map(Source::Template).map_err(|why| ("template", why)),
        _ => Err(("", "needs exactly one of `from`, `const` and `template`".to_owned())),
    }
}

/// Cuts `la-{srnumber}` into its pieces.
fn pieces(template: &str, path: impl Fn(&String) -> Result<Path, String>) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').ok_or_else(|| format!("`{template}`: `}}` is missing"))?;
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Path(path(&inside.to_owned())?));
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

fn plain(value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        toml::Value::Boolean(yes) => Ok(yes.to_string()),
        _ => Err("is neither a text nor a number".to_owned()),
    }
}

fn shape(document: &Document, kind: Kind, written: &Written) -> Result<Shape, Fault> {
    let scaled = written.multiply.is_some() || written.add.is_some();
    let timed = written.time.is_some() || written.zone.is_some() || written.clock_change.is_some();
    if kind != Kind::Number && (scaled || written.unit.is_some()) {
        return Err(("", "`multiply`, `add` and `unit` only fit numbers".to_owned()));
    }
    if kind != Kind::Time && timed {
        return Err(("", "`time`, `zone` and `clock_change` only fit `time`".to_owned()));
    }
    match kind {
        Kind::Text => Ok(Shape::Text),
        Kind::Time => {
            let zone = written.zone.as_deref().or(document.zone.as_deref());
            let clock_change = written.clock_change.unwrap_or(document.clock_change);
            TimeFormat::new(written.time.as_deref().unwrap_or("rfc3339"), zone, clock_change).map(Shape::Time)
        }
        Kind::Number => match &written.unit {
            Some(_) if scaled => Err(("unit", "and `multiply` or `add` exclude each other".to_owned())),
            Some(unit) => conversion(unit).map(Shape::Number).map_err(|why| ("unit", why)),
            None => {
                Ok(Shape::Number(Scale { multiply: written.multiply.unwrap_or(1.0), add: written.add.unwrap_or(0.0) }))
            }
        },
    }
}
