//! The API's description, finished: what holds for every route is put in once, so that no route can forget it.

use super::model::AlertsNews;
use crate::live::book::{Fresh, Moves};
use crate::live::diff::ValueChanges;
use crate::live::stream::Tick;
use serde_json::{Value, json};
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

/// What is missing in what the routes say of themselves: problems have their own media type, and who may ask.
pub(super) fn finish(mut description: Value) -> Value {
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
    if let Some((above, name)) = pointer.rsplit_once('/')
        && let Some(Value::Object(object)) = whole.pointer_mut(above)
    {
        object.insert(name.to_owned(), value);
    }
}
