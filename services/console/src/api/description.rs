//! The API's description, finished: what holds for every route is put in once, so that no route can forget it.

use super::model::AlertsNews;
use crate::live::book::{Fresh, Moves};
use crate::live::diff::ValueChanges;
use crate::live::stream::Tick;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gridwarden console",
        description = "What the city's numbers are. Times in answers are epoch milliseconds; times in questions are RFC 3339 or epoch milliseconds. Errors are RFC 9457 problems that name the parameter.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Moves, Fresh, ValueChanges, AlertsNews, Tick))
)]
pub(super) struct Description;

/// What the stream says of the part of its API that is passed on: paths, and the schemas they name.
const RULES: &str = include_str!("../../../../infra/schema/openapi/rules.json");
/// Schemas of the stream stand beside ours under names of their own.
const SCHEMAS: &str = "#/components/schemas/";

/// Takes over what the stream says of rules and back-tests; whoever is not let through hears why.
fn with_rules(description: &mut Value) {
    let renamed = RULES.replace(SCHEMAS, &format!("{SCHEMAS}Rules"));
    let mut rules: Value = serde_json::from_str(&renamed).unwrap_or_default();
    let mut take = |pointer: &str| match rules.pointer_mut(pointer).map(Value::take) {
        Some(Value::Object(found)) => found,
        _ => Map::new(),
    };
    let (paths, schemas) = (take("/paths"), take("/components/schemas"));
    for (path, mut item) in paths {
        if !(path.starts_with("/v1/rules") || path.starts_with("/v1/backtests")) {
            continue;
        }
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            put(operation, "/tags", json!(["rules"]));
            for status in ["403", "501", "503", "504"] {
                put(operation, &format!("/responses/{status}"), json!({}));
            }
        }
        put_named(description, "/paths", format!("/api{path}"), item);
    }
    for (name, schema) in schemas {
        put_named(description, "/components/schemas", format!("Rules{name}"), schema);
    }
}

/// What is missing in what the routes say of themselves: problems have their own media type, and who may ask.
pub(super) fn finish(mut description: Value) -> Value {
    with_rules(&mut description);
    let mut each = |operation: &mut Value| {
        // A route that says itself who may ask is not guarded.
        if operation.get("security").is_none() {
            put(operation, "/security", json!([{ "token": [] }, { "session": [] }]));
            put(operation, "/responses/401", problem());
        }
        let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
        for (status, response) in responses {
            if status.starts_with(['4', '5']) {
                *response = problem();
            }
        }
    };
    if let Some(Value::Object(paths)) = description.get_mut("paths") {
        let items = paths.values_mut().filter_map(Value::as_object_mut);
        items.flat_map(|item| item.values_mut()).filter(|one| one.get("responses").is_some()).for_each(&mut each);
    }
    let ways = json!({
        "token": { "type": "http", "scheme": "bearer", "description": "the administrator's token" },
        "session": { "type": "apiKey", "in": "cookie", "name": crate::session::COOKIE, "description": "set by POST /api/v1/session" },
    });
    put(&mut description, "/components/securitySchemes", ways);
    description
}

fn problem() -> Value {
    json!({
        "description": "a problem, with the parameter that is wrong",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/ProblemView" } } },
    })
}

/// Puts a value where a JSON pointer says; the object above is there.
fn put(whole: &mut Value, pointer: &str, value: Value) {
    if let Some((above, name)) = pointer.rsplit_once('/') {
        put_named(whole, above, name.to_owned(), value);
    }
}

/// Puts a value into the object a JSON pointer names.
fn put_named(whole: &mut Value, pointer: &str, name: String, value: Value) {
    if let Some(Value::Object(object)) = whole.pointer_mut(pointer) {
        object.insert(name, value);
    }
}
