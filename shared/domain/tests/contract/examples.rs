//! Every published example is valid, is read by the code that reads such things, and is written again as it was.

use crate::{
    normal::Normal,
    reading::{as_read, round},
    schemas,
};
use gridwarden_domain::control::Fold;
use serde_json::Value;
use std::fs;

/// The examples of a schema, by the name of their file; those inside the schema too.
pub(crate) fn examples(name: &str) -> Vec<(String, Value)> {
    let folder = schemas::published("json/examples").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    let file = |path: &std::path::PathBuf| {
        (path.file_name().expect("name").to_string_lossy().into_owned(), schemas::json(path))
    };
    let mut examples: Vec<(String, Value)> = paths.iter().map(file).collect();
    let schema = schemas::schema(name);
    let inside = schema["examples"].as_array().into_iter().flatten();
    examples.extend(inside.map(|example| (format!("{name}.schema.json"), example.clone())));
    examples
}

#[test]
fn every_example_is_valid_and_means_the_same_after_it_was_read_and_written() {
    for name in schemas::names() {
        let (schema, validator) = (schemas::schema(&name), schemas::validator(&name));
        let examples = examples(&name);
        assert!(examples.len() >= 2, "{name} has too few examples");
        for (file, example) in examples {
            assert_eq!(schemas::faults(&validator, &example), [""; 0], "{name}/{file}");
            let again = round(&name, &example).unwrap_or_else(|error| panic!("{name}/{file}: {error}"));
            assert_eq!(schemas::faults(&validator, &again), [""; 0], "{name}/{file}, written again");
            let mut normal = Normal::new(&schema);
            assert_eq!(normal.of(&again), normal.of(&as_read(&name, &example)), "{name}/{file}");
        }
    }
}

/// Pointers of every property of a schema that is not part of a condition.
fn properties(value: &Value, pointer: &str, found: &mut Vec<String>) {
    let Value::Object(object) = value else {
        let items = value.as_array().into_iter().flatten().enumerate();
        items.for_each(|(at, item)| properties(item, &format!("{pointer}/{at}"), found));
        return;
    };
    for (key, inner) in object {
        let below = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        if ["if", "then", "else", "not", "examples", "default", "enum", "const"].contains(&key.as_str())
            && !pointer.ends_with("/properties")
        {
            continue;
        }
        if pointer.ends_with("/properties") {
            found.push(below.clone());
        }
        properties(inner, &below, found);
    }
}

#[test]
fn every_field_stands_in_an_example() {
    for name in schemas::names() {
        let schema = schemas::schema(&name);
        let mut normal = Normal::new(&schema);
        for (_, example) in examples(&name) {
            normal.of(&example);
        }
        let mut all = Vec::new();
        properties(&schema, "", &mut all);
        let missing: Vec<&String> = all.iter().filter(|pointer| !normal.seen.contains(*pointer)).collect();
        assert!(missing.is_empty() && !all.is_empty(), "{name}: no example has {missing:?}");
    }
}

#[test]
fn the_examples_of_layer_records_are_a_layer_in_force() {
    let mut fold = Fold::new();
    for (file, example) in
        examples("layer").into_iter().filter(|(file, _)| file.ends_with(".json") && !file.contains("schema"))
    {
        let bytes = serde_json::to_vec(&example).expect("JSON");
        fold.layer(b"grid", Some(&bytes), 0).unwrap_or_else(|reason| panic!("{file}: {reason}"));
    }
    let timeline = fold.timeline();
    let set = timeline.layers_at(i64::MAX);
    let mut places = gridwarden_domain::locate::Places::new();
    set.locate(121.471, 31.231, 1_780_000_000_000, &mut places);
    let codes: Vec<String> = set.area_refs(&places).into_iter().map(|area| area.code).collect();
    assert_eq!(codes, ["310101001001001", "310101"]);
}

/// The documents of a real city, as people wrote them.
#[test]
fn the_city_of_los_angeles_is_valid() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cities/la"));
    for (file, name) in [("city.toml", "city"), ("classes.toml", "classes"), ("requests.toml", "mapping")] {
        let text = fs::read_to_string(folder.join(file)).expect(file);
        let document: Value = toml::from_str(&text).expect(file);
        assert_eq!(schemas::faults(&schemas::validator(name), &document), [""; 0], "{file}");
    }
    let rules = fs::read_dir(folder.join("rules")).expect("rules");
    let paths: Vec<_> = rules.map(|entry| entry.expect("entry").path()).collect();
    assert_eq!(paths.len(), 4);
    for path in paths {
        assert_eq!(schemas::faults(&schemas::validator("rule"), &schemas::json(&path)), [""; 0], "{}", path.display());
    }
}
