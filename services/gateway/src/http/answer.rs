//! What callers are told.

use crate::writer::Place;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gridwarden_domain::reject::{Code, Reason};
use gridwarden_runtime::http::Problem;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Says that an answer was given before for this `Idempotency-Key`.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// 202: Kafka has the record.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// 1.
    pub(super) accepted: usize,
    /// Where the record stands.
    pub(super) records: Vec<Place>,
    /// A report's id, its own or the one it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
}

/// A line of a batch that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RejectedLine {
    /// Number of the line, from 1.
    pub(super) line: usize,
    /// Field that is wrong; empty for the whole line.
    pub(super) field: String,
    /// Why, as a word.
    #[schema(value_type = String)]
    pub(super) code: Code,
    /// Why, as a sentence.
    pub(super) detail: String,
}

impl RejectedLine {
    pub(super) fn new(line: usize, reason: Reason) -> Self {
        Self { line, field: reason.field, code: reason.code, detail: reason.detail }
    }
}

/// 202 of a batch: Kafka has the accepted lines; the others were not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchAccepted {
    /// How many lines Kafka has.
    pub(super) accepted: usize,
    /// Every line that was not taken.
    pub(super) rejected: Vec<RejectedLine>,
}

/// 400 of a batch of which no line was taken: a problem with the lines.
#[derive(Serialize)]
struct BatchRefused<'a> {
    #[serde(flatten)]
    problem: &'a Problem,
    rejected: &'a [RejectedLine],
}

/// Why one record was not taken.
pub(super) fn refused(reason: &Reason) -> Problem {
    let status = match reason.code {
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    let problem = Problem::new(status).detail(format!("{}: {}", reason.code.as_str(), reason.detail));
    problem.field(reason.field.clone(), reason.detail.clone())
}

/// 400 with every line.
pub(super) fn batch_refused(rejected: &[RejectedLine]) -> Response {
    let problem = Problem::bad_request("no line of the batch was taken");
    let body = serde_json::to_vec(&BatchRefused { problem: &problem, rejected }).unwrap_or_default();
    (problem.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}

/// An answer as JSON text.
pub(super) fn text(answer: &impl Serialize) -> Result<Arc<str>, Problem> {
    let text = serde_json::to_string(answer).map_err(|error| Problem::internal(&error.into()))?;
    Ok(text.into())
}

/// 202 with an answer.
pub(super) fn accepted(text: &Arc<str>, replayed: bool) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (StatusCode::ACCEPTED, kind, text.to_string()).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, axum::http::HeaderValue::from_static("true"));
    }
    response
}
