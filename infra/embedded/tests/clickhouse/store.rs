//! The store against the engine: migrations, tokens, retries, the archive's cursor.

use crate::engine::{database, library, shared, start};
use gridwarden_domain::{
    identity::{RecordId, TopicId},
    observation::{ObservationRef, Position},
    reject::{Code, Reason},
    value::Fixed,
};
use gridwarden_store::{
    Block, BlockWriter, ClickHouseConfig, StoreError, StoreMetrics, WriterOptions, migrate, pending, ping,
    read::Reader, rows::*, wait_ready,
};
use serde_json::Value;
use std::time::{Duration, Instant};

const TOPIC: TopicId = TopicId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
const DAY_MS: i64 = 86_400_000;
pub(crate) const NOW_MS: i64 = 1_763_900_000_123;

fn config_of(url: &str) -> ClickHouseConfig {
    ClickHouseConfig { url: url.to_owned(), database: database(), user: String::new(), password: String::new() }
}

pub(crate) async fn migrated() -> Option<ClickHouseConfig> {
    let config = config_of(shared()?);
    migrate(&config).await.unwrap();
    Some(config)
}

pub(crate) fn writer(config: &ClickHouseConfig) -> BlockWriter {
    let metrics = StoreMetrics::new(&prometheus::Registry::new()).unwrap();
    BlockWriter::new(config, WriterOptions::default(), metrics)
}

/// Rows as JSON objects, decimals as strings: JSON would round them.
pub(crate) async fn rows(config: &ClickHouseConfig, sql: &str) -> Vec<Value> {
    let url = format!(
        "{}/?database={}&output_format_json_quote_decimals=1&output_format_json_quote_64bit_integers=0",
        config.url, config.database
    );
    let answer = reqwest::Client::new().post(url).body(format!("{sql} FORMAT JSONEachRow")).send().await.unwrap();
    let text = answer.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{text}"))).collect()
}

pub(crate) async fn count(config: &ClickHouseConfig, table: &str) -> u64 {
    let found = rows(config, &format!("SELECT toUInt32(count()) AS n FROM {table}")).await;
    found[0]["n"].as_u64().unwrap()
}

pub(crate) fn record(offset: i64) -> RecordId {
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
        simulated: false,
    }
}

pub(crate) fn observations(offsets: impl IntoIterator<Item = i64>) -> Block<Observations> {
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

/// Again and again, for what several of them do to one table at one moment is seldom the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_may_migrate_at_the_same_time() {
    let Some(url) = shared() else { return };
    for _ in 0..10 {
        let config = config_of(url);
        let services = (0..4).map(|_| {
            let config = config.clone();
            tokio::spawn(async move { migrate(&config).await })
        });
        let mut files = 0;
        for applied in futures::future::join_all(services).await {
            files = applied.unwrap().unwrap().len() as u64;
        }
        assert_eq!(count(&config, "(SELECT DISTINCT number FROM schema_migrations)").await, files);
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

/// `STO-2`: the engine was killed after it had noted a block's token and before it had the part. Whoever sends the block again
/// must not be told that it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_whose_part_is_missing_keeps_nothing_out() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut engine = start(folder.path(), library.clone()).unwrap();
    let config = config_of(&engine.url());
    migrate(&config).await.unwrap();
    writer(&config).insert(&observations(0..1000), "block").await.unwrap();
    let path = "SELECT path FROM system.parts WHERE table = 'observations_rows' AND active";
    let path = rows(&config, path).await[0]["path"].as_str().unwrap().to_owned();
    let listen = engine.address();
    engine.kill();
    std::fs::remove_dir_all(path).unwrap();
    let mut options = crate::engine::options(folder.path(), library);
    options.engine.listen = listen;
    let restart = move || gridwarden_embedded::clickhouse::ClickHouseProcess::start(&options).unwrap();
    let _engine = tokio::task::spawn_blocking(restart).await.unwrap();
    assert_eq!(count(&config, "observations").await, 0);
    writer(&config).insert(&observations(0..1000), "block").await.unwrap();
    assert_eq!(count(&config, "observations").await, 1000);
}

fn gaps(rows: &[(i64, i64, GapKind)]) -> Block<Gaps> {
    let mut block = Block::new();
    for (first, end, kind) in rows {
        let (topic_id, partition) = (TOPIC, 3);
        block.push(&GapRow { topic_id, partition, first: *first, end: *end, kind: *kind, noted_ms: NOW_MS });
    }
    block
}

/// What is held of partition 3.
async fn held(reader: &Reader) -> Vec<(i64, i64)> {
    let of_all = reader.archived_ranges(TOPIC, 5).await.unwrap();
    assert_eq!(of_all.len(), 5, "one list for each partition");
    assert!(of_all.iter().enumerate().all(|(partition, held)| partition == 3 || held.is_empty()));
    of_all[3].iter().map(|range| (range.first, range.end)).collect()
}

#[tokio::test]
async fn the_archives_cursor_is_what_is_there() {
    let Some(config) = migrated().await else { return };
    let writer = writer(&config);
    let reader = Reader::new(&config);
    assert_eq!(held(&reader).await, []);
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
        origin: record(70_000),
        key: None,
        headers: &[],
    });
    writer.insert(&rejects, "c").await.unwrap();
    assert_eq!(held(&reader).await, [(0, 70_010), (131_071, 131_073)]);
    assert_eq!(reader.archived_ranges(TopicId(1), 5).await.unwrap(), vec![Vec::new(); 5]);

    // Short gaps fill holes inside of buckets, also where rows are; long ones reach over many.
    let noted = [(70_010, 70_020, GapKind::Empty), (60_000, 60_001, GapKind::Empty), (70_020, 131_070, GapKind::Empty)];
    writer.insert(&gaps(&noted), "d").await.unwrap();
    assert_eq!(held(&reader).await, [(0, 131_070), (131_071, 131_073)]);
    writer.insert(&gaps(&[(131_080, 900_000, GapKind::Empty), (131_073, 131_079, GapKind::Lost)]), "e").await.unwrap();
    assert_eq!(held(&reader).await, [(0, 131_070), (131_071, 131_079), (131_080, 900_000)]);
    writer.insert(&gaps(&[(0, 131_072, GapKind::Settled)]), "f").await.unwrap();
    assert_eq!(held(&reader).await, [(0, 131_079), (131_080, 900_000)]);
}

/// A file that was cut short after any of its statements is applied again from its first.
#[tokio::test]
async fn a_migration_that_was_cut_short_is_finished() {
    let Some(url) = shared() else { return };
    let config = config_of(url);
    let first = migrate(&config).await.unwrap();
    // As if the process had died after the first table of `alerts`: its other table, its views and its note are missing.
    for sql in [
        "DROP VIEW deliveries",
        "DROP TABLE deliveries_rows SYNC",
        "DROP VIEW alerts",
        "ALTER TABLE schema_migrations DELETE WHERE name = 'alerts' SETTINGS mutations_sync = 2",
    ] {
        let url = format!("{}/?database={}", config.url, config.database);
        let answer = reqwest::Client::new().post(url).body(sql).send().await.unwrap();
        assert!(answer.status().is_success(), "{sql}: {}", answer.text().await.unwrap());
    }
    assert_eq!(pending(&config).await.unwrap(), ["0005 alerts"]);
    let again = migrate(&config).await.unwrap();
    let now: Vec<&str> = again.iter().filter(|one| one.now).map(|one| one.name.as_str()).collect();
    assert_eq!((now, again.len()), (vec!["alerts"], first.len()));
    assert_eq!((count(&config, "alerts").await, count(&config, "deliveries").await), (0, 0));
}

#[tokio::test]
async fn a_migration_changed_after_it_was_applied_is_refused_with_words() {
    let Some(config) = migrated().await else { return };
    // Beside the right note: it must not hide the wrong one.
    let sql = "INSERT INTO schema_migrations (number, name, hash) VALUES (2, 'reports', 'another')";
    let url = format!("{}/?database={}", config.url, config.database);
    let answer = reqwest::Client::new().post(url).body(sql).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let words = migrate(&config).await.unwrap_err().to_string();
    let expected = "migration 0002 (reports) was changed after it had been applied; restore the file and add a new one";
    assert_eq!(words, expected);
}

/// `STO-3`: also when it is long in rows or in bytes.
#[tokio::test]
async fn a_block_is_one_part() {
    let Some(config) = migrated().await else { return };
    let stop = format!("{}/?database={}", config.url, config.database);
    let answer = reqwest::Client::new().post(stop).body("SYSTEM STOP MERGES observations_rows").send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let block = observations(0..900_000);
    assert!(block.size() > 64 << 20, "{} bytes", block.size());
    writer(&config).insert(&block, "long").await.unwrap();
    let parts = format!(
        "(SELECT name FROM system.parts WHERE database = '{}' AND table = 'observations_rows' AND active)",
        config.database
    );
    assert_eq!((count(&config, &parts).await, count(&config, "observations_rows").await), (1, 900_000));
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
