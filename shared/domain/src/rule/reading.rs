//! Reading a rule document. By hand in two steps, because serde cannot both flatten the condition and refuse unknown fields.

use super::{
    Condition, Rule,
    validity::{RuleError, validate, wrong},
};
use crate::strict;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// The kinds of condition, by the field that holds them.
const CONDITIONS: [&str; 7] = ["threshold", "fence", "silence", "density", "proximity", "cluster", "window"];

/// Reads and checks a rule document (JSON). The error names the field and, where a value has the wrong form, its line and
/// column.
pub fn read(text: &[u8]) -> Result<Rule, RuleError> {
    let mut document = Document::of(text)?;
    let rule = Rule {
        id: document.required("id")?,
        version: document.required("version")?,
        title: document.required("title")?,
        severity: document.required("severity")?,
        urgency: document.optional("urgency")?.unwrap_or_default(),
        certainty: document.optional("certainty")?.unwrap_or_default(),
        state: document.optional("state")?.unwrap_or_default(),
        schedule: document.optional::<Option<_>>("schedule")?.flatten(),
        reorder_s: document.optional("reorder_s")?.unwrap_or_default(),
        update_s: document.optional("update_s")?.unwrap_or_default(),
        storm_per_minute: document.optional::<Option<_>>("storm_per_minute")?.flatten(),
        changed: document.optional::<Option<_>>("changed")?.flatten(),
        select: document.optional("select")?.unwrap_or_default(),
        condition: condition(&mut document)?,
    };
    if let Some(unknown) = document.fields.keys().next() {
        return wrong(unknown.clone(), "is not a field of a rule");
    }
    validate(&rule)?;
    Ok(rule)
}

fn condition(document: &mut Document<'_>) -> Result<Condition, RuleError> {
    let present = |name: &&str| document.fields.contains_key(*name);
    let kinds: Vec<&str> = CONDITIONS.into_iter().filter(present).collect();
    match kinds.as_slice() {
        ["threshold"] => document.required("threshold").map(Condition::Threshold),
        ["fence"] => document.required("fence").map(Condition::Fence),
        ["silence"] => document.required("silence").map(Condition::Silence),
        ["density"] => document.required("density").map(Condition::Density),
        ["proximity"] => document.required("proximity").map(Condition::Proximity),
        ["cluster"] => document.required("cluster").map(Condition::Cluster),
        ["window"] => document.required("window").map(Condition::Window),
        [] => wrong("", format!("has none of {}", CONDITIONS.join(", "))),
        many => wrong("", format!("has more than one condition: {}", many.join(", "))),
    }
}

/// A document whose fields are not read yet.
struct Document<'a> {
    text: &'a str,
    fields: BTreeMap<String, &'a RawValue>,
}

impl<'a> Document<'a> {
    fn of(text: &'a [u8]) -> Result<Self, RuleError> {
        let text = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(error) => return wrong("", format!("is not UTF-8 at byte {}", error.valid_up_to())),
        };
        match serde_json::from_str::<Entries<'a>>(text) {
            Ok(Entries { twice: Some(name), .. }) => wrong(name, "stands twice"),
            Ok(Entries { fields, .. }) => Ok(Self { text, fields }),
            Err(error) => wrong("", format!("is not a JSON object: {error}")),
        }
    }

    fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, RuleError> {
        match self.optional(name)? {
            Some(value) => Ok(value),
            None => wrong(name, "is missing"),
        }
    }

    fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, RuleError> {
        let Some(raw) = self.fields.remove(name) else {
            return Ok(None);
        };
        strict::part(name, raw.get()).map(Some).or_else(|reason| match serde_json::from_str::<T>(raw.get()) {
            Err(error) => wrong(reason.field, self.said(raw, &error)),
            // serde_json takes a list of its fields for an object.
            Ok(_) => wrong(reason.field, reason.detail),
        })
    }

    /// What a field's reader said, with the place counted from the document's begin instead of the field's.
    fn said(&self, raw: &RawValue, error: &serde_json::Error) -> String {
        let message = error.to_string();
        let detail = message.split(" at line ").next().unwrap_or_default();
        let begin = raw.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let before = self.text.get(..begin).unwrap_or_default();
        let lines = before.matches('\n').count();
        let column = before.rsplit('\n').next().map_or(0, str::len);
        let column = if error.line() > 1 { error.column() } else { column + error.column() };
        format!("{detail} (line {}, column {column})", lines + error.line())
    }
}

/// The fields of an object by name, and one that stands twice.
struct Entries<'a> {
    fields: BTreeMap<String, &'a RawValue>,
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
        let mut entries = Entries { fields: BTreeMap::new(), twice: None };
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            if entries.fields.insert(name.clone(), value).is_some() {
                entries.twice = Some(name);
            }
        }
        Ok(entries)
    }
}
