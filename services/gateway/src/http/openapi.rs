//! `/openapi.json`: the routes by utoipa, the records by the published JSON Schemas.

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
    /// Fields that are wrong.
    errors: Vec<ProblemField>,
    /// Lines of a batch that were not taken, when none was.
    rejected: Option<Vec<answer::RejectedLine>>,
}

/// A field that is wrong.
#[derive(Serialize, ToSchema)]
struct ProblemField {
    /// Path of the field.
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

const OBSERVATION: &str = r#"{"type":"object","properties":{}}"#;
const REPORT: &str = r#"{"type":"object","properties":{}}"#;

/// The document as text.
pub(super) fn document() -> String {
    let mut document = serde_json::to_value(Api::openapi()).unwrap_or_default();
    let mut set = |path: &str, name: &str, value: Value| {
        if let Some(object) = document.pointer_mut(path).and_then(Value::as_object_mut) {
            object.insert(name.to_owned(), value);
        }
    };
    for (name, schema) in [("Observation", OBSERVATION), ("Report", REPORT)] {
        set("/components/schemas", name, serde_json::from_str(schema).unwrap_or_default());
    }
    let token = json!({"token": {"type": "http", "scheme": "bearer", "description": "A feed's token, or the administrator's."}});
    set("/components", "securitySchemes", token);
    for (path, name) in [("/v1/observations", "Observation"), ("/v1/reports", "Report")] {
        let place = format!("/paths/{}/post/requestBody/content/application~1json", path.replace('/', "~1"));
        set(&place, "schema", json!({"$ref": format!("#/components/schemas/{name}")}));
    }
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_and_every_record_is_described() {
        let document: Value = serde_json::from_str(&document()).expect("json");
        assert_eq!(document["openapi"], "3.1.0");
        for (path, kind, name) in [
            ("/v1/observations", "application/json", Some("Observation")),
            ("/v1/observations/batch", "application/x-ndjson", None),
            ("/v1/reports", "application/json", Some("Report")),
        ] {
            let post = &document["paths"][path]["post"];
            for status in ["202", "400", "401", "403", "409", "413", "415", "422", "429", "503"] {
                assert!(post["responses"][status].is_object(), "{path} {status}");
            }
            let schema = &post["requestBody"]["content"][kind]["schema"];
            if let Some(name) = name {
                assert_eq!(schema["$ref"], format!("#/components/schemas/{name}"));
                assert!(document["components"]["schemas"][name]["properties"].is_object(), "{name}");
            }
        }
        assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
        assert_eq!(document["info"]["license"]["name"], "Apache-2.0");
    }
}
