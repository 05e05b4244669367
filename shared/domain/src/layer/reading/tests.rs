//! GeoJSON as cities write it: what is read, what is warned of, what is refused and where.

use super::*;
use crate::crs::Crs;
use crate::{city::LayerFields, layer::Level, text::Text};

fn read(file: &LayerFile, text: &str) -> Result<ReadLayer, LayerError> {
    read_geojson(file, text, &TimeZone::UTC).map_err(|errors| errors[0].clone())
}

fn file(levels: &[&str]) -> LayerFile {
    let level = |id: &&str| Level { id: (*id).into(), name: Text::default() };
    LayerFile {
        crs: None,
        id: "grid".into(),
        title: Text::default(),
        file: "layers/grid.geojson".into(),
        levels: levels.iter().map(level).collect(),
        main: true,
        partition: false,
        tolerance_m2: None,
        repair: false,
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
    let (head, areas, warnings) = read(&file(&["region", "council"]), &text).unwrap();
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
    let (_, areas, _) = read_geojson(&file(&["cell"]), &text, &zone).unwrap();
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
            vec![feature(r#""code":"1","valid_from":"2026-01-01T10:00:00""#)],
            "layers/grid.geojson: feature 1 (code 1): valid_from: 2026-01-01T10:00:00 is neither",
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
        let error = read(&file(&["district", "cell"]), &collection(&features)).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn whole_files_that_are_something_else_are_refused() {
    let check = |text: &str, expected: &str| {
        let error = read(&file(&["cell"]), text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    check("[", "layers/grid.geojson: is not a GeoJSON FeatureCollection");
    check(r#"{"type":"Feature","features":[]}"#, "layers/grid.geojson: type: is Feature");
    check(
        r#"{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"EPSG:3857"}},"features":[]}"#,
        "layers/grid.geojson: crs: ",
    );
    let none = read(&file(&[]), "{}").unwrap_err().to_string();
    assert!(none.contains("levels: layer grid has none"), "{none}");
}

#[test]
fn every_feature_that_cannot_be_read_is_told_up_to_a_number() {
    let good = feature(r#""code":"0""#);
    let bad: Vec<String> = (0..50).map(|n| feature(&format!(r#""code":"c{n}","level":"yard""#))).collect();
    let features: Vec<&str> = std::iter::once(&good).chain(&bad).map(String::as_str).collect();
    let errors = read_geojson(&file(&["cell"]), &collection(&features), &TimeZone::UTC).unwrap_err();
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), MAX_ERRORS + 1);
    assert!(said[19].starts_with("layers/grid.geojson: feature 21 (code c19): level: yard"), "{said:?}");
    assert_eq!(said[20], "layers/grid.geojson: features: 30 more cannot be read");
}

#[test]
fn a_reference_system_is_known_by_its_whole_name() {
    let with = |name: &str| {
        let text = format!(
            r#"{{"type":"FeatureCollection","crs":{{"type":"name","properties":{{"name":"{name}"}}}},"features":[{}]}}"#,
            feature(r#""code":"1""#)
        );
        read(&file(&["cell"]), &text).map(|_| ()).map_err(|error| error.field)
    };
    for known in
        ["urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326", "EPSG:4326", "urn:ogc:def:crs:EPSG::4490"]
    {
        assert_eq!(with(known), Ok(()), "{known}");
    }
    for other in ["EPSG:43260", "urn:ogc:def:crs:EPSG::3857", "GCJ-03", ""] {
        assert_eq!(with(other), Err("crs".to_owned()), "{other}");
    }
}

#[test]
fn outlines_may_be_drawn_in_any_system_that_is_converted() {
    let drawn = |declared: Option<Crs>, member: &str| {
        let head = if member.is_empty() {
            String::new()
        } else {
            format!(r#""crs":{{"type":"name","properties":{{"name":"{member}"}}}},"#)
        };
        let square = r#"{"properties":{"code":"1"},"geometry":{"type":"Polygon","coordinates":[[[121.47,31.23],[121.473,31.23],[121.473,31.233]]]}}"#;
        let text = format!(r#"{{"type":"FeatureCollection",{head}"features":[{square}]}}"#);
        let file = LayerFile { crs: declared, ..file(&["cell"]) };
        read(&file, &text)
            .map(|(_, areas, _)| areas[0].polygons.as_ref().unwrap()[0][0][0])
            .map_err(|error| error.detail)
    };
    let place = [121.47, 31.23];
    for crs in [Crs::Wgs84, Crs::Cgcs2000, Crs::Gcj02, Crs::Bd09] {
        assert_eq!(drawn(Some(crs), ""), Ok(crs.to_wgs84(place)));
        assert_eq!(drawn(None, crs.as_str()), Ok(crs.to_wgs84(place)));
    }
    assert_eq!(drawn(None, ""), Ok(place));
    assert_eq!(drawn(Some(Crs::Cgcs2000), "urn:ogc:def:crs:OGC:1.3:CRS84"), Ok(place));
    assert_eq!(drawn(Some(Crs::Gcj02), "BD-09"), Err("the file says BD-09, city.toml GCJ-02".to_owned()));
    assert_eq!(
        drawn(None, "urn:ogc:def:crs:EPSG::4547"),
        Err("urn:ogc:def:crs:EPSG::4547 (CGCS2000, Gauss-Kruger, metres) is not converted; give degrees in WGS-84, CGCS2000, GCJ-02 or BD-09".to_owned())
    );
}

#[test]
fn coordinates_that_cannot_be_degrees_are_named() {
    let at = |point: &str| {
        let text = format!(
            r#"{{"properties":{{"code":"1"}},"geometry":{{"type":"Polygon","coordinates":[[[1,1],{point},[2,2]]]}}}}"#
        );
        let error = read(&file(&["cell"]), &collection(&[&text])).unwrap_err();
        assert_eq!(error.field, "geometry.coordinates[0][0][1]");
        error.detail
    };
    assert_eq!(at("[31.2,121.5]"), "31.2, 121.5 is not a position in degrees; the longitude stands first");
    assert_eq!(at("[355000.5,3456000.25]"), "355000.5, 3456000.25 is not a position in degrees; they look like metres");
}

#[test]
fn odd_outlines_are_warnings() {
    let bow_tie =
        r#"{"properties":{"code":"1"},"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}}"#;
    let bare = r#"{"properties":{"code":"2"},"geometry":null}"#;
    let above = r#"{"properties":{"code":"d","level":"district"}}"#;
    let text = collection(&[bow_tie, bare, above]);
    let (_, areas, warnings) = read(&file(&["district", "cell"]), &text).unwrap();
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(areas.len(), 3);
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert!(warnings[2].ends_with("is missing; it will not be drawn"));
    assert!(warnings[0].starts_with("layers/grid.geojson: feature 1 (code 1): geometry: the outline crosses itself near 0.500000, 0.500000; read even-odd"));
    assert!(warnings[1].contains("is missing; nothing will be located"));
    assert!(warnings[3].contains("1 and 1 more name no area above"));
}

fn outline(code: &str, ring: &str) -> String {
    format!(r#"{{"properties":{{"code":"{code}"}},"geometry":{{"type":"Polygon","coordinates":[[{ring}]]}}}}"#)
}

#[test]
fn outlines_over_the_date_line_or_a_pole_are_refused_by_name() {
    let refused = |ring: &str| {
        let error = read(&file(&["cell"]), &collection(&[&feature(r#""code":"1""#), &outline("3", ring)])).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        refused("[179,0],[-179,0],[-179,1],[179,1]"),
        "layers/grid.geojson: feature 2 (code 3): geometry: an edge goes from longitude -179.000000 to 179.000000; \
         cut the outline where it passes the date line"
    );
    assert!(
        refused("[0,80],[120,80],[-120,80]").contains("feature 2 (code 3): geometry: the outline goes over a pole")
    );
    assert!(refused("[0,80],[10,80],[5,90]").contains("over a pole near 5.000000, 90.000000"));
}

#[test]
fn an_outline_is_repaired_only_when_asked_and_it_is_said() {
    let bow_tie = outline("7", "[121,31],[121.01,31.01],[121.01,31],[121,31.01],[121,31]");
    let open = outline("8", "[121,31],[121.01,31],[121.01,31],[121.01,31.01]");
    let text = collection(&[&bow_tie, &open, &outline("9", "[121,31],[121.01,31],[121.01,31.01],[121,31]")]);
    let (_, drawn, warnings) = read(&file(&["cell"]), &text).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].to_string().ends_with("read even-odd") && drawn[0].polygons.as_ref().unwrap().len() == 1);
    let (_, areas, warnings) = read(&LayerFile { repair: true, ..file(&["cell"]) }, &text).unwrap();
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(
        said[0],
        "layers/grid.geojson: feature 1 (code 7): geometry: repaired: the outline crosses itself near 121.005000, \
         31.005000: 5 points of 1 polygons became 8 points of 2, 0 m2 as drawn became 529888 m2"
    );
    assert_eq!(
        said[1],
        "layers/grid.geojson: feature 2 (code 8): geometry: repaired: 1 points that repeat the one before were left \
         out; 1 rings that do not end where they begin were closed"
    );
    assert_eq!(areas[0].polygons.as_ref().unwrap().len(), 2);
    assert_eq!(areas[1].polygons.as_ref().unwrap()[0][0].len(), 4);
    assert_eq!(areas[2], drawn[2], "what is valid stays as drawn");
}

#[test]
fn priority_is_read_in_partitions_only() {
    let text = collection(&[&feature(r#""code":"1","rank":"-3""#), &feature(r#""code":"2","rank":null"#)]);
    let fields = LayerFields { priority: "rank".into(), ..LayerFields::default() };
    let partition = LayerFile { partition: true, fields, ..file(&["cell"]) };
    let (head, areas, _) = read(&partition, &text).unwrap();
    assert!(head.partition);
    assert_eq!([areas[0].priority, areas[1].priority], [Some(-3), None]);
    let plain = LayerFile { partition: false, ..partition.clone() };
    let (head, areas, _) = read(&plain, &text).unwrap();
    assert!(!head.partition && areas[0].priority.is_none());
    let error = read(&partition, &text.replace("\"-3\"", "1.5")).unwrap_err().to_string();
    let expected =
        "layers/grid.geojson: feature 1 (code 1): rank: 1.5 is not a whole number from -2147483648 to 2147483647";
    assert_eq!(error, expected);
}

/// Layers published before there were partitions must not be published anew.
#[test]
fn what_a_layer_does_not_use_is_not_in_its_hash() {
    let (head, areas, _) = read(&file(&["cell"]), &collection(&[&feature(r#""code":"1""#)])).unwrap();
    assert_eq!(crate::layer::version_of(&head, &areas).0, "e59066cfef318c06");
    let owned = vec![Area { priority: Some(1), ..areas[0].clone() }];
    assert_ne!(crate::layer::version_of(&head, &owned), crate::layer::version_of(&head, &areas));
}

#[test]
fn the_version_depends_on_content_and_not_on_order() {
    let one = feature(r#""code":"1""#);
    let two = feature(r#""code":"2""#);
    let version = |features: &[&str]| {
        let (head, areas, _) = read(&file(&["cell"]), &collection(features)).unwrap();
        crate::layer::version_of(&head, &areas)
    };
    assert_eq!(version(&[&one, &two]), version(&[&two, &one]));
    assert_ne!(version(&[&one, &two]), version(&[&one]));
    assert_eq!(version(&[&one]).0.len(), 16);
}
