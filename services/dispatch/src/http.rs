//! dispatch's API: open alerts, endpoints, recent deliveries, the live stream. All of it asks for the administrator's token.

mod live;
mod views;

use crate::board::Board;
use crate::endpoint::Target;
use crate::metrics::Metrics;
use crate::status::Status;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use gridwarden_runtime::config::AuthConfig;
use gridwarden_runtime::http::Problem;
use std::sync::Arc;
use std::time::Duration;

/// What the API looks at.
#[derive(Clone)]
pub struct Api {
    /// Shared state.
    pub board: Arc<Board>,
    /// Endpoints and how they are doing.
    pub endpoints: Arc<Vec<(Arc<Target>, Arc<Status>)>>,
    /// Who may ask.
    pub auth: AuthConfig,
    /// Figures.
    pub metrics: Metrics,
    /// Longest silence of the live stream.
    pub heartbeat: Duration,
}

/// The API's routes; the shell adds health and metrics.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/alerts", get(views::alerts))
        .route("/v1/alerts/stream", get(live::stream))
        .route("/v1/endpoints", get(views::endpoints))
        .route("/v1/deliveries", get(views::deliveries))
        .route_layer(middleware::from_fn_with_state(api.clone(), admin_only))
        .fallback(|| async { Problem::not_found("there is no such path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED).detail("everything here is asked by GET")
        })
        .with_state(api)
}

async fn admin_only(State(api): State<Api>, request: Request, next: Next) -> Response {
    if api.auth.is_admin(request.headers()) {
        next.run(request).await
    } else {
        Problem::unauthorized("this needs the administrator's token as a bearer token").into_response()
    }
}
