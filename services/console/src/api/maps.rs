//! Map tiles and the live stream.

use super::ask::{Ask, At};
use super::model::ProblemView;
use super::numbers::subject;
use super::{Api, not_found, sheet_of};
use crate::live::stream;
use crate::tile_shelf::{Tile, TileKey};
use crate::tiles::{self, Address};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::Problem;
use serde::Deserialize;
use std::sync::Arc;

/// Which tile.
#[derive(Deserialize)]
pub(super) struct TilePath {
    layer: String,
    level: String,
    version: String,
    z: u8,
    x: u32,
    file: String,
}

/// A vector tile: MVT layers `areas` (polygons) and `areas_label` (points with `code`, `en`, `zh`); feature id = area number.
#[utoipa::path(get, path = "/tiles/{layer}/{level}/{version}/{z}/{x}/{file}", tag = "map",
    params(("layer" = String, Path), ("level" = String, Path), ("version" = String, Path, description = "layer version in force"),
        ("z" = u8, Path), ("x" = u32, Path), ("file" = String, Path, description = "`<y>.mvt`")),
    responses((status = 200, description = "the tile", content_type = "application/vnd.mapbox-vector-tile"), (status = 304, description = "as you have it"), (status = 400, body = ProblemView), (status = 404, body = ProblemView)))]
pub(super) async fn tile(
    State(api): State<Api>,
    At(TilePath { layer, level, version, z, x, file }): At<TilePath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sheet = sheet_of(&api, &layer)?;
    let level = sheet.level(&level).ok_or_else(|| not_found("level", format!("layer {layer} has no level {level}")))?;
    let now = now_ms();
    let shown = sheet.version_at(now);
    if shown != version {
        return Err(not_found("version", format!("layer {layer} is shown with version {shown}")));
    }
    let row = file.strip_suffix(".mvt").and_then(|y| y.parse().ok());
    let address = row.and_then(|y| Address::new(z, x, y));
    let address = address.ok_or_else(|| not_found("file", format!("there is no tile {z}/{x}/{file}")))?;
    let key = TileKey { layer, version, level, address };
    let tile = match api.shelf.get(&key) {
        Some(tile) => {
            api.metrics.tiles_kept.inc();
            tile
        }
        None => {
            let made = tokio::task::spawn_blocking(move || {
                let bytes = tiles::encode(&sheet, level, address, now)?;
                anyhow::Ok(Arc::new(Tile::new(bytes)?))
            });
            let tile = made.await.map_err(|e| Problem::internal(&e.into()))?.map_err(|e| Problem::internal(&e))?;
            api.metrics.tiles_made.inc();
            api.shelf.put(key, Arc::clone(&tile));
            tile
        }
    };
    Ok(answer(&tile, &headers))
}

fn answer(tile: &Tile, headers: &HeaderMap) -> Response {
    let has = |name: header::HeaderName, text: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(text))
    };
    let mut response = if has(header::IF_NONE_MATCH, &tile.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if has(header::ACCEPT_ENCODING, "gzip") {
        ([(header::CONTENT_ENCODING, "gzip")], tile.gzip.clone()).into_response()
    } else {
        tile.plain.clone().into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.mapbox-vector-tile"));
    // The version stands in the address, so the answer never changes; private, because it was answered to someone known.
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&tile.etag) {
        out.insert(header::ETAG, etag);
    }
    response
}

/// The live stream (server-sent events), for all viewers made of one look at ClickHouse a tick. Events and their data:
/// `entities` (Moves), `values` of the subject asked for (ValueChanges), `alerts` (AlertsNews), `kpi` (KpiView),
/// `freshness` (FreshnessView), `layers` (other versions are in force), `alerts_gap` (alerts changed that are not told one
/// by one), `gap` (this viewer was too slow and missed something: fetch anew), and at last of each tick `tick` (Tick).
/// Give all of `layer`, `level` and `metric`, or none.
#[utoipa::path(get, path = "/live", tag = "map",
    params(("layer" = Option<String>, Query), ("level" = Option<String>, Query), ("metric" = Option<String>, Query),
        ("span" = Option<u32>, Query, minimum = 10, maximum = 2_678_400, description = "seconds folded; 600 when missing"),
        ("statistic" = Option<String>, Query, description = "mean, sum, count, min, max or last; the metric's own when missing")),
    responses((status = 200, description = "the stream", body = String, content_type = "text/event-stream"), (status = 400, body = ProblemView),
        (status = 404, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn live(State(api): State<Api>, ask: Ask) -> Result<Response, Problem> {
    ask.only(&["layer", "level", "metric", "span", "statistic"])?;
    let watched = ["layer", "level", "metric", "span", "statistic"].iter().any(|name| ask.optional(name).is_some());
    let subject = if watched { Some(subject(&api, &ask)?) } else { None };
    if api.hub.viewers() >= api.limits.viewers {
        return Err(Problem::unavailable(format!("{} live streams are open, which is the limit", api.limits.viewers)));
    }
    let said = stream::of(&api.hub, subject);
    let said =
        said.ok_or_else(|| Problem::unavailable("too many different maps are watched; choose one of the others"))?;
    let events = Sse::new(said).keep_alive(KeepAlive::default());
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::HeaderName::from_static("x-accel-buffering"), "no")], events)
        .into_response())
}
