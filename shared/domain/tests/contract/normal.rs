//! One form for values that say the same: what a schema gives a default is written out, null where it means missing is left
//! out, and a number is a number however it is written.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A schema, and which of its properties were seen.
pub(crate) struct Normal<'a> {
    schema: &'a Value,
    /// JSON pointers of properties that held something.
    pub(crate) seen: BTreeSet<String>,
}

impl<'a> Normal<'a> {
    pub(crate) fn new(schema: &'a Value) -> Self {
        Self { schema, seen: BTreeSet::new() }
    }

    /// The value's normal form.
    pub(crate) fn of(&mut self, value: &Value) -> Value {
        self.form("", value)
    }

    /// Pointers of every schema that a value at `pointer` is held to, conditions left out.
    fn parts(&self, pointer: &str) -> Vec<String> {
        let Some(here) = self.schema.pointer(pointer) else { return Vec::new() };
        let mut parts = vec![pointer.to_owned()];
        if let Some(target) = here["$ref"].as_str().and_then(|target| target.strip_prefix('#')) {
            parts.extend(self.parts(target));
        }
        for of in ["anyOf", "oneOf", "allOf"] {
            let count = here[of].as_array().map_or(0, Vec::len);
            parts.extend((0..count).flat_map(|at| self.parts(&format!("{pointer}/{of}/{at}"))));
        }
        parts
    }

    /// Properties by name: where each is described.
    fn properties(&self, parts: &[String]) -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for part in parts {
            let properties = self.schema.pointer(part).and_then(|part| part["properties"].as_object());
            for name in properties.into_iter().flat_map(|properties| properties.keys()) {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                found.entry(name.clone()).or_default().push(format!("{part}/properties/{escaped}"));
            }
        }
        found
    }

    /// Where a property is described that has no name of its own.
    fn others(&self, parts: &[String]) -> Vec<String> {
        parts.iter().flat_map(|part| self.parts(&format!("{part}/additionalProperties"))).collect()
    }

    fn form(&mut self, pointer: &str, value: &Value) -> Value {
        self.form_all(&self.parts(pointer), value)
    }

    fn form_all(&mut self, parts: &[String], value: &Value) -> Value {
        match value {
            Value::Object(fields) => self.object(parts, fields),
            Value::Array(items) => {
                let inner: Vec<String> = parts.iter().flat_map(|part| self.parts(&format!("{part}/items"))).collect();
                Value::Array(items.iter().map(|item| self.form_all(&inner, item)).collect())
            }
            Value::Number(number) => json!(number.as_f64().expect("finite")),
            other => other.clone(),
        }
    }

    fn object(&mut self, parts: &[String], fields: &serde_json::Map<String, Value>) -> Value {
        let properties = self.properties(parts);
        let mut form = serde_json::Map::new();
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let inner = match properties.get(name) {
                Some(places) => places.iter().flat_map(|place| self.parts(place)).collect(),
                None => self.others(parts),
            };
            self.seen.extend(properties.get(name).into_iter().flatten().cloned());
            form.insert(name.clone(), self.form_all(&inner, value));
        }
        for (name, places) in &properties {
            let default = places.iter().find_map(|place| self.schema.pointer(place)?.get("default"));
            if let (Some(default), false) = (default.cloned(), form.contains_key(name)) {
                let seen = self.seen.clone();
                let inner: Vec<String> = places.iter().flat_map(|place| self.parts(place)).collect();
                form.insert(name.clone(), self.form_all(&inner, &default));
                self.seen = seen;
            }
        }
        Value::Object(form)
    }
}
