//! Who may ask: the administrator's bearer token, or the session cookie it was exchanged for.
//!
//! A cookie can do nothing from elsewhere: it is SameSite=Strict, no answer allows another origin, and what is not a plain
//! question needs the token itself or comes from our own pages (`Sec-Fetch-Site`).

use super::Api;
use super::model::ProblemView;
use crate::session::{self, Session};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::Problem;

fn session_of(api: &Api, headers: &HeaderMap) -> Option<Session> {
    let secret = api.auth.admin_token.as_ref()?;
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.filter_map(session::of_header).find_map(|value| Session::read(secret, value, now_ms() / 1000))
}

/// Lets those in who may, and keeps the sessions of watched pages alive.
pub(super) async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    if api.auth.is_admin(request.headers()) {
        return next.run(request).await;
    }
    let Some(session) = session_of(&api, request.headers()) else {
        let why = "this needs the administrator's token as a bearer token, or a session";
        return Problem::unauthorized(why).into_response();
    };
    let secure = is_secure(request.headers());
    let response = next.run(request).await;
    match session.renewed(now_ms() / 1000, api.lasting) {
        Some(renewed) => with_cookie(response, &signed(&api, renewed, secure)),
        None => response,
    }
}

/// Refuses what another site's page sends on its own: a question changes nothing, everything else might.
pub(super) async fn same_site(request: Request, next: Next) -> Response {
    let asks = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    if asks || matches!(site, None | Some(b"same-origin" | b"none")) {
        return next.run(request).await;
    }
    Problem::new(StatusCode::FORBIDDEN).detail("this was sent by another site's page").into_response()
}

/// Whether the page came by HTTPS (a proxy says so): then the cookie may only go by HTTPS.
fn is_secure(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"))
}

fn signed(api: &Api, session: Session, secure: bool) -> String {
    let value = api.auth.admin_token.as_ref().and_then(|secret| session.sign(secret)).unwrap_or_default();
    session::header(&value, session.until_s - now_ms() / 1000, secure)
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// Exchanges the bearer token for a session cookie (HttpOnly, SameSite=Strict).
#[utoipa::path(post, path = "/session", tag = "session", operation_id = "open_session", security(("token" = [])),
    responses((status = 204, description = "the cookie is set"), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub(super) async fn open(State(api): State<Api>, headers: HeaderMap) -> Response {
    if !api.auth.is_admin(&headers) {
        return Problem::unauthorized("this is not the administrator's token").into_response();
    }
    let session = Session::begin(now_ms() / 1000, api.lasting);
    with_cookie(StatusCode::NO_CONTENT.into_response(), &signed(&api, session, is_secure(&headers)))
}

/// Ends the session of this browser.
#[utoipa::path(delete, path = "/session", tag = "session", operation_id = "close_session", security(()),
    responses((status = 204, description = "the cookie is gone"), (status = 403, body = ProblemView)))]
pub(super) async fn close(headers: HeaderMap) -> Response {
    with_cookie(StatusCode::NO_CONTENT.into_response(), &session::header("", 0, is_secure(&headers)))
}
