//! The shelf of rules: who may is decided here, the stream answers. `description` takes over what the stream says of its API.

use super::Api;
use crate::access::{Action, Person};
use crate::relay::{Asked, Signed};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, OriginalUri, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Router, http::uri::PathAndQuery};
use gridwarden_runtime::http::Problem;

/// Longest body, as the stream has it.
const LONGEST: usize = 32 * 1024 * 1024;

/// The routes that are passed on. What is no plain look says what it is.
pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/api/v1/rules", get(look))
        .route("/api/v1/rules/check", post(attempt))
        .route("/api/v1/rules/{id}", get(look).merge(put(write)))
        .route("/api/v1/rules/{id}/versions", get(look))
        .route("/api/v1/rules/{id}/versions/{version}", get(look))
        .route("/api/v1/rules/{id}/diff", get(look))
        .route("/api/v1/rules/{id}/state", post(change))
        .route("/api/v1/rules/{id}/rollback", post(change))
        .route("/api/v1/backtests", get(look).merge(post(attempt)))
        .route("/api/v1/backtests/{number}", get(look).merge(delete(attempt)))
        .layer(DefaultBodyLimit::max(LONGEST))
}

/// Who asks for what.
type Came = (State<Api>, Extension<Person>, Method, OriginalUri, HeaderMap);

async fn look(came: Came) -> Response {
    pass(came, Bytes::new(), (Action::Look, Signed::Not)).await
}

async fn attempt(came: Came, body: Bytes) -> Response {
    pass(came, body, (Action::TryRules, Signed::Not)).await
}

async fn change(came: Came, body: Bytes) -> Response {
    pass(came, body, (Action::ChangeRules, Signed::Body)).await
}

async fn write(came: Came, body: Bytes) -> Response {
    pass(came, body, (Action::ChangeRules, Signed::Query)).await
}

/// The stream's path of ours.
fn beyond(uri: &Uri) -> String {
    let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    whole.strip_prefix("/api").unwrap_or(whole).to_owned()
}

async fn pass(came: Came, body: Bytes, (action, signed): (Action, Signed)) -> Response {
    let (State(api), Extension(person), method, uri, headers) = came;
    if let Err(refused) = person.may(action) {
        return Problem::new(StatusCode::FORBIDDEN).detail(refused.to_string()).into_response();
    }
    let asked = Asked { method, path: beyond(&uri), body };
    match asked.signed(&person, signed) {
        Ok(asked) => api.relay.ask(asked, &headers).await,
        Err(problem) => problem.into_response(),
    }
}
