//! The API under `/api/v1` and its description at `/api/openapi.json`.

pub mod ask;
mod counts;
mod door;
mod maps;
pub mod model;
mod numbers;
mod places;
mod things;

use crate::atlas::Sheet;
use crate::live::Hub;
use crate::metrics::Metrics;
use crate::tile_shelf::TileShelf;
use crate::world::World;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router, middleware};
use gridwarden_runtime::config::AuthConfig;
use gridwarden_runtime::http::Problem;
use gridwarden_store::StoreError;
use std::sync::Arc;
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
    /// Tiles made.
    pub shelf: Arc<TileShelf>,
    /// Who may ask.
    pub auth: AuthConfig,
    /// Seconds a session lasts.
    pub session_s: i64,
    /// Figures.
    pub metrics: Metrics,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Gridwarden console",
    description = "What the city's numbers are. Times in answers are epoch milliseconds; times in questions are RFC 3339 or epoch milliseconds. Errors are RFC 9457 problems that name the parameter.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Description;

/// A layer's sheet, or 404 that names it.
fn sheet_of(api: &Api, layer: &str) -> Result<Arc<Sheet>, Problem> {
    let atlas = api.world.atlas.load();
    atlas.sheet(layer).cloned().ok_or_else(|| not_found("layer", format!("no layer {layer} is in force")))
}

/// 404 that names the parameter.
fn not_found(field: &str, detail: String) -> Problem {
    Problem::not_found(detail.clone()).field(field, detail)
}

/// An error of ClickHouse as the outside sees it.
fn store(error: StoreError) -> Problem {
    if error.retry().can_help() {
        tracing::warn!(%error, "a question could not be put to clickhouse");
        return Problem::unavailable("ClickHouse does not answer just now");
    }
    Problem::internal(&anyhow::Error::new(error))
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
    let guarded = inner.route_layer(middleware::from_fn_with_state(api.clone(), door::guard));
    let description = Arc::new(description);
    let unknown =
        || async { Problem::not_found("the API has nothing at this address; /api/openapi.json lists what there is") };
    guarded
        .merge(door)
        .route("/api/openapi.json", get(move || async move { Json((*description).clone()) }))
        .route("/api/{*rest}", get(unknown))
        .method_not_allowed_fallback(|| async { Problem::new(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(CompressionLayer::new())
        .with_state(api)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_every_route_and_its_licence() {
        let (_, description) = described().split_for_parts();
        let text = description.to_json().expect("json");
        for path in ["/api/v1/city", "/api/v1/reports/summary", "/api/v1/live", "/api/v1/areas/{layer}/{code}"] {
            assert!(text.contains(&format!("\"{path}\"")), "{path}");
        }
        assert!(text.contains("Apache-2.0"));
    }
}
