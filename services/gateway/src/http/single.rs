//! One observation, one report.

use super::answer::{self, Accepted};
use super::request::{Admitted, AsyncWork, Done, Route, admit, once};
use super::{Gateway, openapi::ProblemDocument};
use crate::{body, check};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use gridwarden_domain::city::Intake;
use gridwarden_domain::decode::{Encoding, content_type};
use gridwarden_domain::reject::Reason;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::Problem;
use std::sync::Arc;

/// Takes one observation.
#[utoipa::path(
    post, path = "/v1/observations", tag = "intake",
    params(("Idempotency-Key" = Option<String>, Header, description = "Same key, same body: same answer, no second record. \
        Remembered in the memory of one gateway process.")),
    request_body(content = Object, content_type = "application/json", description = "See the schema Observation; as \
        application/x-protobuf see infra/schema/proto/observation.proto."),
    responses(
        (status = 202, description = "Kafka has it", body = Accepted),
        (status = 400, description = "Not taken; `errors` names the field", body = ProblemDocument),
        (status = 401, description = "No token, or an unknown one", body = ProblemDocument),
        (status = 403, description = "The feed may not publish this", body = ProblemDocument),
        (status = 408, description = "The body did not arrive in time", body = ProblemDocument),
        (status = 409, description = "The first request with this key is still under way", body = ProblemDocument),
        (status = 413, description = "Too long", body = ProblemDocument),
        (status = 415, description = "Neither JSON nor Protobuf, or packed otherwise than by gzip", body = ProblemDocument),
        (status = 422, description = "The key was used with another body", body = ProblemDocument),
        (status = 429, description = "The feed has too many requests under way", body = ProblemDocument),
        (status = 503, description = "Kafka does not acknowledge, or too much is under way", body = ProblemDocument),
    ),
    security(("token" = []))
)]
pub(super) async fn observation(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let limit = gateway.limits.single_bytes;
    let route = Route { path: "/v1/observations", what: Intake::Observations, types: body::OBSERVATION, limit };
    // A type that is not known is refused before this is asked.
    let encoding = content_type(headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes)).unwrap_or_default();
    once(admit(&gateway, route, &headers, body).await?, Single(Intake::Observations, encoding)).await
}

/// Takes one report. Without an `id` it gets one: a function of feed, idempotency key and body, or a random one.
#[utoipa::path(
    post, path = "/v1/reports", tag = "intake",
    params(("Idempotency-Key" = Option<String>, Header, description = "Same key, same body: same answer, no second record; \
        also decides the id of a report without one.")),
    request_body(content = Object, content_type = "application/json", description = "See the schema Report."),
    responses(
        (status = 202, description = "Kafka has it", body = Accepted),
        (status = 400, description = "Not taken; `errors` names the field", body = ProblemDocument),
        (status = 401, description = "No token, or an unknown one", body = ProblemDocument),
        (status = 403, description = "The feed may not publish this", body = ProblemDocument),
        (status = 408, description = "The body did not arrive in time", body = ProblemDocument),
        (status = 409, description = "The first request with this key is still under way", body = ProblemDocument),
        (status = 413, description = "Too long", body = ProblemDocument),
        (status = 415, description = "Not JSON, or packed otherwise than by gzip", body = ProblemDocument),
        (status = 422, description = "The key was used with another body", body = ProblemDocument),
        (status = 429, description = "The feed has too many requests under way", body = ProblemDocument),
        (status = 503, description = "Kafka does not acknowledge, or too much is under way", body = ProblemDocument),
    ),
    security(("token" = []))
)]
pub(super) async fn report(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let limit = gateway.limits.single_bytes;
    let route = Route { path: "/v1/reports", what: Intake::Reports, types: body::JSON, limit };
    once(admit(&gateway, route, &headers, body).await?, Single(Intake::Reports, Encoding::Json)).await
}

struct Single(Intake, Encoding);

impl AsyncWork for Single {
    async fn run(self, admitted: Admitted) -> Result<Done, Problem> {
        let (body, metrics) = (&admitted.body, &admitted.gateway.metrics);
        let ready = match self.0 {
            Intake::Observations => check::observation(self.1, body, admitted.crs, now_ms()),
            Intake::Reports => check::report(body, admitted.crs, now_ms(), || new_id(&admitted)),
        };
        let ready = ready.map_err(|reason: Reason| {
            metrics.rejected.with_label_values(&[admitted.feed_label(), reason.code.as_str()]).inc();
            answer::refused(&reason)
        })?;
        let id = (self.0 == Intake::Reports).then(|| ready.key.clone());
        let records = admitted.gateway.writer.write(self.0, &admitted.feed, &[ready]).await?;
        answer::text(&Accepted { accepted: 1, records, id }).map(Done::Taken)
    }
}

fn new_id(admitted: &Admitted) -> String {
    match &admitted.key {
        Some(key) => check::id_of(&admitted.feed, key, &admitted.body),
        None => format!("gw-{:032x}", rand::random::<u128>()),
    }
}
