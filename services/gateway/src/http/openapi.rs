//! `/openapi.json`: the routes by utoipa, the records by the published JSON Schemas, word for word.

use super::{answer, batch, single};
use crate::writer::Place;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

/// A problem after RFC 9457.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDocument {
    /// `about:blank`.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// HTTP status.
    status: u16,
    /// What happened.
    detail: Option<String>,
    /// Fields (or headers) that are wrong.
    errors: Option<Vec<ProblemField>>,
    /// Lines of a batch that were not taken, when none was.
    rejected: Option<Vec<answer::RejectedLine>>,
}

/// A field that is wrong.
#[derive(Serialize, ToSchema)]
struct ProblemField {
    /// Path of the field; empty for the whole record.
    field: String,
    /// What is wrong with it.
    detail: String,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gridwarden gateway",
        description = "Observations and reports by HTTP. 202 means: Kafka has acknowledged.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(single::observation, batch::observations, single::report),
    components(schemas(
        answer::Accepted,
        answer::BatchAccepted,
        answer::RejectedLine,
        Place,
        ProblemDocument,
        ProblemField
    ))
)]
struct Api;

const OBSERVATION: &str = include_str!("../../../../infra/schema/json/observation.schema.json");
const REPORT: &str = include_str!("../../../../infra/schema/json/report.schema.json");

/// The document as text.
pub(super) fn document() -> String {
    let mut document = serde_json::to_value(Api::openapi()).unwrap_or_default();
    let mut set = |path: &str, name: &str, value: Value| {
        if let Some(object) = document.pointer_mut(path).and_then(Value::as_object_mut) {
            object.insert(name.to_owned(), value);
        }
    };
    set("/components/schemas", "Observation", record("Observation", OBSERVATION));
    let mut report = record("Report", REPORT);
    if let Some(required) = report.get_mut("required").and_then(Value::as_array_mut) {
        // A report without id is given one.
        required.retain(|name| name != "id");
    }
    set("/components/schemas", "Report", report);
    let token = json!({"token": {"type": "http", "scheme": "bearer", "description": "A feed's token, or the administrator's."}});
    set("/components", "securitySchemes", token);
    for (path, name) in [("/v1/observations", "Observation"), ("/v1/reports", "Report")] {
        let place = format!("/paths/{}/post/requestBody/content/application~1json", path.replace('/', "~1"));
        set(&place, "schema", json!({"$ref": format!("#/components/schemas/{name}")}));
    }
    document.to_string()
}

/// A published schema as a component: without a base of its own, so that its references begin at the document's root.
fn record(name: &str, schema: &str) -> Value {
    let mut schema: Value = serde_json::from_str(schema).unwrap_or_default();
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        object.remove("$id");
    }
    rebase(&mut schema, &format!("#/components/schemas/{name}/"));
    schema
}

/// References below `value` that begin at `#/` begin at `base`.
fn rebase(value: &mut Value, base: &str) {
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                match inner {
                    Value::String(target) if key == "$ref" => {
                        if let Some(rest) = target.strip_prefix("#/") {
                            *target = format!("{base}{rest}");
                        }
                    }
                    inner => rebase(inner, base),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rebase(item, base)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed() -> Value {
        serde_json::from_str(&document()).expect("json")
    }

    #[test]
    fn every_route_and_every_record_is_described() {
        let document = parsed();
        assert_eq!(document["openapi"], "3.1.0");
        for (path, kind, name) in [
            ("/v1/observations", "application/json", Some("Observation")),
            ("/v1/observations/batch", "application/x-ndjson", None),
            ("/v1/reports", "application/json", Some("Report")),
        ] {
            let post = &document["paths"][path]["post"];
            for status in ["202", "400", "401", "403", "408", "409", "413", "415", "422", "429", "503"] {
                assert!(post["responses"][status].is_object(), "{path} {status}");
            }
            let schema = &post["requestBody"]["content"][kind]["schema"];
            if let Some(name) = name {
                assert_eq!(schema["$ref"], format!("#/components/schemas/{name}"));
            }
        }
        assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
        assert_eq!(document["info"]["license"]["name"], "Apache-2.0");
    }

    #[test]
    fn records_are_those_of_the_contract_but_a_report_needs_no_id() {
        let document = parsed();
        let required = |name: &str| document["components"]["schemas"][name]["required"].clone();
        assert_eq!(required("Observation"), json!(["source", "kind", "time"]));
        assert_eq!(required("Report"), json!(["channel", "class", "time"]));
        assert_eq!(required("Problem"), json!(["type", "title", "status"]));
    }

    /// Every `$ref` in the document.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (key, inner) in object {
                    match inner {
                        Value::String(target) if key == "$ref" => found.push(target.clone()),
                        inner => references(inner, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = parsed();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for target in found {
            let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{target} leads outside"));
            assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
        }
    }
}
