//! The API under `/api/v1` and its description at `/openapi.json`.

pub mod ask;
mod counts;
mod description;
mod door;
mod maps;
pub mod model;
mod numbers;
mod places;
mod rules;
mod storms;
mod things;

use crate::atlas::Sheet;
use crate::config::{AuthConfig, LimitConfig};
use crate::live::Hub;
use crate::metrics::Metrics;
use crate::relay::Relay;
use crate::session::Lasting;
use crate::tile_shelf::TileShelf;
use crate::world::World;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, body::Bytes};
use description::Description;
use gridwarden_runtime::http::Problem;
use gridwarden_store::StoreError;
use gridwarden_store::read::Reader;
use std::sync::Arc;
use std::time::Duration;
use tower_http::compression::CompressionLayer;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the API looks at.
#[derive(Clone)]
pub struct Api {
    /// What is known.
    pub world: Arc<World>,
    /// The live stream.
    pub hub: Arc<Hub>,
    /// The way to the rules.
    pub relay: Arc<Relay>,
    /// Tiles made.
    pub shelf: Arc<TileShelf>,
    /// Who may ask.
    pub auth: AuthConfig,
    /// How long sessions last.
    pub lasting: Lasting,
    /// What may be asked at once.
    pub limits: LimitConfig,
    /// Figures.
    pub metrics: Metrics,
}

/// A layer's sheet, or 404 that names it.
fn sheet_of(api: &Api, layer: &str) -> Result<Arc<Sheet>, Problem> {
    let atlas = api.world.atlas.load();
    atlas.sheet(layer).cloned().ok_or_else(|| not_found("layer", format!("no layer {layer} is in force")))
}

/// 404 that names the parameter.
fn not_found(field: &str, detail: String) -> Problem {
    Problem::not_found(detail.clone()).field(field, detail)
}

/// ClickHouse's codes for a database or table that nobody made yet: whoever writes makes them at its start.
const NOT_MADE_YET: [u32; 2] = [60, 81];

/// An error of ClickHouse as the outside sees it.
fn store(error: StoreError) -> Problem {
    let not_made = matches!(&error, StoreError::Server { code, .. } if NOT_MADE_YET.contains(code));
    if not_made || error.retry().can_help() {
        tracing::warn!(%error, "a question could not be put to clickhouse");
        return Problem::unavailable("ClickHouse does not answer just now");
    }
    Problem::internal(&anyhow::Error::new(error))
}

/// Where numbers are asked for. Refused at once while the tick knows that nobody answers there.
fn reader(api: &Api) -> Result<&Reader, Problem> {
    match api.world.away_since() {
        None => Ok(&api.world.reader),
        Some(_) => Err(Problem::unavailable("ClickHouse does not answer just now")),
    }
}

fn described() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Description::openapi()).nest(
        "/api/v1",
        OpenApiRouter::new()
            .routes(routes!(places::city))
            .routes(routes!(places::layers))
            .routes(routes!(places::areas))
            .routes(routes!(places::area))
            .routes(routes!(numbers::metrics))
            .routes(routes!(numbers::areas))
            .routes(routes!(numbers::series))
            .routes(routes!(things::entities))
            .routes(routes!(things::entity))
            .routes(routes!(things::alerts))
            .routes(routes!(storms::storms))
            .routes(routes!(door::who))
            .routes(routes!(counts::summary))
            .routes(routes!(counts::list))
            .routes(routes!(counts::rejects))
            .routes(routes!(counts::kpis))
            .routes(routes!(counts::freshness))
            .routes(routes!(maps::tile))
            .routes(routes!(maps::live)),
    )
}

fn doors() -> OpenApiRouter<Api> {
    OpenApiRouter::new().nest("/api/v1", OpenApiRouter::new().routes(routes!(door::open, door::close)))
}

/// The API's routes.
pub fn router(api: Api) -> Router {
    let (inner, mut description) = described().split_for_parts();
    let (door, door_description) = doors().split_for_parts();
    description.merge(door_description);
    let description = description::finish(serde_json::to_value(&description).unwrap_or_default());
    let description = Bytes::from(description.to_string());
    let describe = move || async move { ([(header::CONTENT_TYPE, "application/json")], description) };
    let unknown =
        || async { Problem::not_found("the API has nothing at this address; /openapi.json lists what it has") };
    inner
        .route_layer(middleware::from_fn_with_state(api.clone(), in_time))
        // The stream has its own time to answer.
        .merge(rules::router())
        .route_layer(middleware::from_fn_with_state(api.clone(), door::guard))
        .merge(door)
        .layer(middleware::from_fn(door::same_site))
        .route("/openapi.json", get(describe.clone()))
        .route("/api/openapi.json", get(describe))
        .route("/api/{*rest}", axum::routing::any(unknown))
        .method_not_allowed_fallback(|| async { Problem::new(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(CompressionLayer::new())
        .with_state(api)
}

/// A question that takes too long is given up; a live stream has answered as soon as it begins.
async fn in_time(State(api): State<Api>, request: Request, next: Next) -> Response {
    let limit = Duration::from_secs(u64::from(api.limits.answer_s));
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable(format!("no answer within {} s", limit.as_secs())).into_response(),
    }
}

#[cfg(test)]
mod tests;
