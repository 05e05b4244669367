//! Questions and changes of rules, passed on to the stream's API. It refuses to know what a rule is: documents go as they came, so that
//! lines in errors are those of who wrote them.
//!
//! `CON-7` a change is asked for in the name of who is signed in, whatever the request says; only who signed in without a name says it himself.

use crate::access::Person;
use crate::config::StreamConfig;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gridwarden_runtime::http::Problem;
use gridwarden_runtime::secrets::Secret;
use serde_json::{Map, Value};
use std::time::Duration;
use url::form_urlencoded;

/// What goes with a request, and with its answer.
const ASKED: [HeaderName; 2] = [header::CONTENT_TYPE, header::IF_MATCH];
const ANSWERED: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::RETRY_AFTER];

/// Where the name of who asks stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Nowhere: nothing is changed.
    Not,
    /// `by` in the query, beside a document.
    Query,
    /// `by` in the body, a JSON object.
    Body,
}

/// A request as it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Path below the stream's base, with its query.
    pub path: String,
    /// Its body.
    pub body: Bytes,
}

impl Asked {
    /// In the name of somebody.
    pub fn signed(self, person: &Person, signed: Signed) -> Result<Self, Problem> {
        let Some(name) = &person.name else { return Ok(self) };
        match signed {
            Signed::Not => Ok(self),
            Signed::Query => Ok(Self { path: with_by(&self.path, name), ..self }),
            Signed::Body => {
                let read = serde_json::from_slice::<Map<String, Value>>(&self.body);
                let mut fields = read.map_err(|error| Problem::bad_request(error.to_string()))?;
                fields.insert("by".to_owned(), name.as_str().into());
                Ok(Self { body: Value::Object(fields).to_string().into(), ..self })
            }
        }
    }
}

fn with_by(path: &str, name: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let others = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != "by");
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(others).append_pair("by", name).finish();
    format!("{path}?{query}")
}

/// The way to the stream.
pub struct Relay {
    client: reqwest::Client,
    /// None where no stream is configured.
    url: Option<String>,
    token: Option<Secret>,
}

impl Relay {
    /// The way that is configured; `own` is sent where the stream's token is not.
    pub fn new(config: &StreamConfig, own: Option<&Secret>) -> Result<Self, reqwest::Error> {
        let patience = Duration::from_secs(u64::from(config.answer_s.max(1)));
        let client = reqwest::Client::builder().timeout(patience).connect_timeout(Duration::from_secs(5)).build()?;
        let url = config.url.trim_end_matches('/').to_owned();
        let token = config.admin_token.as_ref().or(own).cloned();
        Ok(Self { client, url: Some(url).filter(|url| !url.is_empty()), token })
    }

    /// Whether there is a stream to ask.
    pub fn is_configured(&self) -> bool {
        self.url.is_some()
    }

    /// Asks; the stream's answer, or a problem that says why there is none.
    pub async fn ask(&self, asked: Asked, headers: &HeaderMap) -> Response {
        let Some(url) = &self.url else {
            let why = "no stream is configured here ([stream] url), so rules can be neither seen nor changed";
            return Problem::new(StatusCode::NOT_IMPLEMENTED).detail(why).into_response();
        };
        let changes = asked.method != Method::GET;
        let mut request = self.client.request(asked.method, format!("{url}{}", asked.path)).body(asked.body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        for name in ASKED {
            if let Some(value) = headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let answered = async {
            let answer = request.send().await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
        };
        match answered.await {
            Ok((status, headers, body)) => answer(status, &headers, body),
            Err(error) => away(error, changes).into_response(),
        }
    }
}

fn answer(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Response {
    // A page that hears 401 asks for a token, which would help nobody here.
    if status == StatusCode::UNAUTHORIZED {
        tracing::warn!("the stream does not know the token that is sent to it");
        let why = "the stream does not know the token that console sends to it ([stream] admin_token)";
        return Problem::unavailable(why).into_response();
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    for name in ANSWERED {
        if let Some(value) = headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// Why there is no answer. A change that was taken in may have been made.
fn away(error: reqwest::Error, changes: bool) -> Problem {
    let arrived = !error.is_connect();
    let error = error.without_url();
    tracing::warn!(%error, "the stream could not be asked");
    if changes && arrived {
        let why = "the stream did not answer in time; whether the change was made is seen in the history";
        return Problem::new(StatusCode::GATEWAY_TIMEOUT).detail(why);
    }
    Problem::unavailable("the stream does not answer just now; it may be starting")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;

    fn asked(path: &str, body: &str) -> Asked {
        Asked { method: Method::POST, path: path.to_owned(), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn anna() -> Person {
        Person { role: Role::Administrator, name: Some("Anna 王".to_owned()) }
    }

    #[test]
    fn a_change_is_asked_for_in_the_name_of_who_is_signed_in() {
        let turn = asked("/v1/rules/hot/state", r#"{"state":"active","by":"ben","why":"test"}"#);
        let signed = turn.signed(&anna(), Signed::Body).expect("signed");
        let body: Value = serde_json::from_slice(&signed.body).expect("JSON");
        assert_eq!(body, serde_json::json!({"state": "active", "by": "Anna 王", "why": "test"}));
        assert_eq!(asked("/v1/rules/hot", "").signed(&anna(), Signed::Body).expect_err("no JSON").status, 400);

        let put = asked("/v1/rules/a%2Fb?why=too+low&by=ben", "title: {en: Hot}");
        let signed = put.clone().signed(&anna(), Signed::Query).expect("signed");
        assert_eq!((signed.path.as_str(), &signed.body), ("/v1/rules/a%2Fb?why=too+low&by=Anna+%E7%8E%8B", &put.body));
        let signed = asked("/v1/rules/hot", "").signed(&anna(), Signed::Query).expect("signed");
        assert_eq!(signed.path, "/v1/rules/hot?by=Anna+%E7%8E%8B");
    }

    #[test]
    fn who_signed_in_without_a_name_says_it_himself() {
        let nameless = Person::nameless(Role::Administrator);
        for signed in [Signed::Not, Signed::Query, Signed::Body] {
            let put = asked("/v1/rules/hot?by=ben", "{}");
            assert_eq!(put.clone().signed(&nameless, signed).expect("as it is"), put);
        }
        let look = asked("/v1/rules?state=active", "");
        assert_eq!(look.clone().signed(&anna(), Signed::Not).expect("as it is"), look);
    }
}
