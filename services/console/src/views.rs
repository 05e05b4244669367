//! From what is known to what the API says.

use crate::api::model::{
    AlertView, AreaRefView, AreaView, KindView, LayerView, LevelView, StormView, SubjectView, TextView,
};
use crate::atlas::{Atlas, Sheet};
use crate::world::World;
use gridwarden_domain::alert::AreaRef;
use gridwarden_runtime::clock::now_ms;
use gridwarden_store::read::{AlertState, StormFound};
use std::collections::BTreeMap;

/// A layer.
pub fn layer(sheet: &Sheet, main: bool, now: i64) -> LayerView {
    let head = &sheet.layer.head;
    let levels = head.levels.iter().enumerate().map(|(number, level)| LevelView {
        id: level.id.clone(),
        name: (&level.name).into(),
        areas: sheet.areas_at(number, now).count(),
    });
    LayerView {
        id: head.layer.clone(),
        title: (&head.title).into(),
        main,
        version: sheet.version_at(now),
        bounds: sheet.bounds,
        levels: levels.collect(),
    }
}

/// An area.
pub fn area(sheet: &Sheet, number: u32) -> Option<AreaView> {
    let area = sheet.area(number)?;
    Some(AreaView {
        id: number,
        layer: sheet.id().to_owned(),
        level: sheet.level_id(area.level).to_owned(),
        code: area.code.clone(),
        name: (&area.name).into(),
        parent: area.parent.clone(),
        centre: sheet.centre(number),
        bounds: sheet.shape(number).map(crate::atlas::shape::Shape::bounds),
    })
}

/// An area by reference; without a name when it is not known any more.
pub fn area_ref(atlas: &Atlas, layer: &str, code: &str, now: i64) -> AreaRefView {
    let reference = AreaRef { layer: layer.to_owned(), code: code.to_owned() };
    let found = atlas.find(&reference, now).and_then(|(sheet, number)| Some((sheet, sheet.area(number)?)));
    AreaRefView {
        layer: reference.layer,
        level: found.map(|(sheet, area)| sheet.level_id(area.level).to_owned()).unwrap_or_default(),
        code: reference.code,
        name: found.map(|(_, area)| TextView::from(&area.name)).unwrap_or_default(),
    }
}

/// Areas as rows hold them: layers and codes side by side.
pub fn area_refs(atlas: &Atlas, layers: &[String], codes: &[String], now: i64) -> Vec<AreaRefView> {
    layers.iter().zip(codes).map(|(layer, code)| area_ref(atlas, layer, code, now)).collect()
}

/// An alert as it stands.
pub fn alert(world: &World, state: &AlertState, now: i64) -> AlertView {
    let atlas = world.atlas.load();
    let open = state.is_open();
    let kind = entity_kind(world, state);
    let named = (!state.metric.is_empty()).then(|| world.city.names.value(&kind, &state.metric));
    AlertView {
        id: state.id.clone(),
        seq: state.seq,
        open,
        severity: state.severity.clone(),
        title: TextView { en: state.title_en.clone(), zh: state.title_zh.clone() },
        rule: state.rule.clone(),
        kind: state.kind.clone(),
        subject: subject(world, &atlas, state, now),
        raised_at: state.raised_ms,
        cleared_at: (!open).then_some(state.time_ms),
        position: state.lon.zip(state.lat).map(|(lon, lat)| [lon, lat]),
        areas: area_refs(&atlas, &state.area_layers, &state.area_codes, now),
        metric: named.as_ref().map(|_| state.metric.clone()),
        metric_name: named.as_ref().map(|named| (&named.name).into()),
        unit: named.map(|named| named.unit),
        value: state.value,
        level: state.level,
        simulated: state.simulated,
        urgency: state.urgency.clone(),
        certainty: state.certainty.clone(),
        evidence: state.evidence.clone(),
    }
}

/// A storm.
pub fn storm(found: StormFound) -> StormView {
    StormView {
        id: found.id,
        rule: found.rule,
        title: TextView { en: found.title_en, zh: found.title_zh },
        severity: found.severity,
        per_minute: found.per_minute,
        since: found.since_ms,
        until: found.until_ms,
        held_back: found.held_back,
        simulated: found.simulated,
    }
}

fn entity_kind(world: &World, state: &AlertState) -> String {
    let timeline = world.timeline();
    let entity = timeline.as_ref().and_then(|timeline| timeline.entity_at(&state.subject, now_ms()));
    entity.map(|entity| entity.kind.clone()).unwrap_or_default()
}

fn subject(world: &World, atlas: &Atlas, state: &AlertState, now: i64) -> SubjectView {
    let name = match state.subject_kind.as_str() {
        "area" => {
            let (layer, code) = state.subject.split_once('/').unwrap_or_default();
            area_ref(atlas, layer, code, now).name
        }
        "entity" => {
            let timeline = world.timeline();
            let entity = timeline.as_ref().and_then(|timeline| timeline.entity_at(&state.subject, now));
            entity.map(|entity| TextView::from(&entity.name)).unwrap_or_default()
        }
        // Two entities by their ids; a place bears the alert's title.
        "pair" => TextView::default(),
        _ => TextView { en: state.title_en.clone(), zh: state.title_zh.clone() },
    };
    SubjectView { kind: state.subject_kind.clone(), id: state.subject.clone(), name }
}

/// Kinds with their counts, moving kinds first; the order is that of `kind` in [`crate::api::model::EntitiesView`].
pub fn kinds(world: &World, counts: &BTreeMap<String, u64>) -> Vec<KindView> {
    let mut fixed: BTreeMap<String, u64> = BTreeMap::new();
    if let Some(timeline) = world.timeline() {
        for entity in timeline.entities().filter(|entity| entity.position.is_some()) {
            *fixed.entry(entity.kind.clone()).or_default() += 1;
        }
    }
    let view = |(kind, entities): (&String, &u64)| KindView {
        kind: kind.clone(),
        name: world.city.names.kind(kind).into(),
        fixed: fixed.get(kind).copied().unwrap_or_default().min(*entities),
        entities: *entities,
    };
    let mut kinds: Vec<KindView> = counts.iter().map(view).collect();
    kinds.sort_by_key(|kind| (kind.fixed * 2 > kind.entities, kind.kind.clone()));
    kinds
}
