//! What is in force when: layers, rules and entities over append times, and control records that are refused.

use super::*;
use crate::layer::{Area, LayerHead, LayerRecord, Level, version_of};
use crate::{rule, text::Text};

fn text(en: &str) -> Text {
    Text { en: en.into(), zh: String::new() }
}

fn head() -> LayerHead {
    let level = |id: &str| Level { id: id.into(), name: Text::default() };
    LayerHead {
        layer: "grid".into(),
        title: text("Grid"),
        levels: vec![level("district"), level("cell")],
        main: true,
        partition: false,
    }
}

fn square(code: &str, west: f64) -> Area {
    let east = west + 0.1;
    Area {
        code: code.into(),
        level: 1,
        name: text(code),
        parent: Some("d".into()),
        valid_from: None,
        valid_to: None,
        priority: None,
        polygons: Some(vec![vec![vec![[west, 31.0], [east, 31.0], [east, 31.3], [west, 31.3]]]]),
    }
}

fn district() -> Area {
    Area { code: "d".into(), level: 0, parent: None, polygons: None, ..square("d", 0.0) }
}

#[test]
fn areas_take_no_more_room_than_their_outlines_need() {
    let mut fold = Fold::new();
    // As many points as leave room in a list that grows while it is read.
    let mut round = square("a", 121.0);
    let point = |number: i32| [121.0 + f64::from(number).cos() / 10.0, 31.0 + f64::from(number).sin() / 10.0];
    round.polygons = Some(vec![vec![(0..35).map(point).collect()]]);
    for record in records(&[district(), round.clone()]) {
        fold.layer(b"k", Some(&record), 1000).unwrap();
    }
    let timeline = fold.timeline();
    let area = timeline.layers_at(i64::MAX).layers[0].areas.iter().find(|area| area.code == "a").unwrap();
    let polygons = area.polygons.as_ref().unwrap();
    assert_eq!(Some(polygons), round.polygons.as_ref());
    assert_eq!([polygons.capacity(), polygons[0].capacity(), polygons[0][0].capacity()], [1, 1, 35]);
}

/// Everything a publisher would send for a version: areas, then the closing record.
fn records(areas: &[Area]) -> Vec<Vec<u8>> {
    let (version, hash) = version_of(&head(), areas);
    let mut records: Vec<Vec<u8>> = areas
        .iter()
        .map(|area| {
            let area = LayerRecord::Area { layer: "grid".into(), version: version.clone(), area: area.clone() };
            serde_json::to_vec(&area).unwrap()
        })
        .collect();
    let closing = LayerRecord::Closing { head: head(), version, count: areas.len() as u32, hash };
    records.push(serde_json::to_vec(&closing).unwrap());
    records
}

fn rule_text(id: &str, level: f64) -> String {
    format!(
        r#"{{"id":"{id}","version":1,"title":{{"en":"x"}},"severity":"minor","threshold":{{"value":"pm25","side":"above","level":{level}}}}}"#
    )
}

#[test]
fn a_layer_is_in_force_two_seconds_after_its_closing_record() {
    let mut fold = Fold::new();
    let areas = [district(), square("a", 121.0), square("b", 121.1 + 0.1 / 3.0)];
    for (number, record) in records(&areas).iter().enumerate() {
        fold.layer(b"k", Some(record), 1000 + number as i64).unwrap();
    }
    let timeline = fold.timeline();
    assert!(timeline.layers_at(3002).layers.is_empty());
    let set = timeline.layers_at(3003);
    let mut places = Default::default();
    set.locate(121.05, 31.1, 0, &mut places);
    let refs: Vec<String> = set.area_refs(&places).into_iter().map(|area| area.code).collect();
    assert_eq!(refs, ["a", "d"]);
    assert_eq!(timeline.next_change_after(0), Some(3003));
    assert_eq!(timeline.next_change_after(3003), None);
}

#[test]
fn names_and_drawings_are_left_out_where_nobody_reads_them_once_the_layer_is_found_whole() {
    let named = Text { en: "One".into(), zh: "一".into() };
    let areas = [district(), Area { name: named.clone(), ..square("a", 121.0) }];
    for (mut fold, names) in [(Fold::new(), named), (Fold::to_place(), Text::default())] {
        records(&areas).iter().for_each(|record| fold.layer(b"k", Some(record), 0).unwrap());
        let set = fold.timeline().layers_at(9999).clone();
        let cell = set.layers[0].find("a", 0).unwrap();
        let area = &set.layers[0].areas[cell as usize];
        assert_eq!((area.polygons.is_none(), &area.name), (names.en.is_empty(), &names));
        assert_eq!(set.layers[0].outline(cell), areas[1].polygons.as_ref().unwrap()[0]);
    }
}

#[test]
fn an_incomplete_or_altered_layer_is_skipped_and_the_old_one_stays() {
    let mut fold = Fold::new();
    let first = [district(), square("a", 121.0)];
    for record in records(&first) {
        fold.layer(b"k", Some(&record), 0).unwrap();
    }
    let second = records(&[district(), square("a", 122.0)]);
    fold.layer(b"k", Some(&second[0]), 10).unwrap();
    let error = fold.layer(b"k", Some(&second[2]), 10).unwrap_err();
    assert_eq!(error.field, "count");
    let altered = String::from_utf8(second[1].clone()).unwrap().replace("31.3", "31.4");
    fold.layer(b"k", Some(&second[0]), 11).unwrap();
    fold.layer(b"k", Some(altered.as_bytes()), 11).unwrap();
    assert_eq!(fold.layer(b"k", Some(&second[2]), 11).unwrap_err().field, "hash");
    let timeline = fold.timeline();
    let mut places = Default::default();
    timeline.layers_at(9999).locate(121.05, 31.1, 0, &mut places);
    assert_eq!(places.len(), 1);
}

#[test]
fn a_layer_sent_again_after_a_crash_is_taken() {
    let mut fold = Fold::new();
    let all = records(&[district(), square("a", 121.0)]);
    fold.layer(b"k", Some(&all[0]), 0).unwrap();
    for record in &all {
        fold.layer(b"k", Some(record), 1).unwrap();
    }
    assert_eq!(fold.timeline().layers_at(2001).layers.len(), 1);
    // Once more, whole: nothing changes, and nothing is built anew.
    let before = Arc::clone(fold.timeline().layers_at(2001));
    for record in &all {
        fold.layer(b"k", Some(record), 20).unwrap();
    }
    assert_eq!(fold.timeline().next_change_after(2001), None);
    assert!(Arc::ptr_eq(&before, fold.timeline().layers_at(9999)));
    fold.layer(b"grid", None, 50).unwrap();
    assert_eq!(fold.timeline().layers_at(2001).layers.len(), 1);
    assert!(fold.timeline().layers_at(2050).layers.is_empty());
    assert!(fold.layer(b"grid", None, 60).is_err());
}

#[test]
fn rules_follow_the_log() {
    let mut fold = Fold::new();
    fold.rule(b"b", Some(rule_text("b", 1.0).as_bytes()), 100).unwrap();
    fold.rule(b"a", Some(rule_text("a", 1.0).as_bytes()), 200).unwrap();
    // The clock steps back: not in force before what stands before it in the log.
    fold.rule(b"b", None, 150).unwrap();
    let timeline = fold.timeline();
    let ids = |append_ms: i64| -> Vec<String> {
        let set = timeline.rules_at(append_ms);
        set.rules.iter().map(|rule| rule.id.clone()).collect()
    };
    assert!(ids(2099).is_empty());
    assert_eq!(ids(2100), ["b"]);
    assert_eq!(ids(2199), ["b"]);
    assert_eq!(ids(2200), ["a"]);
    assert_eq!(timeline.rules_at(2200).revision, 3);
    // What changes nothing is no change.
    fold.rule(b"a", Some(rule_text("a", 1.0).as_bytes()), 900).unwrap();
    assert_eq!(fold.timeline().next_change_after(2200), None);
}

#[test]
fn a_bad_rule_is_skipped_with_its_place() {
    let mut fold = Fold::new();
    fold.rule(b"a", Some(rule_text("a", 1.0).as_bytes()), 0).unwrap();
    let error = fold.rule(b"a", Some(rule_text("b", 2.0).as_bytes()), 1).unwrap_err();
    assert_eq!(error.field, "id");
    let error = fold.rule(b"a", Some(b"{}"), 1).unwrap_err();
    assert_eq!(error.to_string(), "id: is missing");
    assert!(fold.rule(b"\xff", Some(b"{}"), 1).is_err());
    let kept = rule::read(rule_text("a", 1.0).as_bytes()).unwrap();
    assert_eq!(*fold.timeline().rules_at(99_999).rules[0], kept);
}

#[test]
fn entities_come_change_and_go() {
    let mut fold = Fold::new();
    let entity = |kind: &str| format!(r#"{{"id":"s-1","kind":"{kind}","position":{{"lon":121.5,"lat":31.2}}}}"#);
    fold.registry(b"s-1", Some(entity("air").as_bytes()), 0).unwrap();
    let early = fold.timeline();
    fold.registry(b"s-1", Some(entity("noise").as_bytes()), 100).unwrap();
    fold.registry(b"s-1", None, 200).unwrap();
    let timeline = fold.timeline();
    let kind = |append_ms| timeline.entity_at("s-1", append_ms).map(|entity| entity.kind.clone());
    assert_eq!(kind(1999), None);
    assert_eq!(kind(2000).as_deref(), Some("air"));
    assert_eq!(kind(2100).as_deref(), Some("noise"));
    assert_eq!(kind(2200), None);
    assert_eq!(timeline.entity_count(), 0);
    assert_eq!(timeline.settled_from(), Some(2200));
    assert_eq!(Fold::new().timeline().settled_from(), None);
    assert_eq!(early.entity_count(), 1);
    assert_eq!(early.entity_at("s-1", 9999).unwrap().kind, "air");
    let wrong = fold.registry(b"s-2", Some(entity("air").as_bytes()), 300).unwrap_err();
    assert_eq!(wrong.field, "id");
    for (position, field) in [
        (r#"{"lon":221.5,"lat":31.2}"#, "position"),
        (r#"{"lon":121.5,"lat":31.2,"accuracy_m":-1}"#, "position.accuracy_m"),
    ] {
        let odd = format!(r#"{{"id":"s-1","kind":"air","position":{position}}}"#);
        assert_eq!(fold.registry(b"s-1", Some(odd.as_bytes()), 300).unwrap_err().field, field);
    }
    for (rest, field) in [
        (r#""kind":"Air""#, "kind"),
        (r#""kind":"air","attributes":{"a":"1","a":"2"}"#, "attributes.a"),
        (r#""kind":"air","position":[121.5,31.2]"#, "position"),
        (r#""kind":"air","name":{"fr":"x"}"#, "name.fr"),
    ] {
        let odd = format!(r#"{{"id":"s-1",{rest}}}"#);
        assert_eq!(fold.registry(b"s-1", Some(odd.as_bytes()), 300).unwrap_err().field, field);
    }
    let control = fold.registry(b"s-1", Some(br#"{"id":"s-1","a\tb":1}"#), 300).unwrap_err();
    assert!(!control.detail.contains(char::is_control), "{control}");
}
