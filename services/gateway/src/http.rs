//! The API: three routes that take records. Every error is a problem after RFC 9457.

mod answer;
mod batch;
mod openapi;
mod request;
mod single;

use crate::config::{IdempotencyConfig, Limits};
use crate::feeds::Feeds;
use crate::idempotency::Answers;
use crate::limits::Gates;
use crate::metrics::Metrics;
use crate::writer::Writer;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use gridwarden_runtime::http::Problem;
use gridwarden_runtime::prometheus::IntGauge;
use std::sync::Arc;
use std::time::Instant;

/// What the API stands on.
pub struct Gateway {
    /// Who may publish.
    pub feeds: Feeds,
    /// How much is let in.
    pub gates: Gates,
    /// Limits of bodies.
    pub limits: Limits,
    /// Remembered answers.
    pub answers: Answers,
    /// How they are remembered.
    pub idempotency: IdempotencyConfig,
    /// Kafka.
    pub writer: Writer,
    /// Figures.
    pub metrics: Metrics,
}

/// The routes; `status` are those of the shell (health and metrics).
pub fn router(gateway: Arc<Gateway>, status: Router) -> Router {
    let document = openapi::document();
    let openapi = move || async move { ([(header::CONTENT_TYPE, "application/json")], document) };
    Router::new()
        .route("/v1/observations", post(single::observation))
        .route("/v1/observations/batch", post(batch::observations))
        .route("/v1/reports", post(single::report))
        .route("/openapi.json", get(openapi))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&gateway), count))
        .with_state(gateway)
        .merge(status)
        .fallback(|| async { Problem::not_found("there is no such path; /openapi.json names those there are") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED)
                .detail("records are sent by POST, everything else is asked by GET")
        })
}

/// A request under way; taken off the gauge also when its client goes away before the answer.
struct UnderWay<'a>(&'a IntGauge);

impl<'a> UnderWay<'a> {
    fn new(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

async fn count(
    State(gateway): State<Arc<Gateway>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let metrics = &gateway.metrics;
    let route = path.as_ref().map_or("other", MatchedPath::as_str);
    let _under_way = UnderWay::new(&metrics.in_flight);
    let begun = Instant::now();
    let response = next.run(request).await.into_response();
    metrics.seconds.with_label_values(&[route]).observe(begun.elapsed().as_secs_f64());
    metrics.requests.with_label_values(&[route, response.status().as_str()]).inc();
    response
}

#[cfg(test)]
mod tests;
