use super::*;
use crate::{city::LayerFields, layer::Level, text::Text};

fn file(levels: &[&str]) -> LayerFile {
    let level = |id: &&str| Level { id: (*id).into(), name: Text::default() };
    LayerFile {
        id: "grid".into(),
        title: Text::default(),
        file: "layers/grid.geojson".into(),
        levels: levels.iter().map(level).collect(),
        main: true,
        fields: LayerFields::default(),
    }
}

fn collection(features: &[&str]) -> String {
    format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(","))
}

const SQUARE: &str = r#""geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0,7.5],[1,1],[0,1],[0,0]]]}"#;

fn feature(properties: &str) -> String {
    format!(r#"{{"type":"Feature","properties":{{{properties}}},{SQUARE}}}"#)
}

#[test]
fn parents_nobody_describes_are_made() {
    let text = collection(&[
        &feature(r#""code":"2","name":"Two","parent":"R""#),
        &feature(
            r#""code":1,"name":"One","name_zh":"一","parent":"R","valid_from":"2026-01-01","valid_to":"2026-02-01T00:00:00Z""#,
        ),
    ]);
    let (head, areas, warnings) = read_geojson(&file(&["region", "council"]), &text).unwrap();
    assert_eq!(head.layer, "grid");
    assert!(warnings.is_empty(), "{warnings:?}");
    let codes: Vec<&str> = areas.iter().map(|area| area.code.as_str()).collect();
    assert_eq!(codes, ["R", "1", "2"]);
    assert_eq!(areas[0].level, 0);
    assert_eq!(areas[1].name, Text { en: "One".into(), zh: "一".into() });
    assert_eq!(areas[1].valid_from, Some(1_767_225_600_000));
    assert_eq!(areas[2].name.zh, "Two");
    assert_eq!(areas[1].polygons.as_ref().unwrap()[0][0][1], [1.0, 0.0]);
}

#[test]
fn a_date_is_midnight_in_the_city() {
    let text = collection(&[&feature(r#""code":"1","valid_from":"2026-01-01""#)]);
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let (_, areas, _) = read_geojson_in(&file(&["cell"]), &text, &zone).unwrap();
    assert_eq!(areas[0].valid_from, Some(1_767_225_600_000 - 8 * 3_600_000));
}

#[test]
fn errors_name_file_feature_and_field() {
    let good = feature(r#""code":"1""#);
    let cases = [
        (vec![feature(r#""name":"x""#)], "layers/grid.geojson: feature 1: code: is missing"),
        (
            vec![good.clone(), good.clone()],
            "layers/grid.geojson: feature 2 (code 1): code: is also the code of feature 1",
        ),
        (
            vec![feature(r#""code":"1","level":"yard""#)],
            "layers/grid.geojson: feature 1 (code 1): level: yard is not a level",
        ),
        (
            vec![feature(r#""code":"1","valid_from":"yesterday""#)],
            "layers/grid.geojson: feature 1 (code 1): valid_from: yesterday is neither",
        ),
        (
            vec![feature(r#""code":"1","valid_from":"2026-01-02","valid_to":"2026-01-01""#)],
            "layers/grid.geojson: feature 1 (code 1): valid_to: does not lie after",
        ),
        (vec![feature(r#""code":["1"]"#)], "layers/grid.geojson: feature 1: code: is neither a text nor a number"),
        (
            vec![feature(r#""code":"1","level":"district","parent":"2""#)],
            "layers/grid.geojson: feature 1 (code 1): parent: names 2, but nothing",
        ),
        (
            vec![r#"{"properties":{"code":"1"},"geometry":{"type":"Point","coordinates":[1,2]}}"#.into()],
            "layers/grid.geojson: feature 1 (code 1): geometry.type: Point has no inside",
        ),
        (
            vec![r#"{"properties":{"code":"1"},"geometry":{"type":"Polygon","coordinates":[[[1,95],[2,3]]]}}"#.into()],
            "layers/grid.geojson: feature 1 (code 1): geometry.coordinates[0][0][0]: 1, 95 is not",
        ),
        (
            vec![r#"{"properties":{"code":"1"},"geometry":{"type":"Polygon","coordinates":[[[1],[2,3]]]}}"#.into()],
            "layers/grid.geojson: feature 1 (code 1): geometry.coordinates: ",
        ),
    ];
    for (features, expected) in cases {
        let features: Vec<&str> = features.iter().map(String::as_str).collect();
        let error = read_geojson(&file(&["district", "cell"]), &collection(&features)).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn whole_files_that_are_something_else_are_refused() {
    let check = |text: &str, expected: &str| {
        let error = read_geojson(&file(&["cell"]), text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    check("[", "layers/grid.geojson: is not a GeoJSON FeatureCollection");
    check(r#"{"type":"Feature","features":[]}"#, "layers/grid.geojson: type: is Feature");
    check(
        r#"{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"EPSG:3857"}},"features":[]}"#,
        "layers/grid.geojson: crs: ",
    );
    let none = read_geojson(&file(&[]), "{}").unwrap_err().to_string();
    assert!(none.contains("levels: layer grid has none"), "{none}");
}

#[test]
fn odd_outlines_are_warnings() {
    let bow_tie =
        r#"{"properties":{"code":"1"},"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}}"#;
    let bare = r#"{"properties":{"code":"2"},"geometry":null}"#;
    let (_, areas, warnings) = read_geojson(&file(&["district", "cell"]), &collection(&[bow_tie, bare])).unwrap();
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(areas.len(), 2);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].starts_with("layers/grid.geojson: feature 1 (code 1): geometry: the outline crosses itself near 0.500000, 0.500000; read even-odd"));
    assert!(warnings[1].contains("is missing; nothing will be located"));
    assert!(warnings[2].contains("1 and 1 more name no area above"));
}

#[test]
fn the_version_depends_on_content_and_not_on_order() {
    let one = feature(r#""code":"1""#);
    let two = feature(r#""code":"2""#);
    let read = |features: &[&str]| {
        let (head, areas, _) = read_geojson(&file(&["cell"]), &collection(features)).unwrap();
        crate::layer::version_of(&head, &areas)
    };
    assert_eq!(read(&[&one, &two]), read(&[&two, &one]));
    assert_ne!(read(&[&one, &two]), read(&[&one]));
    assert_eq!(read(&[&one]).0.len(), 16);
}
