//! A rule as people write it: YAML 1.2 or JSON, with the line of what is wrong. Topics hold JSON alone; this is for files, commands and
//! the API, all of which read documents here and nowhere else.
//!
//! `DOC-1` a rule read with a city's calendars is whole: the days of the calendar it names stand in it, or it is refused.

use super::{Calendar, Rule, RuleError, read, validate};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use saphyr_parser::{Event, Parser};
use serde_json::{Map, Number, Value};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// A city's calendars, by name.
pub type Calendars = BTreeMap<String, Calendar>;

/// What is wrong with a document, and on which line (from 1), where that is known.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct DocumentError {
    /// The line.
    pub line: Option<usize>,
    /// Field and reason.
    pub error: RuleError,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if self.error.field.is_empty() { f.write_str(&self.error.detail) } else { self.error.fmt(f) }
    }
}

impl From<RuleError> for DocumentError {
    fn from(error: RuleError) -> Self {
        Self { line: None, error }
    }
}

/// A document that is a value, and knows where its parts stand.
pub struct Document<'t> {
    value: Value,
    /// The text, where it is JSON and says what the value says: only there a field that stands twice is found.
    json: Option<&'t str>,
    marked: Option<MarkedYaml<'t>>,
}

impl From<Value> for Document<'_> {
    fn from(value: Value) -> Self {
        Self { value, json: None, marked: None }
    }
}

impl<'t> Document<'t> {
    /// Reads YAML or JSON. Aliases are not taken: a document says what it says where it says it.
    pub fn read(text: &'t str) -> Result<Self, DocumentError> {
        // JSON is asked first: its reader knows every number to the last bit, and a field that stands twice is found later.
        if let Ok(value) = serde_json::from_str(text) {
            return Ok(Self { value, json: Some(text), marked: marked(text).ok() });
        }
        let marked = marked(text)?;
        let value = value_of(&marked, "")?;
        Ok(Self { value, json: None, marked: Some(marked) })
    }

    /// What a field says; one that is missing says `missing` from now on. None when it is no list of fields.
    pub fn field(&mut self, name: &str, missing: impl Into<Value>) -> Option<&Value> {
        let fields = self.value.as_object_mut()?;
        if !fields.contains_key(name) {
            fields.insert(name.to_owned(), missing.into());
            self.json = None;
        }
        fields.get(name)
    }

    /// The rule in it, with the days of the calendar it names; without calendars (nobody knows the city) those stay open.
    pub fn rule(&self, calendars: Option<&Calendars>) -> Result<Rule, DocumentError> {
        let text = self.json.map_or_else(|| Cow::Owned(self.value.to_string()), Cow::Borrowed);
        let read = read(text.as_bytes()).and_then(|rule| filled(rule, calendars));
        read.map_err(|error| self.located(error))
    }

    /// What is wrong, with its line. Places a reader counted are those of another text.
    fn located(&self, error: RuleError) -> DocumentError {
        let detail = error.detail.split(" (line ").next().unwrap_or_default().to_owned();
        let line = self.marked.as_ref().and_then(|marked| line_of(marked, &error.field));
        DocumentError { line, error: RuleError { detail, ..error } }
    }
}

/// Reads and checks a rule document, YAML or JSON, with the days of the calendar it names.
pub fn read_document(text: &str, calendars: Option<&Calendars>) -> Result<Rule, DocumentError> {
    Document::read(text)?.rule(calendars)
}

fn filled(mut rule: Rule, calendars: Option<&Calendars>) -> Result<Rule, RuleError> {
    let Some((schedule, calendars)) = rule.schedule.as_mut().zip(calendars) else { return Ok(rule) };
    let of_rule = |error: RuleError| RuleError { detail: format!("{} (rule {})", error.detail, rule.id), ..error };
    schedule.fill(calendars).map_err(of_rule)?;
    validate(&rule)?;
    Ok(rule)
}

fn wrong(line: usize, field: &str, detail: impl Into<String>) -> DocumentError {
    DocumentError { line: Some(line), error: RuleError { field: field.to_owned(), detail: detail.into() } }
}

fn marked(text: &str) -> Result<MarkedYaml<'_>, DocumentError> {
    let scan = |error: &saphyr_parser::ScanError| wrong(error.marker().line(), "", error.info());
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| scan(&error))?;
        if let Event::Alias(_) = event {
            return Err(wrong(span.start.line(), "", "aliases are not taken: write out what is meant"));
        }
    }
    let mut documents = MarkedYaml::load_from_str(text).map_err(|error| scan(&error))?;
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => Ok(document),
        (None, _) => Err(wrong(1, "", "is empty")),
        (Some(second), false) => Err(wrong(second.span.start.line(), "", "is more than one document")),
    }
}

fn value_of(node: &MarkedYaml<'_>, path: &str) -> Result<Value, DocumentError> {
    let line = node.span.start.line();
    Ok(match &node.data {
        YamlData::Value(Scalar::Null) => Value::Null,
        YamlData::Value(Scalar::Boolean(is)) => Value::Bool(*is),
        YamlData::Value(Scalar::Integer(number)) => Value::from(*number),
        YamlData::Value(Scalar::FloatingPoint(number)) => match Number::from_f64(number.0) {
            Some(number) => Value::Number(number),
            None => return Err(wrong(line, path, "is not a number")),
        },
        YamlData::Value(Scalar::String(text)) => Value::from(text.as_ref()),
        YamlData::Sequence(items) => {
            let item = |(number, item): (usize, &MarkedYaml<'_>)| value_of(item, &format!("{path}[{number}]"));
            Value::Array(items.iter().enumerate().map(item).collect::<Result<_, _>>()?)
        }
        YamlData::Mapping(fields) => {
            let mut object = Map::new();
            for (name, field) in fields {
                let YamlData::Value(Scalar::String(name)) = &name.data else {
                    return Err(wrong(name.span.start.line(), path, "holds a field whose name is not a text"));
                };
                object.insert(name.to_string(), value_of(field, &below(path, name))?);
            }
            Value::Object(object)
        }
        _ => return Err(wrong(line, path, "is neither a text, a number, a list nor a list of fields")),
    })
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The line a field stands on; of a field that is missing, or not to be found, the one above it.
fn line_of(root: &MarkedYaml<'_>, field: &str) -> Option<usize> {
    let mut node = root;
    let mut line = root.span.start.line();
    for step in field.split(['.', '[']).filter(|step| !step.is_empty()) {
        let found = match (&node.data, step.strip_suffix(']').and_then(|number| number.parse::<usize>().ok())) {
            (YamlData::Sequence(items), Some(number)) => items.get(number).map(|item| (item.span.start.line(), item)),
            (YamlData::Mapping(fields), None) => {
                let named = |(name, _): &(&MarkedYaml<'_>, _)| matches!(&name.data, YamlData::Value(Scalar::String(text)) if text == step);
                fields.iter().find(named).map(|(name, value)| (name.span.start.line(), value))
            }
            _ => None,
        };
        let Some((of, next)) = found else { break };
        (line, node) = (of, next);
    }
    (line > 0).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::schedule::Date;

    const YAML: &str = "\
# lorries in the old town
id: lorries
version: 1
title: {en: Lorry in the old town, zh: 货车进入老城}
severity: major
schedule:
  periods:
    - {days: [workday], from: 22:00, to: 06:00}
  holidays: [2026-10-01]
select:
  kinds: [truck]
fence:
  on: inside
  hold_s: 60
  shape:
    circle: {centre: [121.4737, 31.2304], radius_m: 1500}
";

    #[test]
    fn yaml_and_json_say_the_same() {
        let rule = read_document(YAML, None).expect("a rule");
        let json = serde_json::to_string_pretty(&rule).expect("json");
        assert_eq!(read_document(&json, None), Ok(rule.clone()));
        assert_eq!(read(json.as_bytes()), Ok(rule));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let said = |from: &str, to: &str| {
            assert!(YAML.contains(from), "{from}");
            read_document(&YAML.replace(from, to), None).expect_err(to).to_string()
        };
        assert_eq!(
            said("radius_m: 1500", "radius_m: -5"),
            "line 16: fence.shape.circle.radius_m: -5 must be above 0 and at most 100000 metres"
        );
        assert_eq!(said("on: inside", "on: within").split(':').next(), Some("line 13"));
        assert_eq!(
            said("22:00", "25:00").split(", ").next(),
            Some("line 8: schedule.periods[0].from: \"25:00\" is not a time of day")
        );
        assert_eq!(said("hold_s: 60", "holds: 60").split(':').next(), Some("line 14"));
        assert_eq!(said("severity: major\n", ""), "line 2: severity: is missing");
        assert!(said("kinds: [truck]", "kinds: [truck").starts_with("line 12: "));
        assert!(said("version: 1", "version: 1\nversion: 2").starts_with("line 4: "));
        assert!(said("hold_s: 60", "hold_s: .inf").starts_with("line 14: fence.hold_s: is not a number"));
    }

    #[test]
    fn what_is_no_single_document_is_refused() {
        for (text, said) in [
            ("", "line 1: is empty"),
            ("a: &x 1\nb: *x\n", "line 2: aliases are not taken: write out what is meant"),
            ("a: 1\n---\nb: 2\n", "line 3: is more than one document"),
            ("1: x", "line 1: holds a field whose name is not a text"),
        ] {
            assert_eq!(read_document(text, None).expect_err(text).to_string(), said, "{text}");
        }
        let twice = "{\n \"id\": \"a\",\n \"id\": \"b\"}";
        assert!(read_document(twice, None).expect_err("twice").to_string().ends_with("id: stands twice"));
    }

    #[test]
    fn the_days_of_a_calendar_are_put_in_or_it_is_refused() {
        let named = YAML.replace("holidays: [2026-10-01]", "calendar: cn");
        let day = |text: &str| Date::try_from(text.to_owned()).expect("a day");
        let cn = Calendar { holidays: vec![day("2026-10-01")], workdays: vec![day("2026-10-10")] };
        let calendars = Calendars::from([("cn".to_owned(), cn.clone())]);
        let schedule = |calendars| read_document(&named, calendars).expect("a rule").schedule.expect("a schedule");
        assert_eq!(schedule(None).holidays, []);
        assert_eq!(
            (schedule(Some(&calendars)).holidays, schedule(Some(&calendars)).workdays),
            (cn.holidays, cn.workdays)
        );
        let none = Calendars::new();
        for (calendars, known) in
            [(&none, "it has none"), (&Calendars::from([("us".to_owned(), Calendar::default())]), "it has us")]
        {
            let said = format!("line 9: schedule.calendar: cn is no calendar of this city; {known} (rule lorries)");
            assert_eq!(read_document(&named, Some(calendars)).expect_err("refused").to_string(), said);
        }
    }

    #[test]
    fn a_field_that_is_missing_is_put_in_and_one_that_stands_twice_is_found() {
        let text = r#"{"id":"a","title":{"en":"x"},"severity":"minor","silence":{"after_s":5}}"#;
        let mut document = Document::read(text).expect("a document");
        assert_eq!(document.rule(None).expect_err("refused").error.field, "version");
        assert_eq!(document.field("version", 7), Some(&7.into()));
        assert_eq!(document.field("id", "b"), Some(&"a".into()));
        assert_eq!(document.rule(None).map(|rule| (rule.id, rule.version)), Ok(("a".to_owned(), 7)));
        assert_eq!(Document::from(Value::from(5)).field("id", "a"), None);
    }
}
