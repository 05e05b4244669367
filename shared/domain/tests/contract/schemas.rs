//! The published JSON Schemas: read, compiled, and tidy in themselves.

use gridwarden_domain::reject::Code;
use jsonschema::{Retrieve, Uri, Validator};
use serde_json::Value;
use std::{collections::BTreeMap, error::Error, fs, path::PathBuf};

/// Where the contract is published.
const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/schema");

/// A file or folder of the published contract.
pub(crate) fn published(name: &str) -> PathBuf {
    PathBuf::from(PUBLISHED).join(name)
}

/// A published JSON file.
pub(crate) fn json(path: &PathBuf) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of all schemas.
pub(crate) fn names() -> Vec<String> {
    let files = fs::read_dir(published("json")).expect("schemas").map(|entry| entry.expect("entry").file_name());
    let names = files.filter_map(|file| Some(file.to_str()?.strip_suffix(".schema.json")?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A schema as published.
pub(crate) fn schema(name: &str) -> Value {
    json(&published(&format!("json/{name}.schema.json")))
}

/// Finds the files a schema refers to beside it.
struct Beside;

impl Retrieve for Beside {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let file = uri.as_str().rsplit('/').next().unwrap_or_default();
        Ok(serde_json::from_str(&fs::read_to_string(published("json").join(file))?)?)
    }
}

/// A schema, compiled.
pub(crate) fn validator(name: &str) -> Validator {
    let compiled = jsonschema::options().with_retriever(Beside).build(&schema(name));
    compiled.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What a schema has against a value, in words; empty when it is valid.
pub(crate) fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Every schema inside a value (or a value that looks like one), with its path.
fn visit(value: &Value, path: &str, see: &mut impl FnMut(&str, &serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            see(path, object);
            let is_schema =
                |key: &str| path.ends_with("/properties") || !["examples", "default", "const", "enum"].contains(&key);
            for (key, inner) in object.iter().filter(|(key, _)| is_schema(key)) {
                visit(inner, &format!("{path}/{key}"), see);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| visit(item, &format!("{path}/{at}"), see))
        }
        _ => {}
    }
}

#[test]
fn every_topic_record_and_every_document_has_one() {
    let expected = [
        "alert",
        "city",
        "classes",
        "delivery",
        "entity",
        "layer",
        "mapping",
        "observation",
        "reject",
        "report",
        "rule",
        "webhook",
    ];
    assert_eq!(names(), expected);
}

#[test]
fn every_schema_is_valid_and_says_who_it_is() {
    for name in names() {
        let schema = schema(&name);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert_eq!(schema["$id"], format!("{name}.schema.json"));
        assert!(schema["title"].is_string() && schema["description"].is_string(), "{name}");
        jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        validator(&name);
    }
}

/// A misspelt keyword would be ignored by every reader.
#[test]
fn no_keyword_is_misspelt() {
    let known = [
        "$schema",
        "$id",
        "$ref",
        "$defs",
        "title",
        "description",
        "type",
        "enum",
        "const",
        "required",
        "properties",
        "items",
        "prefixItems",
        "patternProperties",
        "dependentRequired",
        "additionalProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "if",
        "then",
        "else",
        "default",
        "examples",
        "contentEncoding",
    ];
    for name in names() {
        visit(&schema(&name), "", &mut |path, object| {
            if ["/properties", "/patternProperties", "/$defs", "/dependentRequired"]
                .iter()
                .any(|names| path.ends_with(names))
            {
                return;
            }
            for keyword in object.keys() {
                assert!(known.contains(&keyword.as_str()), "{name}{path}: {keyword}");
            }
        });
    }
}

/// People read schemas: every field says what it is, itself or where it points to.
#[test]
fn every_field_is_described() {
    for name in names() {
        let schema = schema(&name);
        visit(&schema, "", &mut |path, object| {
            let in_condition = ["/if", "/then", "/else", "/anyOf", "/oneOf"].iter().any(|part| path.contains(part));
            let Some(fields) = object.get("properties").and_then(Value::as_object).filter(|_| !in_condition) else {
                return;
            };
            for (field, about) in fields {
                let pointed = about["$ref"].as_str().and_then(|to| schema.pointer(to.strip_prefix('#')?));
                let said = [Some(about), pointed].into_iter().flatten().any(|place| place["description"].is_string());
                assert!(said, "{name}{path}: {field} is not described");
            }
        });
    }
}

/// Schemas are whole in themselves, so what they share is repeated; it must be the same everywhere.
#[test]
fn what_schemas_share_is_the_same_in_all() {
    let mut first: BTreeMap<String, (String, Value)> = BTreeMap::new();
    for name in names() {
        let schema = schema(&name);
        for (shared, definition) in schema["$defs"].as_object().into_iter().flatten() {
            let (other, known) = first.entry(shared.clone()).or_insert_with(|| (name.clone(), definition.clone()));
            assert_eq!(known, definition, "{shared} of {name} is not that of {other}");
            let used = schema.to_string().contains(&format!("\"#/$defs/{shared}\""));
            assert!(used, "{name} does not use its {shared}");
        }
    }
    assert!(first.len() > 10);
}

/// The words of an `enum` in a schema, null left out.
fn words(name: &str, pointer: &str) -> Vec<String> {
    let schema = schema(name);
    let listed = schema.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{name}{pointer}"));
    let mut words: Vec<String> = listed.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
    words.sort();
    words
}

/// The words the code knows, as serde tells them when it is given another.
fn known<T: serde::de::DeserializeOwned>() -> Vec<String> {
    let error = serde_json::from_str::<T>("\"no such word\"").err().expect("unknown").to_string();
    let listed = error.split_once("expected ").expect("the known words").1;
    let mut words: Vec<String> = listed.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    words.sort();
    assert!(words.len() > 1, "{error}");
    words
}

#[test]
fn schemas_and_code_know_the_same_words() {
    use gridwarden_domain::{alert, city, class, crs, delivery, mapping, report, rule};
    assert_eq!(words("observation", "/$defs/crs/enum"), known::<crs::Crs>());
    assert_eq!(words("report", "/properties/channel/enum"), known::<report::Channel>());
    assert_eq!(words("report", "/properties/class/properties/kind/enum"), known::<class::ClassKind>());
    assert_eq!(words("rule", "/$defs/severity/enum"), known::<rule::Severity>());
    assert_eq!(words("rule", "/properties/threshold/properties/side/enum"), known::<rule::Side>());
    assert_eq!(words("rule", "/properties/fence/properties/on/enum"), known::<rule::Crossing>());
    assert_eq!(words("alert", "/properties/transition/enum"), known::<alert::Transition>());
    // A storm is of no rule.
    let kinds: Vec<String> =
        words("alert", "/properties/kind/enum").into_iter().filter(|kind| kind != "storm").collect();
    assert_eq!(kinds, known::<rule::Condition>());
    assert_eq!(words("delivery", "/properties/state/enum"), known::<delivery::State>());
    assert_eq!(words("reject", "/properties/reason/properties/code/enum"), known::<Code>());
    assert_eq!(words("city", "/$defs/feed/properties/may/items/enum"), known::<city::Intake>());
    assert_eq!(words("mapping", "/properties/target/enum"), known::<mapping::Target>());
    assert_eq!(words("mapping", "/properties/format/enum"), known::<mapping::Format>());
    let shapes =
        schema("rule")["$defs"]["shape"]["properties"].as_object().expect("shapes").keys().cloned().collect::<Vec<_>>();
    assert_eq!(shapes, known::<rule::Shape>());
    let subjects = schema("alert")["properties"]["subject"]["properties"].as_object().expect("subjects").clone();
    let mut subjects: Vec<String> = subjects.keys().cloned().collect();
    subjects.sort();
    assert_eq!(subjects, known::<alert::Subject>());
}
