//! Who may ask: the administrator's bearer token, or the session cookie it was exchanged for.

use super::Api;
use super::model::ProblemView;
use crate::session;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::Problem;

fn may(api: &Api, headers: &HeaderMap) -> bool {
    if api.auth.is_admin(headers) {
        return true;
    }
    let Some(secret) = &api.auth.admin_token else { return false };
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.filter_map(session::of_header).any(|value| session::is_good(secret, value, now_ms() / 1000))
}

/// Lets those in who may.
pub(super) async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    if may(&api, request.headers()) {
        return next.run(request).await;
    }
    Problem::unauthorized("this needs the administrator's token as a bearer token, or a session").into_response()
}

/// Whether the page came by HTTPS (a proxy says so): then the cookie may only go by HTTPS.
fn is_secure(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"))
}

fn with_cookie(cookie: &str) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// Exchanges the bearer token for a session cookie (HttpOnly, SameSite=Strict).
#[utoipa::path(post, path = "/session", tag = "session",
    responses((status = 204, description = "the cookie is set"), (status = 401, body = ProblemView)))]
pub(super) async fn open(State(api): State<Api>, headers: HeaderMap) -> Response {
    let secret = api.auth.admin_token.as_ref().filter(|_| api.auth.is_admin(&headers));
    let until = now_ms() / 1000 + api.session_s;
    match secret.and_then(|secret| session::sign(secret, until)) {
        Some(value) => with_cookie(&session::header(&value, api.session_s, is_secure(&headers))),
        None => Problem::unauthorized("this is not the administrator's token").into_response(),
    }
}

/// Ends the session of this browser.
#[utoipa::path(delete, path = "/session", tag = "session", responses((status = 204, description = "the cookie is gone")))]
pub(super) async fn close(headers: HeaderMap) -> Response {
    with_cookie(&session::header("", 0, is_secure(&headers)))
}
