//! The store against the engine: migrations, every table's row, tokens, retries, the archive's cursor.

use crate::engine::{database, library, shared, start};
use gridwarden_domain::{
    alert::{Alert, AreaRef, Subject, Transition},
    class::{ClassKind, ClassRef},
    identity::{RecordId, TopicId},
    observation::{ObservationRef, Position},
    reject::{Code, Reason},
    report::{Channel, Report, VideoEvidence},
    rule::Severity,
    text::Text,
    value::Fixed,
};
use gridwarden_store::{
    Block, BlockWriter, ClickHouseConfig, StoreError, StoreMetrics, WriterOptions, migrate, ping,
    read::{OffsetRange, Reader},
    rows::*,
    wait_ready,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const TOPIC: TopicId = TopicId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
const DAY_MS: i64 = 86_400_000;
const NOW_MS: i64 = 1_763_900_000_123;

fn config_of(url: &str) -> ClickHouseConfig {
    ClickHouseConfig { url: url.to_owned(), database: database(), user: String::new(), password: String::new() }
}

async fn migrated() -> Option<ClickHouseConfig> {
    let config = config_of(shared()?);
    migrate(&config).await.unwrap();
    Some(config)
}

fn writer(config: &ClickHouseConfig) -> BlockWriter {
    let metrics = StoreMetrics::new(&prometheus::Registry::new()).unwrap();
    BlockWriter::new(config, WriterOptions::default(), metrics)
}

/// Rows as JSON objects, decimals as strings: JSON would round them.
async fn rows(config: &ClickHouseConfig, sql: &str) -> Vec<Value> {
    let url = format!(
        "{}/?database={}&output_format_json_quote_decimals=1&output_format_json_quote_64bit_integers=0",
        config.url, config.database
    );
    let answer = reqwest::Client::new().post(url).body(format!("{sql} FORMAT JSONEachRow")).send().await.unwrap();
    let text = answer.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{text}"))).collect()
}

async fn count(config: &ClickHouseConfig, table: &str) -> u64 {
    let found = rows(config, &format!("SELECT toUInt32(count()) AS n FROM {table}")).await;
    found[0]["n"].as_u64().unwrap()
}

fn record(offset: i64) -> RecordId {
    RecordId { topic_id: TOPIC, partition: 3, offset }
}

fn said(source: &'static str) -> ObservationRef<'static> {
    ObservationRef {
        id: None,
        source: source.into(),
        kind: "air".into(),
        time_ms: NOW_MS,
        position: None,
        values: [("pm25".into(), Fixed(12_500_000)), ("no2".into(), Fixed(-1))].into_iter().collect(),
        attributes: [("model".into(), "x;y'数".into())].into_iter().collect(),
    }
}

fn observation<'a>(said: &'a ObservationRef<'static>, offset: i64) -> ObservationRow<'a> {
    ObservationRow {
        record: record(offset),
        appended_ms: NOW_MS,
        feed: "",
        said: Said::of(said),
        position: Some(Position { lon: 116.4, lat: 39.9, accuracy_m: None }),
        areas: &[("city", "110101001"), ("duty", "d7")],
        late: false,
    }
}

fn observations(offsets: impl IntoIterator<Item = i64>) -> Block<Observations> {
    let said = said("air-1");
    let mut block = Block::new();
    for offset in offsets {
        block.push(&observation(&said, offset));
    }
    block
}

#[tokio::test]
async fn migrations_apply_once() {
    let Some(url) = shared() else { return };
    let config = config_of(url);
    let first = migrate(&config).await.unwrap();
    assert!(first.len() >= 7 && first.iter().all(|applied| applied.now));
    let second = migrate(&config).await.unwrap();
    assert!(second.iter().all(|applied| !applied.now));
    assert_eq!(count(&config, "schema_migrations").await, first.len() as u64);
    rows(&config, "SELECT 1 AS one").await;
    let insert = "INSERT INTO schema_migrations (number, name, hash) VALUES (9999, 'from_the_future', 'x')";
    let url = format!("{}/?database={}", config.url, config.database);
    reqwest::Client::new().post(url).body(insert).send().await.unwrap();
    let error = migrate(&config).await.unwrap_err();
    assert!(matches!(error, StoreError::MigrationUnknown { number: 9999, .. }), "{error}");
}

#[tokio::test]
async fn services_may_migrate_at_the_same_time() {
    let Some(url) = shared() else { return };
    let config = config_of(url);
    let all = futures::future::join_all((0..4).map(|_| migrate(&config))).await;
    let mut files = 0;
    for applied in all {
        files = applied.unwrap().len() as u64;
    }
    assert_eq!(count(&config, "(SELECT DISTINCT number FROM schema_migrations)").await, files);
}

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
        "attributes": {"model": "x;y'数"}, "late": false,
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
    });
    writer(&config).insert(&block, "t").await.unwrap();
    let found = rows(&config, "SELECT * EXCEPT (topic_id, offset) FROM reports").await;
    let expected = json!({
        "partition": 3, "appended_at": "2025-11-23 12:13:20.123", "time": "2025-11-23 12:13:20.123", "feed": "la", "id": "r1",
        "channel": "video", "class_catalogue": "c1", "class_kind": "event", "class_code": "0203", "lon": null, "lat": null,
        "accuracy_m": null, "area_layers": [], "area_codes": [], "description": "a;b", "attributes": {"k": "v"},
        "component_id": "", "media": ["aa", "bb"], "reporter_ref": "p7", "external_id": "",
        "video": "{\"camera\":\"cam\",\"confidence\":0.5,\"algorithm\":\"1\"}", "late": true,
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
    });
    writer.insert(&block, "t").await.unwrap();
    let found = rows(&config, "SELECT topic, code, field, hex(payload) AS payload FROM rejects").await;
    assert_eq!(
        found,
        [json!({"topic": "observations.v1", "code": "invalid_time", "field": "time", "payload": "FF3B00"})]
    );
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

/// `STO-2`, `STO-4`.
#[tokio::test]
async fn a_block_sent_twice_is_there_once() {
    let Some(config) = migrated().await else { return };
    let writer = writer(&config);
    let block = observations(0..1000);
    for _ in 0..2 {
        writer.insert(&block, "same").await.unwrap();
    }
    assert_eq!(count(&config, "observations_rows").await, 1000, "the token keeps the second one out");
    writer.insert(&block, "another token").await.unwrap();
    assert_eq!(count(&config, "observations").await, 1000, "the view shows a record once");
}

#[tokio::test]
async fn what_can_never_go_in_is_refused_at_once() {
    let Some(config) = migrated().await else { return };
    let writer = writer(&config);
    let said = said("x");
    let mut block = observations([1]);
    assert!(!block.takes(&ObservationRow { appended_ms: NOW_MS + DAY_MS, ..observation(&said, 2) }));
    block.push(&ObservationRow { appended_ms: NOW_MS + DAY_MS, ..observation(&said, 2) });
    assert!(matches!(writer.insert(&block, "t").await, Err(StoreError::Caller(_))), "two append days");
    assert!(matches!(writer.insert(&observations([1]), "").await, Err(StoreError::Caller(_))), "no token");
    assert_eq!(writer.insert(&Block::<Observations>::new(), "t").await.unwrap().attempts, 0);
    let nowhere = ClickHouseConfig { database: "nowhere".into(), ..config };
    let error = self::writer(&nowhere).insert(&observations([1]), "t").await.unwrap_err();
    assert!(matches!(error, StoreError::Server { .. }) && !error.retry().can_help(), "{error}");
}

/// A block that was on its way when the engine was killed goes in, once, when the engine is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_outlives_the_engine() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut engine = start(folder.path(), library.clone()).unwrap();
    let listen = engine.address();
    let config = config_of(&engine.url());
    migrate(&config).await.unwrap();
    let writer = writer(&config);
    let blocks = 30;
    let insert_all = tokio::spawn(async move {
        let mut most_attempts = 0;
        for n in 0..blocks {
            let block = observations(n * 1000..(n + 1) * 1000);
            let done = writer.insert(&block, &format!("block {n}")).await.unwrap();
            most_attempts = done.attempts.max(most_attempts);
        }
        most_attempts
    });
    let until = Instant::now() + Duration::from_secs(20);
    while count(&config, "observations_rows").await < 3000 {
        assert!(Instant::now() < until, "no block went in");
    }
    engine.kill();
    let mut options = crate::engine::options(folder.path(), library);
    options.engine.listen = listen;
    let restart = move || gridwarden_embedded::clickhouse::ClickHouseProcess::start(&options).unwrap();
    let _engine = tokio::task::spawn_blocking(restart).await.unwrap();
    let most_attempts = insert_all.await.unwrap();
    assert!(most_attempts > 1, "the engine was killed too late for the test to show anything");
    assert_eq!(count(&config, "observations").await, 1000 * blocks as u64);
}

#[tokio::test]
async fn the_archives_cursor_is_what_is_there() {
    let Some(config) = migrated().await else { return };
    let writer = writer(&config);
    let reader = Reader::new(&config);
    assert_eq!(reader.archived_ranges(TOPIC, 3, 0).await.unwrap(), []);
    writer.insert(&observations((0..70_000).chain(70_001..70_010)), "a").await.unwrap();
    writer.insert(&observations((5..10).chain([131_071, 131_072])), "b").await.unwrap();
    let reason = Reason { code: Code::Malformed, field: String::new(), detail: String::new() };
    let mut rejects = Block::<Rejects>::new();
    rejects.push(&RejectRow {
        record: record(70_000),
        topic: "t",
        reason: &reason,
        appended_ms: NOW_MS,
        first_seen_ms: NOW_MS,
        payload: b"",
    });
    writer.insert(&rejects, "c").await.unwrap();
    let range = |first, end| OffsetRange { first, end };
    let all = reader.archived_ranges(TOPIC, 3, 0).await.unwrap();
    assert_eq!(all, [range(0, 70_010), range(131_071, 131_073)]);
    assert_eq!(reader.archived_ranges(TOPIC, 3, 69_999).await.unwrap()[0], range(69_999, 70_010));
    assert_eq!(reader.archived_ranges(TOPIC, 4, 0).await.unwrap(), []);
    assert_eq!(reader.archived_ranges(TopicId(1), 3, 0).await.unwrap(), []);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_in_time() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = config_of(&format!("http://{free}"));
    let begun = Instant::now();
    let error = wait_ready(&config, Duration::from_millis(300)).await.unwrap_err();
    assert!(error.retry().can_help() && begun.elapsed() < Duration::from_secs(5), "{error}");
    assert!(ping(&config).await.unwrap_err().to_string().contains("cannot be reached"));
    if let Some(url) = shared() {
        wait_ready(&config_of(url), Duration::from_secs(10)).await.unwrap();
    }
}
