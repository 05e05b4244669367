//! Who may ask: whoever has the administrator's or a viewer's bearer token, or the session cookie it was exchanged for. What they may is
//! decided elsewhere ([`crate::access`]).
//!
//! A cookie can do nothing from elsewhere: it is SameSite=Strict, no answer allows another origin, and what is not a plain
//! question needs the token itself or comes from our own pages (`Sec-Fetch-Site`).

use super::Api;
use super::ask::wrong;
use super::model::{ProblemView, SessionRequest, SessionView};
use crate::access::{Action, Person, Role};
use crate::session::{self, Session};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::{Problem, bearer};

fn session_of(api: &Api, headers: &HeaderMap) -> Option<Session> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let secret = |role| api.auth.token(role);
    cookies.filter_map(session::of_header).find_map(|value| Session::read(secret, value, now_ms() / 1000))
}

fn role_of(api: &Api, headers: &HeaderMap) -> Option<Role> {
    api.auth.role_of(bearer(headers)?)
}

/// Lets those in who may, says who they are, and keeps the sessions of watched pages alive.
pub(super) async fn guard(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    if let Some(role) = role_of(&api, request.headers()) {
        request.extensions_mut().insert(Person::nameless(role));
        return next.run(request).await;
    }
    let Some(session) = session_of(&api, request.headers()) else {
        let why = "this needs the administrator's or a viewer's token as a bearer token, or a session";
        return Problem::unauthorized(why).into_response();
    };
    let secure = is_secure(request.headers());
    request.extensions_mut().insert(session.person.clone());
    let response = next.run(request).await;
    match session.renewed(now_ms() / 1000, api.lasting) {
        Some(renewed) => with_cookie(response, &signed(&api, &renewed, secure)),
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

fn signed(api: &Api, session: &Session, secure: bool) -> String {
    let secret = api.auth.token(session.person.role);
    let value = secret.and_then(|secret| session.sign(secret)).unwrap_or_default();
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
    request_body(content = Option<SessionRequest>, description = "what the person is called, if that is to be known"),
    responses((status = 204, description = "the cookie is set"), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub(super) async fn open(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Result<Response, Problem> {
    let unknown = || Problem::unauthorized("this is neither the administrator's token nor a viewer's");
    let role = role_of(&api, &headers).ok_or_else(unknown)?;
    let said = if body.is_empty() { Ok(SessionRequest::default()) } else { serde_json::from_slice(&body) };
    let said: SessionRequest = said.map_err(|error| Problem::bad_request(error.to_string()))?;
    let name = session::name(&said.name).map_err(|why| wrong("name", why))?;
    let session = Session::begin(Person { role, name }, now_ms() / 1000, api.lasting);
    Ok(with_cookie(StatusCode::NO_CONTENT.into_response(), &signed(&api, &session, is_secure(&headers))))
}

/// Who asks, and what they may.
#[utoipa::path(get, path = "/session", tag = "session", operation_id = "session", responses((status = 200, body = SessionView)))]
pub(super) async fn who(State(api): State<Api>, Extension(person): Extension<Person>) -> Json<SessionView> {
    Json(SessionView {
        role: person.role.as_str().to_owned(),
        has_rules: api.relay.is_configured(),
        may_change_rules: person.may(Action::ChangeRules).is_ok(),
        name: person.name,
    })
}

/// Ends the session of this browser.
#[utoipa::path(delete, path = "/session", tag = "session", operation_id = "close_session", security(()),
    responses((status = 204, description = "the cookie is gone"), (status = 403, body = ProblemView)))]
pub(super) async fn close(headers: HeaderMap) -> Response {
    with_cookie(StatusCode::NO_CONTENT.into_response(), &session::header("", 0, is_secure(&headers)))
}
