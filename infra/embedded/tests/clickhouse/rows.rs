//! Every table's row, read back as it was written.

use crate::store::{NOW_MS, count, migrated, observations, record, rows, writer};
use gridwarden_domain::{
    alert::{Alert, AreaRef, Subject, Transition},
    class::{ClassKind, ClassRef},
    observation::Position,
    reject::{Code, Reason},
    report::{Channel, Report, VideoEvidence},
    rule::{Certainty, Severity, Urgency},
    text::Text,
    value::Fixed,
};
use gridwarden_store::read::{Reader, RejectFilter};
use gridwarden_store::{Block, rows::*};
use serde_json::{Value, json};

#[tokio::test]
async fn an_observation_is_read_as_written() {
    let Some(config) = migrated().await else { return };
    let block = observations([42]);
    writer(&config).insert(&block, "t").await.unwrap();
    let found = rows(&config, "SELECT * FROM observations").await;
    let expected = json!({
        "topic_id": "00112233-4455-6677-8899-aabbccddeeff", "partition": 3, "offset": 42,
        "appended_at": "2025-11-23 12:13:20.123", "time": "2025-11-23 12:13:20.123", "feed": "", "source": "air-1",
        "kind": "air", "id": "", "lon": 116.4, "lat": 39.9, "accuracy_m": null,
        "area_layers": ["city", "duty"], "area_codes": ["110101001", "d7"],
        "value_names": ["pm25", "no2"], "value_numbers": [12.5, -0.000001],
        "attributes": {"model": "x;y'数"}, "late": false, "simulated": false,
    });
    assert_eq!(normal(&found[0]), normal(&expected));
}

#[tokio::test]
async fn a_report_is_read_as_written() {
    let Some(config) = migrated().await else { return };
    let report = Report {
        id: "r1".into(),
        channel: Channel::Video,
        class: ClassRef { catalogue: "c1".into(), kind: ClassKind::Event, code: "0203".into() },
        time: NOW_MS,
        position: None,
        crs: None,
        area: None,
        description: "a;b".into(),
        attributes: [("k".to_owned(), "v".to_owned())].into(),
        component_id: None,
        media: vec!["aa".into(), "bb".into()],
        reporter_ref: Some("p7".into()),
        external_id: None,
        video: Some(VideoEvidence {
            camera: "cam".into(),
            target: None,
            confidence: 0.5,
            algorithm: "1".into(),
            track: None,
        }),
    };
    let mut block = Block::<Reports>::new();
    block.push(&ReportRow {
        record: record(1),
        appended_ms: NOW_MS,
        feed: "la",
        report: &report,
        areas: &[],
        late: true,
        simulated: true,
    });
    writer(&config).insert(&block, "t").await.unwrap();
    let found = rows(&config, "SELECT * EXCEPT (topic_id, offset) FROM reports").await;
    let expected = json!({
        "partition": 3, "appended_at": "2025-11-23 12:13:20.123", "time": "2025-11-23 12:13:20.123", "feed": "la", "id": "r1",
        "channel": "video", "class_catalogue": "c1", "class_kind": "event", "class_code": "0203", "lon": null, "lat": null,
        "accuracy_m": null, "area_layers": [], "area_codes": [], "description": "a;b", "attributes": {"k": "v"},
        "component_id": "", "media": ["aa", "bb"], "reporter_ref": "p7", "external_id": "",
        "video": "{\"camera\":\"cam\",\"confidence\":0.5,\"algorithm\":\"1\"}", "late": true, "simulated": true,
    });
    assert_eq!(found, [expected]);
}

#[tokio::test]
async fn a_window_is_read_as_written_and_its_highest_version_wins() {
    let Some(config) = migrated().await else { return };
    let row = AreaMetricRow {
        layer: "city",
        level: "cell",
        code: "110101001",
        metric: "air.pm25",
        window_s: 60,
        start_s: 1_763_899_980,
        version: metric_version(0, 2),
        count: 2,
        sum: -170_141_183_460_469_231_731_687_303_715,
        min: Fixed(-1),
        max: Fixed(1_000_000),
        last: Fixed(5),
        last_ms: NOW_MS,
        closed: true,
    };
    let mut block = Block::<AreaMetrics>::new();
    block.push(&row);
    block.push(&AreaMetricRow { version: metric_version(0, 1), count: 1, closed: false, ..row });
    // Years of windows in one block: a replay's.
    for month in 1..200 {
        block.push(&AreaMetricRow { code: "old", start_s: row.start_s - month * 2_700_000, ..row });
    }
    writer(&config).insert(&block, "t").await.unwrap();
    let found = rows(&config, "SELECT * FROM area_metrics WHERE code = '110101001'").await;
    let expected = json!({
        "layer": "city", "level": "cell", "code": "110101001", "metric": "air.pm25", "window_s": 60,
        "window_start": "2025-11-23 12:13:00", "version": 2, "count": 2,
        "sum": "-170141183460469231731687.303715", "min": "-0.000001", "max": "1", "last": "0.000005",
        "last_time": "2025-11-23 12:13:20.123", "closed": true,
    });
    assert_eq!(found.iter().map(normal).collect::<Vec<_>>(), [normal(&expected)]);
    assert_eq!(count(&config, "area_metrics").await, 200);
}

#[tokio::test]
async fn an_entity_is_read_as_written_and_its_latest_state_wins() {
    let Some(config) = migrated().await else { return };
    let row = EntityLatestRow {
        source: "bus-1",
        kind: "vehicle",
        version: entity_version(NOW_MS, 7),
        time_ms: NOW_MS,
        appended_ms: NOW_MS,
        feed: "",
        position: Some(Position { lon: 1.5, lat: 2.5, accuracy_m: Some(3.0) }),
        areas: &[("city", "1")],
        values: &[("speed", Fixed(8_000_000))],
    };
    for (token, version, time_ms) in
        [("a", entity_version(NOW_MS, 7), NOW_MS), ("b", entity_version(NOW_MS - 5, 9), NOW_MS - 5)]
    {
        let mut block = Block::<EntityLatest>::new();
        block.push(&EntityLatestRow { version, time_ms, ..row });
        writer(&config).insert(&block, token).await.unwrap();
    }
    let found =
        rows(&config, "SELECT source, kind, time, lon, lat, area_codes, value_names, value_numbers FROM entity_latest")
            .await;
    let expected = json!({
        "source": "bus-1", "kind": "vehicle", "time": "2025-11-23 12:13:20.123", "lon": 1.5, "lat": 2.5,
        "area_codes": ["1"], "value_names": ["speed"], "value_numbers": [8.0],
    });
    assert_eq!(found.iter().map(normal).collect::<Vec<_>>(), [normal(&expected)]);
}

#[tokio::test]
async fn alerts_deliveries_and_rejects_are_read_as_written() {
    let Some(config) = migrated().await else { return };
    let writer = writer(&config);
    let alert = Alert {
        id: "a1".into(),
        seq: 2,
        transition: Transition::Cleared,
        generation: 0,
        rule: "pm".into(),
        rule_version: 4,
        kind: "threshold".into(),
        severity: Severity::Major,
        urgency: Urgency::default(),
        certainty: Certainty::default(),
        title: Text { en: "High".into(), zh: "高".into() },
        subject: Subject::Entity("air-1".into()),
        time: NOW_MS,
        raised_at: NOW_MS,
        appended_at: NOW_MS,
        cause: record(9),
        position: None,
        areas: vec![AreaRef { layer: "city".into(), code: "1".into() }],
        metric: Some("pm25".into()),
        value: Some(80.5),
        level: None,
        evidence: Vec::new(),
        storm_per_minute: None,
        simulated: true,
    };
    let mut block = Block::<Alerts>::new();
    block.push(&AlertRow(&alert));
    writer.insert(&block, "t").await.unwrap();
    let found = rows(
        &config,
        "SELECT id, seq, transition, severity, title_zh, subject_kind, subject, partition, lon, area_codes, metric, value, \
         level, simulated FROM alerts",
    )
    .await;
    let expected = json!({
        "id": "a1", "seq": 2, "transition": "cleared", "severity": "major", "title_zh": "高", "subject_kind": "entity",
        "subject": "air-1", "partition": 3, "lon": null, "area_codes": ["1"], "metric": "pm25", "value": 80.5, "level": null,
        "simulated": true,
    });
    assert_eq!(found, [expected]);

    let mut block = Block::<Deliveries>::new();
    let waiting = DeliveryRow {
        alert: "a1",
        seq: 2,
        endpoint: "hook",
        state: DeliveryState::Waiting,
        attempts: 1,
        status: 503,
        detail: "busy",
        first_ms: NOW_MS,
        last_ms: NOW_MS,
        next_ms: Some(NOW_MS + 1000),
    };
    block.push(&DeliveryRow { state: DeliveryState::Delivered, attempts: 2, status: 204, next_ms: None, ..waiting });
    block.push(&waiting);
    writer.insert(&block, "t").await.unwrap();
    let found = rows(&config, "SELECT state, attempts, status, next_at FROM deliveries").await;
    assert_eq!(found, [json!({"state": "delivered", "attempts": 2, "status": 204, "next_at": null})]);

    let reason = Reason { code: Code::InvalidTime, field: "time".into(), detail: "no".into() };
    let mut block = Block::<Rejects>::new();
    let (appended_ms, first_seen_ms) = (NOW_MS, NOW_MS);
    block.push(&RejectRow {
        record: record(5),
        topic: "observations.v1",
        reason: &reason,
        appended_ms,
        first_seen_ms,
        payload: b"\xff;\0",
        origin: record(4),
        key: Some(b"\xfe"),
        headers: &[("feed", b"\xfd")],
    });
    writer.insert(&block, "t").await.unwrap();
    let sql = "SELECT topic, code, field, hex(payload) AS payload, offset, origin_offset, hex(key) AS key, \
               hex(headers['feed']) AS feed FROM rejects";
    let expected = json!({
        "topic": "observations.v1", "code": "invalid_time", "field": "time", "payload": "FF3B00",
        "offset": 5, "origin_offset": 4, "key": "FE", "feed": "FD",
    });
    assert_eq!(rows(&config, sql).await, [expected]);
    let original = Reader::new(&config).rejected_original(record(4)).await.unwrap().unwrap();
    assert_eq!(original.key.as_deref(), Some(&b"\xfe"[..]));
    assert_eq!(
        (original.headers, original.payload),
        (vec![("feed".to_owned(), b"\xfd".to_vec())], b"\xff;\0".to_vec())
    );

    let mut block = Block::<Replays>::new();
    block.push(&ReplayRow { record: record(6), appended_ms: NOW_MS, origin: record(4), repeat: false });
    block.push(&ReplayRow { record: record(7), appended_ms: NOW_MS, origin: record(4), repeat: true });
    writer.insert(&block, "t").await.unwrap();
    assert_eq!(Reader::new(&config).replays_taken().await.unwrap(), [(record(4), record(6))]);
    let [rejected] = &Reader::new(&config).rejected(&RejectFilter::default(), 9).await.unwrap()[..] else {
        panic!("one message was rejected")
    };
    assert_eq!((rejected.origin(), rejected.attempts), (Some(record(4)), 1));
    assert_eq!((rejected.last_offset, rejected.taken, rejected.taken_offset), (5, 1, 6));
    let none = RejectFilter { key: "other".to_owned(), ..RejectFilter::default() };
    assert_eq!(Reader::new(&config).rejected(&none, 9).await.unwrap(), []);
}

/// Compares floats and integers by value.
fn normal(row: &Value) -> Value {
    match row {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), normal(value))).collect(),
        other => other.clone(),
    }
}
