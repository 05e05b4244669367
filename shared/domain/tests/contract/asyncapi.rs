//! The AsyncAPI document names the topics of `topics.toml` with their settings, and what it refers to is there.

use crate::schemas::{self, published};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, fs};
use yaml_rust2::{Yaml, YamlLoader};

fn document() -> Value {
    let text = fs::read_to_string(published("asyncapi.yaml")).expect("asyncapi.yaml");
    let documents = YamlLoader::load_from_str(&text).expect("YAML");
    assert_eq!(documents.len(), 1);
    value(&documents[0])
}

fn value(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) => json!(text),
        Yaml::Integer(number) => json!(number),
        Yaml::Boolean(yes) => json!(yes),
        Yaml::Array(items) => items.iter().map(value).collect(),
        Yaml::Hash(entries) => {
            let entry = |(name, inner): (&Yaml, &Yaml)| (name.as_str().expect("a name").to_owned(), value(inner));
            Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
        other => panic!("{other:?} does not belong here"),
    }
}

/// A topic as `topics.toml` describes it, in the words of AsyncAPI's Kafka binding.
fn wanted() -> Vec<Value> {
    let text = fs::read_to_string(published("topics.toml")).expect("topics.toml");
    let table: toml::Table = toml::from_str(&text).expect("TOML");
    let topics = table["topic"].as_array().expect("topics");
    let binding = |topic: &toml::Value| {
        let number = |name: &str| topic.get(name).and_then(toml::Value::as_integer);
        let cleanup = topic.get("cleanup").and_then(toml::Value::as_str).unwrap_or("delete");
        let mut settings = json!({"cleanup.policy": [cleanup], "retention.ms": number("retention_ms")});
        if let Some(bytes) = number("max_message_bytes") {
            settings["max.message.bytes"] = bytes.into();
        }
        let name = topic["name"].as_str().expect("a name");
        json!({"topic": name, "partitions": number("partitions"), "topicConfiguration": settings, "bindingVersion": "0.5.0"})
    };
    topics.iter().map(binding).collect()
}

/// The city's mappings must keep off these.
#[test]
fn the_code_knows_the_topics_of_the_table() {
    let named = |binding: Value| binding["topic"].as_str().map(str::to_owned);
    let table: BTreeSet<String> = wanted().into_iter().filter_map(named).collect();
    assert_eq!(table, gridwarden_domain::city::OWN_TOPICS.into_iter().map(str::to_owned).collect());
}

fn by_topic(mut bindings: Vec<Value>) -> Vec<Value> {
    bindings.sort_by_key(|binding| binding["topic"].as_str().map(str::to_owned));
    bindings
}

#[test]
fn it_names_exactly_the_topics_of_the_table_with_their_settings() {
    let document = document();
    assert_eq!(document["asyncapi"], "3.0.0");
    let channels = document["channels"].as_object().expect("channels");
    for (name, channel) in channels {
        assert_eq!(channel["address"], channel["bindings"]["kafka"]["topic"], "{name}");
        assert_eq!(channel["address"], format!("{name}.v1"));
    }
    let described = channels.values().map(|channel| channel["bindings"]["kafka"].clone()).collect();
    assert_eq!(by_topic(described), by_topic(wanted()));
}

/// Every `$ref` with the pointer of the place it stands in.
fn references(value: &Value, pointer: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match inner.as_str() {
                    Some(target) if name == "$ref" => found.push((pointer.to_owned(), target.to_owned())),
                    _ => references(inner, &format!("{pointer}/{name}"), found),
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| references(item, &format!("{pointer}/{at}"), found))
        }
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut found = Vec::new();
    references(&document, "", &mut found);
    assert!(found.len() > 50);
    for (place, target) in found {
        match target.strip_prefix('#') {
            Some(pointer) => assert!(document.pointer(pointer).is_some(), "{place}: {target}"),
            None => assert!(published(&target).is_file(), "{place}: {target}"),
        }
    }
}

/// The JSON Schema files a channel's messages refer to.
fn schemas_of(document: &Value, channel: &Value) -> BTreeSet<String> {
    let messages = channel["messages"].as_object().expect("messages");
    let message = |reference: &Value| {
        let pointer = reference["$ref"].as_str().and_then(|target| target.strip_prefix('#')).expect("a reference");
        document.pointer(pointer).expect("a message").clone()
    };
    let schema = |message: Value| message["payload"]["schema"]["$ref"].as_str().map(str::to_owned);
    messages.values().map(message).filter_map(schema).collect()
}

#[test]
fn every_record_has_its_schema_and_every_schema_of_a_record_its_topic() {
    let document = document();
    let mut used = BTreeSet::new();
    for (name, channel) in document["channels"].as_object().expect("channels") {
        let schemas = schemas_of(&document, channel);
        assert_eq!(schemas.len(), 1, "{name}");
        for schema in &schemas {
            let about = schemas::json(&published(schema))["description"].as_str().expect("words").to_owned();
            assert!(about.contains(&format!("{name}.v1")), "{schema} does not name {name}.v1");
        }
        used.extend(schemas);
    }
    let documents = ["city", "classes", "mapping", "webhook"];
    let records = schemas::names().into_iter().filter(|name| !documents.contains(&name.as_str()));
    assert_eq!(used, records.map(|name| format!("json/{name}.schema.json")).collect());
}

#[test]
fn every_topic_has_a_writer_and_its_messages_are_those_of_its_channel() {
    let document = document();
    let operations = document["operations"].as_object().expect("operations");
    let mut written = BTreeSet::new();
    for (name, operation) in operations {
        let channel = operation["channel"]["$ref"].as_str().expect("a channel");
        if operation["action"] == "send" {
            written.insert(channel.trim_start_matches("#/channels/").to_owned());
        } else {
            assert_eq!(operation["action"], "receive", "{name}");
        }
        let who = operation["tags"][0]["name"].as_str().expect("who");
        let verb = if operation["action"] == "send" { "Sends" } else { "Receives" };
        assert!(name.starts_with(&format!("{who}{verb}")), "{name}");
        for message in operation["messages"].as_array().into_iter().flatten() {
            assert!(
                message["$ref"].as_str().is_some_and(|target| target.starts_with(&format!("{channel}/messages/"))),
                "{name}"
            );
        }
    }
    assert_eq!(written, document["channels"].as_object().expect("channels").keys().cloned().collect());
}
