//! A batch of observations, one per line. Good lines are taken, bad ones are told one by one: a sensor gateway with one
//! broken sensor must not lose the readings of all others.

use super::answer::{self, BatchAccepted, RejectedLine};
use super::request::{Admitted, AsyncWork, Done, Route, admit, once};
use super::{Gateway, openapi::ProblemDocument};
use crate::check::{self, Ready};
use crate::{body, config::Limits};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use gridwarden_domain::city::Intake;
use gridwarden_domain::crs::Crs;
use gridwarden_domain::decode::Encoding;
use gridwarden_domain::reject::{Code, Reason};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::Problem;
use std::borrow::Cow;
use std::sync::Arc;

/// Takes a batch of observations, one JSON object per line.
#[utoipa::path(
    post, path = "/v1/observations/batch", tag = "intake",
    params(("Idempotency-Key" = Option<String>, Header, description = "Same key, same body: same answer, no second records. \
        Remembered in the memory of one gateway process.")),
    request_body(content = String, content_type = "application/x-ndjson", description = "One Observation per line."),
    responses(
        (status = 202, description = "Kafka has the accepted lines; the rejected ones were not taken", body = BatchAccepted),
        (status = 400, description = "No line was taken; `rejected` tells why", body = ProblemDocument),
        (status = 401, description = "No token, or an unknown one", body = ProblemDocument),
        (status = 403, description = "The feed may not publish this", body = ProblemDocument),
        (status = 408, description = "The body did not arrive in time", body = ProblemDocument),
        (status = 409, description = "The first request with this key is still under way", body = ProblemDocument),
        (status = 413, description = "Too long, or too many lines", body = ProblemDocument),
        (status = 415, description = "Not NDJSON, or packed otherwise than by gzip", body = ProblemDocument),
        (status = 422, description = "The key was used with another body", body = ProblemDocument),
        (status = 429, description = "The feed has too many requests under way", body = ProblemDocument),
        (status = 503, description = "Kafka does not acknowledge (nothing counts as taken), or too much is under way",
            body = ProblemDocument),
    ),
    security(("token" = []))
)]
pub(super) async fn observations(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let limit = gateway.limits.batch_bytes;
    let route = Route { path: "/v1/observations/batch", what: Intake::Observations, types: body::NDJSON, limit };
    once(admit(&gateway, route, &headers, body).await?, Batch).await
}

struct Batch;

impl AsyncWork for Batch {
    async fn run(self, admitted: Admitted) -> Result<Done, Problem> {
        let (body, limits, crs) = (admitted.body.clone(), admitted.gateway.limits.clone(), admitted.crs);
        // Up to 16 MiB of JSON take a while; they must not hold up other requests.
        let checked = tokio::task::spawn_blocking(move || Checked::of(&body, &limits, crs, now_ms()));
        let checked = checked.await.map_err(|error| Problem::internal(&error.into()))??;
        let metrics = &admitted.gateway.metrics;
        for line in &checked.rejected {
            metrics.rejected.with_label_values(&[admitted.feed_label(), line.code.as_str()]).inc();
        }
        if checked.records.is_empty() {
            return Ok(Done::Once(answer::batch_refused(&checked.rejected)));
        }
        let records: Vec<Ready<'_>> = checked.ready().collect();
        let places = admitted.gateway.writer.write(Intake::Observations, &admitted.feed, &records).await?;
        answer::text(&BatchAccepted { accepted: places.len(), rejected: checked.rejected }).map(Done::Taken)
    }
}

/// A batch after looking at every line. Records are places in the body, so that they can cross threads without a copy.
struct Checked {
    records: Vec<(String, Bytes)>,
    rejected: Vec<RejectedLine>,
}

impl Checked {
    fn of(body: &Bytes, limits: &Limits, crs: Crs, now_ms: i64) -> Result<Self, Problem> {
        if check::lines(body).nth(limits.batch_lines).is_some() {
            let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE);
            return Err(problem.detail(format!("at most {} lines are taken at once", limits.batch_lines)));
        }
        let (mut records, mut rejected) = (Vec::new(), Vec::new());
        for (number, line) in check::lines(body) {
            match one(line, limits.single_bytes, crs, now_ms) {
                Ok(ready) => records.push((ready.key, body.slice_ref(line))),
                Err(reason) => rejected.push(RejectedLine::new(number, reason)),
            }
        }
        if records.is_empty() && rejected.is_empty() {
            return Err(Problem::bad_request("the batch holds no line"));
        }
        Ok(Self { records, rejected })
    }

    fn ready(&self) -> impl Iterator<Item = Ready<'_>> {
        self.records.iter().map(|(key, line)| Ready {
            key: key.clone(),
            payload: Cow::Borrowed(line),
            encoding: Encoding::Json,
        })
    }
}

fn one(line: &[u8], limit: usize, crs: Crs, now_ms: i64) -> Result<Ready<'_>, Reason> {
    if line.len() > limit {
        let detail = format!("the line is {} bytes long; at most {limit} are allowed", line.len());
        return Err(Reason { code: Code::TooLarge, field: String::new(), detail });
    }
    check::observation(Encoding::Json, line, crs, now_ms)
}
