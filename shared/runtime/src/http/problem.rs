//! Errors of our HTTP APIs after RFC 9457: `application/problem+json`, with the fields that are wrong.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Path of the field, e.g. `position.lon` or `[3].time`.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

/// A problem as the outside sees it. What only the inside should know goes to the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `about:blank`, or a name under `/problems/`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short and the same for all problems of its kind.
    pub title: String,
    /// HTTP status.
    #[serde(serialize_with = "as_number")]
    pub status: StatusCode,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Seconds after which to try again; becomes `Retry-After`.
    #[serde(skip)]
    pub retry_after_s: Option<u32>,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem titled by its status.
    pub fn new(status: StatusCode) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status,
            detail: None,
            errors: Vec::new(),
            retry_after_s: None,
        }
    }

    /// Says what happened.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names a field that is wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), detail: detail.into() });
        self
    }

    /// Asks to try again later.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// 400 with a reason.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST).detail(detail)
    }

    /// 401 with the challenge RFC 6750 asks for.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED).detail(detail)
    }

    /// 404 with a reason.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND).detail(detail)
    }

    /// 503: something behind us is away.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE).detail(detail).retry_after(1)
    }

    /// 500; the cause goes to the log, not outside.
    pub fn internal(cause: &anyhow::Error) -> Self {
        tracing::error!(error = format!("{cause:#}"), "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR).detail("something failed here; the log tells more")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_rfc_says() {
        let problem = Problem::bad_request("two fields").field("time", "is missing");
        let text = serde_json::to_value(&problem).expect("json");
        let wanted = serde_json::json!({"type": "about:blank", "title": "Bad Request", "status": 400,
            "detail": "two fields", "errors": [{"field": "time", "detail": "is missing"}]});
        assert_eq!(text, wanted);
        let response = problem.retry_after(3).into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "3");
    }
}
