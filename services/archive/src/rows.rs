//! From a judged record to its row: where it lies, in the words of the layers in force when it was appended.

use gridwarden_domain::control::Timeline;
use gridwarden_domain::locate::{LayerSet, Places};
use gridwarden_domain::observation::{ObservationRef, Position};
use gridwarden_domain::report::Report;
use gridwarden_runtime::seeded::seeded;
use smallvec::SmallVec;

/// (layer id, area code), leaf first, every level of every layer.
pub type Areas<'t> = SmallVec<[(&'t str, &'t str); 16]>;

/// Where an observation lies: its own position, else the registered one of its entity; and the areas that contain it,
/// with the boundaries of its own time.
pub fn place_observation<'t>(
    timeline: &'t Timeline,
    said: &ObservationRef<'_>,
    appended_ms: i64,
    places: &mut Places,
) -> (Option<Position>, Areas<'t>) {
    let registered = || timeline.entity_at(&said.source, appended_ms).and_then(|entity| entity.position);
    let position = said.position.or_else(registered);
    let layers = timeline.layers_at(appended_ms);
    places.clear();
    if let Some(position) = position {
        layers.locate(position.lon, position.lat, said.time_ms, places);
    }
    (position, areas(layers, places))
}

/// The areas of a report: by its position, else by the area it names.
pub fn place_report<'t>(timeline: &'t Timeline, said: &Report, appended_ms: i64, places: &mut Places) -> Areas<'t> {
    let layers = timeline.layers_at(appended_ms);
    places.clear();
    match (said.position, &said.area) {
        (Some(position), _) => layers.locate(position.lon, position.lat, said.time, places),
        (None, Some(area)) if !seeded("named-area-unread") => {
            layers.by_code(area, said.time, places);
        }
        (None, _) => {}
    }
    areas(layers, places)
}

fn areas<'t>(layers: &'t LayerSet, places: &Places) -> Areas<'t> {
    let mut areas = Areas::new();
    for place in places {
        let Some(layer) = layers.layers.get(usize::from(place.layer)) else { continue };
        for number in std::iter::once(place.area).chain(layer.ancestors(place.area)) {
            let Some(area) = layer.areas.get(number as usize) else { continue };
            let found = (layer.head.layer.as_str(), area.code.as_str());
            // Two leaves of a layer may contain a position (overlapping areas) and share what is above them.
            if !areas.contains(&found) {
                areas.push(found);
            }
        }
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::control::Fold;
    use gridwarden_domain::decode::Decoder;
    use gridwarden_domain::entity::Entity;
    use gridwarden_domain::layer::{Area, LayerHead, LayerRecord, Level, version_of};

    const FORCE: i64 = 2000;

    fn area(code: &str, level: u8, parent: Option<&str>, ring: Option<[f64; 4]>) -> Area {
        let square = |[w, s, e, n]: [f64; 4]| vec![vec![vec![[w, s], [e, s], [e, n], [w, n], [w, s]]]];
        Area {
            code: code.to_owned(),
            level,
            name: Default::default(),
            parent: parent.map(str::to_owned),
            valid_from: None,
            valid_to: None,
            priority: None,
            polygons: ring.map(square),
        }
    }

    fn timeline() -> Timeline {
        let level = |id: &str| Level { id: id.to_owned(), name: Default::default() };
        let head = LayerHead {
            layer: "grid".to_owned(),
            title: Default::default(),
            levels: vec![level("city"), level("cell")],
            main: true,
            partition: false,
        };
        let areas = vec![
            area("C", 0, None, None),
            area("a", 1, Some("C"), Some([0.0, 0.0, 1.0, 1.0])),
            area("b", 1, Some("C"), Some([1.0, 0.0, 2.0, 1.0])),
        ];
        let (version, hash) = version_of(&head, &areas);
        let mut fold = Fold::new();
        let mut publish = |key: String, record: &LayerRecord| {
            fold.layer(key.as_bytes(), Some(&serde_json::to_vec(record).unwrap()), 0).unwrap();
        };
        for area in &areas {
            let record = LayerRecord::Area { layer: "grid".to_owned(), version: version.clone(), area: area.clone() };
            publish(format!("grid/{version}/{}", area.code), &record);
        }
        let count = u32::try_from(areas.len()).unwrap();
        publish(format!("grid/{version}"), &LayerRecord::Closing { head, version: version.clone(), count, hash });
        let entity = Entity {
            id: "fixed".to_owned(),
            kind: "air".to_owned(),
            name: Default::default(),
            position: Some(Position { lon: 1.5, lat: 0.5, accuracy_m: None }),
            departments: None,
            attributes: Default::default(),
        };
        fold.registry(b"fixed", Some(&serde_json::to_vec(&entity).unwrap()), 0).unwrap();
        fold.timeline()
    }

    fn places_of(payload: &str, appended_ms: i64) -> (bool, Vec<String>) {
        let timeline = timeline();
        let said = Decoder::observations().observation(payload.as_bytes()).unwrap();
        let (position, areas) = place_observation(&timeline, &said, appended_ms, &mut Places::new());
        (position.is_some(), areas.iter().map(|(layer, code)| format!("{layer}/{code}")).collect())
    }

    #[test]
    fn leaf_first_then_what_is_above() {
        let moving = r#"{"source":"m","kind":"v","time":5,"position":{"lon":0.5,"lat":0.5}}"#;
        assert_eq!(places_of(moving, FORCE), (true, vec!["grid/a".to_owned(), "grid/C".to_owned()]));
    }

    #[test]
    fn a_fixed_entity_lies_where_it_is_registered_once_that_is_in_force() {
        let fixed = r#"{"source":"fixed","kind":"air","time":5}"#;
        assert_eq!(places_of(fixed, FORCE), (true, vec!["grid/b".to_owned(), "grid/C".to_owned()]));
        assert_eq!(places_of(fixed, FORCE - 1), (false, vec![]));
    }
}
