//! What the engine could do beyond its data, and does not do here: end itself, read and write files, call out.

use crate::door::{Door, door, ok};
use reqwest::Method;

async fn refused(door: &Door, sql: &str) {
    let (status, text) = door.post(sql).await;
    assert!(status == 403 && text.contains("Refused by the embedded engine"), "{sql}: {status} {text}");
}

/// Traps: SYSTEM SHUTDOWN ends the process; file() and INTO OUTFILE reach any file; url() hangs for minutes.
#[tokio::test]
async fn what_reaches_out_of_the_database_is_refused() {
    let Some(door) = door() else { return };
    for sql in [
        "SYSTEM SHUTDOWN",
        "SYSTEM SUSPEND FOR 1 SECOND",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM filesystem('/etc')",
        "SELECT 1 INTO OUTFILE '/tmp/gridwarden-outfile'",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV')",
        "CREATE DATABASE files ENGINE = Filesystem('/etc')",
        "SELECT * FROM eval('SELECT 1') SETTINGS allow_experimental_eval_table_function = 1",
        "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/hostname'",
    ] {
        refused(&door, sql).await;
    }
    let (status, text) = door.ask(Method::POST, "output_format_schema=/tmp/x", "SELECT 1").await;
    assert!(status == 403 && text.contains("output_format_schema"), "{status} {text}");
    assert_eq!(door.post("SELECT 1").await, ok("1\n"));
}

/// Ways to write a name that the engine reads as `file`: none gets the file's content.
#[tokio::test]
async fn no_spelling_gets_a_file() {
    let Some(door) = door() else { return };
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "not to be read\n").unwrap();
    let path = secret.display();
    for sql in [
        format!("SELECT * FROM FILE('{path}', 'LineAsString')"),
        format!("SELECT * FROM `file`('{path}', 'LineAsString')"),
        format!("SELECT * FROM \"f\\x69le\"('{path}', 'LineAsString')"),
        format!("SELECT * FROM `f\\Nile`('{path}', 'LineAsString')"),
        format!("SELECT * FROM “file”('{path}', 'LineAsString')"),
        format!("SELECT * FROM file\u{b}('{path}', 'LineAsString')"),
        format!("SELECT * FROM file\u{a0}('{path}', 'LineAsString')"),
        format!("SELECT * FROM file\u{180e}\u{feff}\u{3000}('{path}', 'LineAsString')"),
        format!("SELECT * FROM file /* /* */ */ -- x\n # y\n #!z\n ('{path}', 'LineAsString')"),
        format!("SELECT * FROM system.one, /* /* */ ' */ file('{path}', 'LineAsString') -- '"),
        format!("SELECT file('{path}')"),
        // Database `default` of the library shows every file as a table.
        format!("SELECT * FROM '{path}'"),
        format!("SELECT * FROM `{path}`"),
        format!("SELECT * FROM default.`{path}`"),
        format!("SELECT * FROM '{path}' SETTINGS max_threads = 1"),
    ] {
        for sql in [sql.clone(), format!("{sql} FORMAT RawBLOB"), format!("CREATE VIEW reach AS {sql}")] {
            let (status, text) = door.post(&sql).await;
            assert!(status >= 400 && !text.contains("not to be read"), "{sql}: {status} {text}");
        }
    }
    let by_parameter = format!("param_t={path}&param_d=default");
    for sql in ["SELECT * FROM {t:Identifier}", "SELECT * FROM {d:Identifier}.{t:Identifier}"] {
        let (status, text) = door.ask(Method::POST, &by_parameter, sql).await;
        assert!(status >= 400 && !text.contains("not to be read"), "{sql}: {status} {text}");
    }
}

/// The engine's database `default` is an ordinary one, comes back when it was dropped, and holds up nobody.
#[tokio::test]
async fn the_first_database_is_an_ordinary_one() {
    let Some(library) = crate::engine::library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let engine = crate::engine::start(folder.path(), library.clone()).unwrap();
    let door = Door::of(&engine.url());
    assert_eq!(door.post("SELECT engine FROM system.databases WHERE name = 'default'").await, ok("Atomic\n"));
    assert_eq!(door.post("CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a").await, ok(""));
    assert_eq!(door.post("INSERT INTO kept VALUES (7)").await, ok(""));
    drop(engine);
    let engine = crate::engine::start(folder.path(), library.clone()).unwrap();
    assert_eq!(Door::of(&engine.url()).post("SELECT a FROM kept").await, ok("7\n"));
    drop(engine);
    // As the library alone leaves it.
    std::fs::remove_file(folder.path().join("data/engine/metadata/default.sql")).unwrap();
    let engine = crate::engine::start(folder.path(), library.clone()).unwrap();
    let door = Door::of(&engine.url());
    assert_eq!(door.post("SELECT a FROM kept").await, ok("7\n"));
    assert_eq!(door.post("DROP TABLE kept SYNC").await, ok(""));
    drop(engine);
    let engine = crate::engine::start(folder.path(), library).unwrap();
    let door = Door::of(&engine.url());
    assert_eq!(door.post("DROP DATABASE default").await, ok(""));
    let asks = (0..40).map(|_| door.post("SELECT sleep(0.05)"));
    for answer in futures::future::join_all(asks).await {
        assert_eq!(answer, ok("0\n"));
    }
}

/// Harmless: they make or show data of this engine.
const HARMLESS: &[&str] = &[
    // Table functions.
    "arrowstream",
    "dictionary",
    "format",
    "fuzzJSON",
    "fuzzQuery",
    "generateRandom",
    "generateSeries",
    "generate_series",
    "input",
    "loop",
    "merge",
    "mergeTreeAnalyzeIndexes",
    "mergeTreeAnalyzeIndexesUUID",
    "mergeTreeIndex",
    "mergeTreeProjection",
    "mergeTreeTextIndex",
    "null",
    "numbers",
    "numbers_mt",
    "primes",
    "prometheusQuery",
    "prometheusQueryRange",
    "SQLStandardValues",
    "timeSeriesData",
    "timeSeriesMetrics",
    "timeSeriesSamples",
    "timeSeriesSelector",
    "timeSeriesTags",
    "values",
    "view",
    "viewIfPermitted",
    "zeros",
    "zeros_mt",
    // Engines of tables; MergeTree and its kin by their ending.
    "Alias",
    "Buffer",
    "Dictionary",
    "FuzzJSON",
    "FuzzQuery",
    "GenerateRandom",
    "Join",
    "Log",
    "Loop",
    "MaterializedView",
    "Memory",
    "Merge",
    "Null",
    "Set",
    "StripeLog",
    "TimeSeries",
    "TinyLog",
    "View",
    "WindowView",
    "ArrowStream",
    // Engines of databases; a Backup is of something that is refused.
    "Atomic",
    "Backup",
    "Ordinary",
    "Replicated",
];

/// A new version brings no new way out without somebody looking at it.
#[tokio::test]
async fn every_function_and_engine_is_known() {
    let Some(door) = door() else { return };
    let mut names = Vec::new();
    for (table, sql) in [
        ("table_functions", "SELECT * FROM NAME('x')"),
        ("table_engines", "CREATE TABLE t (a UInt8) ENGINE = NAME('x')"),
        ("database_engines", "CREATE DATABASE d ENGINE = NAME"),
    ] {
        let (_, text) = door.post(&format!("SELECT name FROM system.{table} ORDER BY name")).await;
        names.extend(text.lines().map(|name| (name.to_owned(), sql.replace("NAME", name))));
    }
    assert!(names.len() > 150, "{names:?}");
    for (name, sql) in names {
        if !HARMLESS.contains(&name.as_str()) && !name.ends_with("MergeTree") {
            refused(&door, &sql).await;
        }
    }
    let of_files = "SELECT name FROM system.settings WHERE (name LIKE '%\\_path' OR name LIKE '%\\_url' OR name LIKE \
        'format\\_schema%' OR name LIKE 'format\\_template\\_%' OR name LIKE 'output\\_format\\_schema') ORDER BY name";
    let (_, settings) = door.post(of_files).await;
    let harmless = [
        "compatibility_s3_presigned_url_query_in_path",
        "format_schema_message_name",
        "format_schema_source",
        "format_template_resultset_format",
        "format_template_row_format",
        "format_template_rows_between_delimiter",
        "s3queue_default_zookeeper_path",
        "schema_inference_cache_require_modification_time_for_url",
        "schema_inference_use_cache_for_url",
    ];
    for name in settings.lines().filter(|name| !harmless.contains(name)) {
        refused(&door, &format!("SET {name} = 'x'")).await;
    }
    assert!(settings.lines().count() > harmless.len(), "{settings}");
}
