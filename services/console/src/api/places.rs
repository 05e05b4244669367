//! The city, its layers and areas.

use super::ask::{Ask, At, wrong};
use super::model::{AreaDetailView, AreaRefView, AreaView, AreasView, CityView, LayersView, ProblemView};
use super::{Api, not_found, sheet_of};
use crate::atlas::{Sheet, is_valid};
use crate::views;
use axum::Json;
use axum::extract::State;
use gridwarden_domain::layer::Area;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::Problem;
use gridwarden_runtime::telemetry;
use serde::Deserialize;

/// Who the city is.
#[utoipa::path(get, path = "/city", tag = "city", responses((status = 200, body = CityView)))]
pub(super) async fn city(State(api): State<Api>) -> Json<CityView> {
    let file = &api.world.city.file;
    Json(CityView {
        name: (&file.name).into(),
        timezone: file.timezone.clone(),
        simulated: file.simulated,
        version: telemetry::VERSION.to_owned(),
        now: now_ms(),
    })
}

/// Layers in force with their levels and versions.
#[utoipa::path(get, path = "/layers", tag = "city", responses((status = 200, body = LayersView)))]
pub(super) async fn layers(State(api): State<Api>) -> Json<LayersView> {
    let atlas = api.world.atlas.load();
    let now = now_ms();
    let layers = atlas.sheets.iter().enumerate().map(|(at, sheet)| views::layer(sheet, at == 0, now));
    Json(LayersView { layers: layers.collect() })
}

/// Finds areas: by words in name or code, by level, by parent, or by number.
#[utoipa::path(get, path = "/areas", tag = "city",
    params(("layer" = String, Query), ("level" = Option<String>, Query), ("q" = Option<String>, Query, description = "words in name or code"),
        ("parent" = Option<String>, Query, description = "code of the area directly above"), ("id" = Option<u32>, Query, description = "number in this layer version"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 10_000, description = "100 when missing"), ("offset" = Option<usize>, Query)),
    responses((status = 200, body = AreasView), (status = 400, body = ProblemView), (status = 404, body = ProblemView)))]
pub(super) async fn areas(State(api): State<Api>, ask: Ask) -> Result<Json<AreasView>, Problem> {
    ask.only(&["layer", "level", "q", "parent", "id", "limit", "offset"])?;
    let sheet = sheet_of(&api, ask.text("layer")?)?;
    let level = level_of(&sheet, &ask)?;
    let limit = ask.number("limit", 100usize, 1..=10_000)?;
    let offset = ask.number("offset", 0usize, 0..=usize::MAX)?;
    let id = ask.optional("id").map(|_| ask.number("id", 0u32, 0..=u32::MAX)).transpose()?;
    let words = ask.optional("q").map(str::to_lowercase);
    let parent = ask.optional("parent");
    let now = now_ms();
    let passes = |number: u32, area: &Area| {
        is_valid(area, now)
            && id.is_none_or(|id| id == number)
            && level.is_none_or(|level| usize::from(area.level) == level)
            && parent.is_none_or(|parent| area.parent.as_deref() == Some(parent))
            && words.as_deref().is_none_or(|words| has_words(area, words))
    };
    let found: Vec<u32> =
        (0u32..).zip(&sheet.layer.areas).filter(|(n, area)| passes(*n, area)).map(|(n, _)| n).collect();
    let page = found.iter().skip(offset).take(limit);
    let areas: Vec<AreaView> = page.filter_map(|number| views::area(&sheet, *number)).collect();
    Ok(Json(AreasView { areas, total: found.len() }))
}

fn has_words(area: &Area, words: &str) -> bool {
    [&area.code, &area.name.en, &area.name.zh].iter().any(|text| text.to_lowercase().contains(words))
}

fn level_of(sheet: &Sheet, ask: &Ask) -> Result<Option<usize>, Problem> {
    let Some(id) = ask.optional("level") else { return Ok(None) };
    let known = || sheet.layer.head.levels.iter().map(|level| level.id.as_str()).collect::<Vec<_>>().join(", ");
    match sheet.level(id) {
        Some(level) => Ok(Some(level)),
        None => Err(wrong("level", format!("is none of this layer's: {}", known()))),
    }
}

/// The level a question names; it must name one.
pub(super) fn required_level(sheet: &Sheet, ask: &Ask) -> Result<usize, Problem> {
    ask.text("level")?;
    level_of(sheet, ask)?.ok_or_else(|| wrong("level", "is missing"))
}

/// Which area.
#[derive(Deserialize)]
pub(super) struct AreaPath {
    layer: String,
    code: String,
}

/// One area with those above and below.
#[utoipa::path(get, path = "/areas/{layer}/{code}", tag = "city",
    params(("layer" = String, Path), ("code" = String, Path)),
    responses((status = 200, body = AreaDetailView), (status = 404, body = ProblemView)))]
pub(super) async fn area(
    State(api): State<Api>,
    At(AreaPath { layer, code }): At<AreaPath>,
) -> Result<Json<AreaDetailView>, Problem> {
    let sheet = sheet_of(&api, &layer)?;
    let now = now_ms();
    let missing = || not_found("code", format!("layer {layer} has no area {code} now"));
    let number = sheet.layer.find(&code, now).ok_or_else(missing)?;
    let view = views::area(&sheet, number).ok_or_else(missing)?;
    let parents = sheet.layer.ancestors(number).filter_map(|above| {
        let area = sheet.area(above)?;
        let level = sheet.level_id(area.level).to_owned();
        Some(AreaRefView { layer: layer.clone(), level, code: area.code.clone(), name: (&area.name).into() })
    });
    let below = sheet.children.get(number as usize).map_or(&[][..], Vec::as_slice);
    let valid = below.iter().filter(|child| sheet.area(**child).is_some_and(|area| is_valid(area, now)));
    Ok(Json(AreaDetailView {
        area: view,
        parents: parents.collect(),
        children: valid.filter_map(|child| views::area(&sheet, *child)).collect(),
    }))
}
