//! Reading a rule document. By hand in two steps, because serde cannot both flatten the condition and refuse unknown fields.

use super::{
    Condition, Rule,
    validity::{RuleError, validate, wrong},
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The kinds of condition, by the field that holds them.
const CONDITIONS: [&str; 2] = ["threshold", "fence"];

type Fields = BTreeMap<String, Box<RawValue>>;

/// Reads and checks a rule document (JSON). The error names the field.
pub fn read(text: &[u8]) -> Result<Rule, RuleError> {
    let mut fields: Fields = match serde_json::from_slice(text) {
        Ok(fields) => fields,
        Err(error) => return wrong("", format!("is not a JSON object: {error}")),
    };
    let rule = Rule {
        id: required(&mut fields, "id")?,
        version: required(&mut fields, "version")?,
        title: required(&mut fields, "title")?,
        severity: required(&mut fields, "severity")?,
        select: optional(&mut fields, "select")?.unwrap_or_default(),
        condition: condition(&mut fields)?,
    };
    if let Some(unknown) = fields.keys().next() {
        return wrong(unknown.clone(), "is not a field of a rule");
    }
    validate(&rule)?;
    Ok(rule)
}

fn condition(fields: &mut Fields) -> Result<Condition, RuleError> {
    let present = |name: &&str| fields.contains_key(*name);
    let kinds: Vec<&str> = CONDITIONS.into_iter().filter(present).collect();
    match kinds.as_slice() {
        ["threshold"] => required(fields, "threshold").map(Condition::Threshold),
        ["fence"] => required(fields, "fence").map(Condition::Fence),
        [] => wrong("", "has neither threshold nor fence"),
        _ => wrong("", "has more than one of threshold and fence"),
    }
}

fn required<T: DeserializeOwned>(fields: &mut Fields, name: &str) -> Result<T, RuleError> {
    match optional(fields, name)? {
        Some(value) => Ok(value),
        None => wrong(name, "is missing"),
    }
}

fn optional<T: DeserializeOwned>(fields: &mut Fields, name: &str) -> Result<Option<T>, RuleError> {
    let Some(raw) = fields.remove(name) else {
        return Ok(None);
    };
    match serde_json::from_str(raw.get()) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let message = error.to_string();
            // The position counts from the field's own text, which would mislead.
            let detail = message.split(" at line ").next().unwrap_or_default();
            wrong(name, detail)
        }
    }
}
