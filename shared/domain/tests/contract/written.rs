//! What services write is what the schemas say: values made by code, at their least and at their most.

use crate::schemas;
use gridwarden_domain::{
    alert::{Alert, AreaRef, Subject, Transition},
    class::{ClassKind, ClassRef},
    crs::Crs,
    delivery::{Delivery, State},
    entity::{Departments, Entity},
    identity::{RecordId, TopicId},
    layer::{Area, LayerHead, LayerRecord, Level, version_of},
    observation::{Observation, Position},
    reject::{Code, Reason, Reject},
    report::{Channel, Report, VideoEvidence},
    rule::{
        Certainty, Changed, Condition, Crossing, DayKind, Fence, Period, Rule, Schedule, Select, Severity, Shape, Side,
        Silence, Speed, State as RuleState, Threshold, Urgency,
        together::{Cluster, Density, Place, Proximity, Statistic, When, Window},
    },
    text::Text,
    time::LATEST_MS,
};
use proptest::prelude::*;
use serde::Serialize;

/// Written as services write, and held to the schema.
fn faults(name: &str, value: &impl Serialize) -> Vec<String> {
    let bytes = serde_json::to_vec(value).expect("written");
    schemas::faults(&schemas::validator(name), &serde_json::from_slice(&bytes).expect("JSON"))
}

fn cause() -> RecordId {
    RecordId { topic_id: TopicId(0xabc), partition: 11, offset: i64::MAX }
}

fn least() -> Alert {
    Alert {
        id: "0".repeat(32),
        seq: 1,
        transition: Transition::Raised,
        generation: 0,
        rule: "r".to_owned(),
        rule_version: 1,
        kind: "fence".to_owned(),
        severity: Severity::Warning,
        urgency: Urgency::default(),
        certainty: Certainty::default(),
        title: Text { en: String::new(), zh: "标".to_owned() },
        subject: Subject::Entity("s".to_owned()),
        time: 0,
        raised_at: 0,
        appended_at: 0,
        cause: RecordId { topic_id: TopicId(0), partition: 0, offset: 0 },
        position: None,
        areas: Vec::new(),
        metric: None,
        value: None,
        level: None,
        evidence: Vec::new(),
        storm_per_minute: None,
        simulated: false,
    }
}

fn most() -> Alert {
    let area = AreaRef { layer: "grid".to_owned(), code: "310101".to_owned() };
    Alert {
        id: "f".repeat(32),
        seq: u32::MAX,
        transition: Transition::Cleared,
        generation: u32::MAX,
        rule: "r".repeat(128),
        rule_version: u32::MAX,
        kind: "threshold".to_owned(),
        severity: Severity::Critical,
        urgency: Urgency::default(),
        certainty: Certainty::default(),
        title: Text { en: "a".to_owned(), zh: "标".to_owned() },
        subject: Subject::Area(area.clone()),
        time: LATEST_MS,
        raised_at: LATEST_MS,
        appended_at: i64::MAX,
        cause: cause(),
        position: Some(Position { lon: -180.0, lat: 90.0, accuracy_m: Some(f32::MAX) }),
        areas: vec![area; 3],
        metric: Some("m".repeat(64)),
        value: Some(-1e12),
        level: Some(1e12),
        evidence: Vec::new(),
        storm_per_minute: None,
        simulated: true,
    }
}

#[test]
fn alerts() {
    assert_eq!(faults("alert", &least()), [""; 0]);
    assert_eq!(faults("alert", &most()), [""; 0]);
    // The schema can fail: a threshold without its level is none.
    assert_eq!(faults("alert", &Alert { level: None, ..most() }).len(), 1);
    assert_eq!(faults("alert", &Alert { seq: 0, ..least() }).len(), 1);
}

#[test]
fn deliveries() {
    let states = [
        (State::Waiting, 503, Some(9)),
        (State::Delivered, 204, None),
        (State::Failed, 0, None),
        (State::Skipped, 0, None),
    ];
    for (state, status, next_at) in states {
        let delivery = Delivery {
            alert: "0".repeat(32),
            seq: 1,
            endpoint: "desk-1".to_owned(),
            state,
            attempts: 3,
            status,
            detail: if status == 204 { String::new() } else { "why".to_owned() },
            first_at: 1,
            last_at: 2,
            next_at,
        };
        assert_eq!(faults("delivery", &delivery), [""; 0], "{state:?}");
        let otherwise = Delivery { next_at: if next_at.is_some() { None } else { Some(1) }, ..delivery };
        assert!(!faults("delivery", &otherwise).is_empty(), "{state:?} with {:?}", otherwise.next_at);
    }
}

#[test]
fn layers() {
    let level = |id: &str| Level { id: id.to_owned(), name: Text::default() };
    let head = LayerHead {
        layer: "beats".to_owned(),
        title: Text::default(),
        levels: vec![level("a"), level("b")],
        main: false,
        partition: true,
    };
    let area = |level, parent: Option<&str>| Area {
        code: format!("c{level}"),
        level,
        name: Text::default(),
        parent: parent.map(str::to_owned),
        valid_from: Some(i64::MIN),
        valid_to: Some(i64::MAX),
        priority: Some(i32::MIN),
        polygons: Some(vec![vec![vec![[180.0, -90.0], [0.0, 0.0], [1.0, 1.0]]]]),
    };
    let areas = [area(0, None), area(1, Some("c0"))];
    let (version, hash) = version_of(&head, &areas);
    for area in areas {
        let record = LayerRecord::Area { layer: head.layer.clone(), version: version.clone(), area };
        assert_eq!(faults("layer", &record), [""; 0]);
    }
    assert_eq!(faults("layer", &LayerRecord::Closing { head, version, count: 2, hash }), [""; 0]);
}

#[test]
fn entities_and_rules() {
    let entity = Entity {
        id: "e".repeat(128),
        kind: "air".to_owned(),
        name: Text::default(),
        position: Some(Position { lon: 180.0, lat: -90.0, accuracy_m: Some(0.0) }),
        departments: Some(Departments::default()),
        attributes: [("".to_owned(), "\n".to_owned())].into(),
    };
    assert_eq!(faults("entity", &entity), [""; 0]);
    let threshold =
        Threshold { value: "v".to_owned(), side: Side::Below, level: -1e12, clear: Some(1e12), hold_s: 604_800 };
    let fence = |shape| Condition::Fence(Fence { first_counts: true, ..Fence::new(shape, Crossing::Exit) });
    for condition in [
        Condition::Threshold(threshold),
        Condition::Silence(Silence { after_s: 604_800 }),
        fence(Shape::Area(AreaRef { layer: "l".to_owned(), code: "c".to_owned() })),
        fence(Shape::Polygon(vec![vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]])),
        fence(Shape::Circle { centre: [180.0, 90.0], radius_m: 100_000.0 }),
        Condition::Fence(Fence {
            hold_s: 604_800,
            margin_m: Some(10_000.0),
            accuracy_m: Some(0.5),
            crs: Some(Crs::Bd09),
            ..Fence::new(Shape::Line { points: vec![[180.0, 85.0], [0.0, -85.0]], reach_m: 10_000.0 }, Crossing::Dwell)
        }),
        Condition::Fence(Fence {
            way_s: Some(3_600),
            speed: Some(Speed { above_kmh: 2_000.0, clear_kmh: Some(0.5), value: Some("v".to_owned()) }),
            ..Fence::new(Shape::Area(AreaRef { layer: "l".to_owned(), code: "c".to_owned() }), Crossing::Speed)
        }),
        Condition::Fence(Fence {
            way_s: Some(1),
            ..Fence::new(Shape::Circle { centre: [0.0, 0.0], radius_m: 1.0 }, Crossing::Cross)
        }),
        Condition::Density(Density {
            place: Place::Each("l".to_owned()),
            at_least: 1_000_000,
            clear_below: Some(1),
            hold_s: 604_800,
            within_s: 86_400,
            accuracy_m: Some(10_000.0),
            crs: None,
        }),
        Condition::Density(Density {
            place: Place::Line { points: vec![[180.0, 85.0], [0.0, -85.0]], reach_m: 10_000.0 },
            at_least: 1,
            clear_below: None,
            hold_s: 0,
            within_s: 1,
            accuracy_m: None,
            crs: Some(Crs::Gcj02),
        }),
        Condition::Proximity(Proximity {
            to: Some(Select::default()),
            within_m: 0.5,
            clear_m: Some(10_000.0),
            hold_s: 0,
            within_s: 1,
            accuracy_m: None,
        }),
        Condition::Window(Window {
            place: Place::Each("l".to_owned()),
            statistic: Statistic::Mean,
            value: Some("v".to_owned()),
            reports: None,
            window_s: 86_400,
            side: Side::Below,
            level: -1e12,
            clear: Some(1e12),
            at_least: Some(1_000_000),
            windows: Some(1_000),
            crs: None,
        }),
        Condition::Cluster(Cluster {
            at_least: 2,
            within_m: 10_000.0,
            within_s: 86_400,
            reports: Some(Vec::new()),
            when: Some(When { value: "v".to_owned(), side: Side::Above, level: -1e12 }),
        }),
    ] {
        let title = Text { en: "t".to_owned(), zh: String::new() };
        let least = Rule::new("r", title, Severity::Minor, condition);
        assert_eq!(faults("rule", &least), [""; 0]);
        let all_days = "2026-02-28".to_owned().try_into().map(|day| vec![day]).expect("a day");
        let period = Period {
            days: vec![DayKind::Mon, DayKind::Workday, DayKind::Restday],
            from: "23:59".to_owned().try_into().expect("a time"),
            to: "24:00".to_owned().try_into().expect("a time"),
        };
        let rule = Rule {
            version: u32::MAX,
            urgency: Urgency::Unknown,
            certainty: Certainty::Possible,
            state: RuleState::Retired,
            schedule: Some(Schedule {
                periods: vec![period],
                calendar: Some("c".repeat(64)),
                holidays: all_days,
                workdays: Vec::new(),
            }),
            reorder_s: if matches!(least.condition, Condition::Fence(_)) { 600 } else { 0 },
            update_s: if matches!(least.condition, Condition::Silence(_)) { 0 } else { 604_800 },
            storm_per_minute: Some(1),
            changed: Some(Changed { by: "b".repeat(128), why: Some("y".repeat(1_000)) }),
            ..least
        };
        assert_eq!(faults("rule", &rule), [""; 0]);
    }
}

#[test]
fn messages() {
    let position = Some(Position { lon: 1.5, lat: 0.5, accuracy_m: Some(0.1) });
    let observation = Observation {
        id: Some("i".to_owned()),
        source: "s".to_owned(),
        kind: "k".to_owned(),
        time: LATEST_MS,
        position,
        crs: Some(Crs::Cgcs2000),
        values: [("v".to_owned(), -1e12)].into(),
        attributes: [("a".to_owned(), String::new())].into(),
    };
    assert_eq!(faults("observation", &observation), [""; 0]);
    let video = VideoEvidence {
        camera: "c".to_owned(),
        target: position,
        confidence: 1.0,
        algorithm: "a".to_owned(),
        track: None,
    };
    let report = Report {
        id: "r".to_owned(),
        channel: Channel::Video,
        class: ClassRef { catalogue: "c".to_owned(), kind: ClassKind::Event, code: "1".to_owned() },
        time: 0,
        position,
        crs: Some(Crs::Wgs84),
        area: Some("grid/1".to_owned()),
        description: "a\nb".to_owned(),
        attributes: observation.attributes,
        component_id: Some("c".to_owned()),
        media: vec!["0".repeat(64)],
        reporter_ref: Some("p".to_owned()),
        external_id: Some("e".to_owned()),
        video: Some(video),
    };
    assert_eq!(faults("report", &report), [""; 0]);
}

/// Every reason a decoder gives fits: the longest path, the longest sentence, any character.
fn reject(code: Code, field: &str, detail: &str, payload_base64: &str) -> Reject {
    let reason = Reason::new(code, field, detail);
    let topic = "observations.v1".to_owned();
    Reject {
        origin: cause(),
        again: Some(cause()),
        topic,
        reason,
        appended_at: 0,
        first_seen: 1,
        key_base64: Some(String::new()),
        headers_base64: [("feed".to_owned(), "YQ==".to_owned())].into(),
        payload_base64: payload_base64.to_owned(),
    }
}

#[test]
fn rejects() {
    for code in Code::ALL {
        assert_eq!(faults("reject", &reject(code, "", "is wrong", "")), [""; 0], "{code:?}");
    }
    for payload in ["e", "e3", "e3=", "e3==e3==", "e3\n="] {
        assert_eq!(faults("reject", &reject(Code::Malformed, "", "is wrong", payload)).len(), 1, "{payload}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn rejects_of_any_words(field in any::<String>(), detail in ".{1,400}", payload in "([A-Za-z0-9+/]{4}){0,4}([A-Za-z0-9+/]{3}=)?") {
        prop_assert_eq!(faults("reject", &reject(Code::InvalidValue, &field.repeat(9), &detail, &payload)), [""; 0]);
    }
}
