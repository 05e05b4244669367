//! Entities and alerts.

use super::ask::{Ask, At, wrong};
use super::model::{AlertsView, EntitiesView, EntityView, ProblemView, ValueView};
use super::{Api, not_found, reader, store};
use crate::figures::SEVERITIES;
use crate::views;
use axum::Json;
use axum::extract::State;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::Problem;
use gridwarden_store::read::{AlertFilter, AlertState, EntityState};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// Entities with a position, column by column.
#[utoipa::path(get, path = "/entities", tag = "entities",
    params(("kind" = Option<String>, Query, description = "one or more kinds, separated by commas"), ("bbox" = Option<String>, Query, description = "west,south,east,north")),
    responses((status = 200, body = EntitiesView), (status = 400, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn entities(State(api): State<Api>, ask: Ask) -> Result<Json<EntitiesView>, Problem> {
    ask.only(&["kind", "bbox"])?;
    let bbox = ask.bbox("bbox")?;
    let wanted: Vec<&str> = ask.optional("kind").map(|kinds| kinds.split(',').collect()).unwrap_or_default();
    let world = &api.world;
    // The book alone, which the tick keeps: whoever fetches it and hears the stream knows what everybody knows, also while
    // ClickHouse is away.
    let book = world.book.read().unwrap_or_else(PoisonError::into_inner);
    if !book.is_begun() {
        return Err(Problem::unavailable("ClickHouse has not answered since this console started"));
    }
    let kinds = views::kinds(world, book.kinds());
    let index: BTreeMap<&str, usize> = kinds.iter().enumerate().map(|(at, kind)| (kind.kind.as_str(), at)).collect();
    let mut view = EntitiesView {
        epoch: book.epoch().to_owned(),
        kinds: Vec::new(),
        ids: Vec::new(),
        sources: Vec::new(),
        kind: Vec::new(),
        lon: Vec::new(),
        lat: Vec::new(),
        time: Vec::new(),
    };
    for seen in book.entities() {
        let inside = bbox.is_none_or(|[west, south, east, north]| {
            (west..=east).contains(&seen.lon) && (south..=north).contains(&seen.lat)
        });
        if !inside || !(wanted.is_empty() || wanted.contains(&seen.kind.as_str())) {
            continue;
        }
        view.ids.push(seen.id);
        view.sources.push(seen.source.clone());
        view.kind.push(index.get(seen.kind.as_str()).copied().unwrap_or_default());
        view.lon.push(seen.lon);
        view.lat.push(seen.lat);
        view.time.push(seen.time);
    }
    drop(book);
    drop(index);
    view.kinds = kinds;
    Ok(Json(view))
}

/// Which entity.
#[derive(Deserialize)]
pub(super) struct EntityPath {
    source: String,
}

/// The latest state of one entity.
#[utoipa::path(get, path = "/entities/{source}", tag = "entities", params(("source" = String, Path)),
    responses((status = 200, body = EntityView), (status = 404, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn entity(
    State(api): State<Api>,
    At(EntityPath { source }): At<EntityPath>,
) -> Result<Json<EntityView>, Problem> {
    let state = reader(&api)?.entity_state(&source).await.map_err(store)?;
    let state = state.ok_or_else(|| not_found("source", format!("no entity {source} has spoken")))?;
    Ok(Json(entity_view(&api, state)))
}

fn entity_view(api: &Api, state: EntityState) -> EntityView {
    let now = now_ms();
    let (atlas, timeline) = (api.world.atlas.load(), api.world.timeline());
    let registered = timeline.as_ref().and_then(|timeline| timeline.entity_at(&state.source, now));
    let own = state.lon.zip(state.lat).map(|(lon, lat)| [lon, lat]);
    let values = state.value_names.iter().zip(&state.value_numbers).map(|(name, value)| {
        let named = api.world.city.names.value(&state.kind, name);
        ValueView { name: name.clone(), title: named.name.into(), unit: named.unit, value: *value }
    });
    EntityView {
        kind_name: api.world.city.names.kind(&state.kind).into(),
        name: registered.map(|entity| (&entity.name).into()).unwrap_or_default(),
        fixed: registered.is_some_and(|entity| entity.position.is_some()),
        position: own.or_else(|| registered?.position.map(|at| [at.lon, at.lat])),
        areas: views::area_refs(&atlas, &state.area_layers, &state.area_codes, now),
        values: values.collect(),
        time: state.time_ms,
        appended_at: state.appended_ms,
        feed: state.feed,
        kind: state.kind,
        source: state.source,
    }
}

/// Alerts as they stand, newest raise first. While ClickHouse is away: as they were last seen, every open one and the newest
/// cleared ones, with the moment in `as_of`.
#[utoipa::path(get, path = "/alerts", tag = "alerts",
    params(("open" = Option<bool>, Query, description = "true: open ones; false: cleared ones; missing: both"),
        ("severity" = Option<String>, Query, description = "one or more of critical, major, minor, warning, separated by commas"),
        ("since" = Option<String>, Query, description = "raised at or after (RFC 3339 or epoch ms)"),
        ("limit" = Option<u32>, Query, description = "1 to 5,000; 200 when missing")),
    responses((status = 200, body = AlertsView), (status = 400, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn alerts(State(api): State<Api>, ask: Ask) -> Result<Json<AlertsView>, Problem> {
    ask.only(&["open", "severity", "since", "limit"])?;
    let severities: Vec<String> =
        ask.optional("severity").map(|all| all.split(',').map(str::to_owned).collect()).unwrap_or_default();
    if severities.iter().any(|one| !SEVERITIES.contains(&one.as_str())) {
        return Err(wrong("severity", format!("must be of {}", SEVERITIES.join(", "))));
    }
    let filter = AlertFilter { open: ask.flag("open")?, severities, since_ms: ask.moment("since")?.unwrap_or(0) };
    let limit = ask.number("limit", 200u32, 1..=5_000)?;
    let as_of = api.world.away_since();
    let (states, total) = match as_of {
        None => api.world.reader.alerts(&filter, limit).await.map_err(store)?,
        Some(_) => last_seen(&api, &filter, limit)?,
    };
    let now = now_ms();
    let alerts = states.iter().map(|state| views::alert(&api.world, state, now)).collect();
    Ok(Json(AlertsView { alerts, total, as_of }))
}

/// The alerts as the tick saw them before ClickHouse went away: a missed alert is worse than an old one.
fn last_seen(api: &Api, filter: &AlertFilter, limit: u32) -> Result<(Vec<AlertState>, u64), Problem> {
    let board = api.world.board.read().unwrap_or_else(PoisonError::into_inner);
    if !board.is_begun() {
        reader(api)?;
    }
    Ok(board.list(filter, limit as usize))
}
