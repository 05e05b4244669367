//! The official client with its defaults: LZ4 inserts, validation, parameters, cursors, settings, sessions, errors.

use crate::engine::{database, shared};
use clickhouse::{Client, Row, error::Error};
use serde::{Deserialize, Serialize};

#[derive(Row, Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Reading {
    source: String,
    value: f64,
    time: i64,
    lon: Option<f64>,
    tags: Vec<String>,
    sum: i128,
    good: bool,
}

const READINGS: &str = "CREATE TABLE readings (source String, value Float64, time DateTime64(3, 'UTC'), lon Nullable(Float64), \
    tags Array(LowCardinality(String)), sum Decimal(38, 6), good Bool) ENGINE = MergeTree ORDER BY source";

fn reading(n: i64) -> Reading {
    Reading {
        source: format!("s{n};'\\\n数"),
        value: n as f64 / 3.0,
        time: 1_760_000_000_000 + n,
        lon: (n % 2 == 0).then_some(116.4),
        tags: vec!["a".into(), format!("t{}", n % 7)],
        sum: i128::from(n) * -1_000_000,
        good: n % 3 == 0,
    }
}

async fn client() -> Option<Client> {
    let server = Client::default().with_url(shared()?);
    let name = database();
    server.query(&format!("CREATE DATABASE {name}")).execute().await.unwrap();
    let client = server.with_database(name);
    client.query(READINGS).execute().await.unwrap();
    Some(client)
}

async fn count(client: &Client, table: &str) -> u64 {
    client.query(&format!("SELECT count() FROM {table}")).fetch_one().await.unwrap()
}

#[tokio::test]
async fn rows_come_back_as_they_went_in() {
    let Some(client) = client().await else { return };
    let rows: Vec<Reading> = (0..5000).map(reading).collect();
    let mut insert = client.insert::<Reading>("readings").await.unwrap();
    for row in &rows {
        insert.write(row).await.unwrap();
    }
    insert.end().await.unwrap();
    let mut back: Vec<Reading> = client.query("SELECT ?fields FROM readings ORDER BY time").fetch_all().await.unwrap();
    assert_eq!(back.len(), rows.len());
    assert!(back == rows);
    back = client.query("SELECT ?fields FROM readings WHERE source = ?").bind("s7;'\\\n数").fetch_all().await.unwrap();
    assert_eq!(back, [reading(7)]);
    let none: Option<Reading> =
        client.query("SELECT ?fields FROM readings WHERE value < -1").fetch_optional().await.unwrap();
    assert_eq!(none, None);
}

/// Trap: each chunk of a stream is a whole document with its own header.
#[tokio::test]
async fn a_cursor_reads_many_chunks() {
    let Some(client) = client().await else { return };
    let mut cursor =
        client.query("SELECT number, toString(number) AS text FROM numbers(1000000)").fetch::<(u64, String)>().unwrap();
    let (mut rows, mut sum) = (0_u64, 0_u64);
    while let Some((number, text)) = cursor.next().await.unwrap() {
        assert_eq!(number, rows);
        rows += 1;
        sum += text.len() as u64;
    }
    assert_eq!((rows, sum), (1_000_000, 5_888_890));
}

#[derive(Row, Deserialize, PartialEq, Debug)]
struct Echo {
    text: String,
    list: Vec<String>,
    n: u32,
}

#[tokio::test]
async fn parameters_keep_every_character() {
    let Some(client) = client().await else { return };
    for text in ["plain", "it's", "back\\slash", "tab\tline\nend", "数据; DROP TABLE x", ""] {
        let query = client.query("SELECT {text:String} AS text, {list:Array(String)} AS list, {n:UInt32} AS n");
        let query = query.param("text", text).param("list", vec![text, "x"]).param("n", 7);
        let back: Echo = query.fetch_one().await.unwrap();
        assert_eq!(back, Echo { text: text.to_owned(), list: vec![text.to_owned(), "x".to_owned()], n: 7 });
    }
    client
        .query("CREATE TABLE {name:Identifier} (a UInt8) ENGINE = Memory")
        .param("name", "by_name")
        .execute()
        .await
        .unwrap();
    assert_eq!(count(&client, "by_name").await, 0);
}

#[tokio::test]
async fn settings_last_for_one_query() {
    let Some(client) = client().await else { return };
    let ask = || client.query("SELECT toString(getSetting('max_block_size'))");
    let usual: String = ask().fetch_one().await.unwrap();
    for _ in 0..20 {
        let set: String = ask().with_setting("max_block_size", "123").fetch_one().await.unwrap();
        assert_eq!(set, "123");
        assert_eq!(ask().fetch_one::<String>().await.unwrap(), usual);
    }
}

/// Trap: SET and USE stick to a connection, which serves others afterwards.
#[tokio::test]
async fn what_a_caller_sets_does_not_reach_others() {
    let Some(client) = client().await else { return };
    for _ in 0..5 {
        client.query("SET max_block_size = 321").execute().await.unwrap();
        client.query("USE system").execute().await.unwrap();
        client.query("SET readonly = 2").execute().await.unwrap();
    }
    for _ in 0..20 {
        let seen: (String, String) =
            client.query("SELECT toString(getSetting('max_block_size')), currentDatabase()").fetch_one().await.unwrap();
        assert_ne!(seen.0, "321");
        assert_eq!(Some(seen.1.as_str()), client.database());
    }
    client.query("CREATE TABLE still_writable (a UInt8) ENGINE = Memory").execute().await.unwrap();
}

#[tokio::test]
async fn a_session_keeps_temporary_tables() {
    let Some(client) = client().await else { return };
    let session = client.clone().with_setting("session_id", client.database().unwrap().to_owned());
    session.query("CREATE TEMPORARY TABLE mine (a UInt32)").execute().await.unwrap();
    session.query("INSERT INTO mine VALUES (1), (2)").execute().await.unwrap();
    // An error does not end the session, nor leave anything in front of the next answer.
    session
        .query("SELECT throwIf(number = 100000) FROM numbers(200000)")
        .fetch_bytes("JSON")
        .unwrap()
        .collect()
        .await
        .unwrap_err();
    assert_eq!(count(&session, "mine").await, 2);
    client.query("SELECT count() FROM mine").fetch_one::<u64>().await.unwrap_err();
}

#[tokio::test]
async fn json_is_one_document() {
    let Some(client) = client().await else { return };
    let bytes =
        client.query("SELECT number FROM numbers(300000)").fetch_bytes("JSON").unwrap().collect().await.unwrap();
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(document["rows"], 300_000);
    assert_eq!(document["data"].as_array().unwrap().len(), 300_000);
}

#[tokio::test]
async fn errors_carry_their_code() {
    let Some(client) = client().await else { return };
    let code = |result: Result<(), Error>, code: u32| {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(&format!("Code: {code}.")), "{text}");
    };
    code(client.query("SELECT * FROM nowhere").execute().await, 60);
    code(client.query("SELEC 1").execute().await, 62);
    code(client.query("SELECT 1").with_setting("no_such_setting", "1").execute().await, 115);
    let insert = client.insert::<Reading>("nowhere").await;
    assert!(insert.err().is_some_and(|error| error.to_string().contains("Code: 60.")));
}

/// Trap: output left behind by a failed query stands in front of the next answer on that connection.
#[tokio::test]
async fn an_error_in_the_middle_is_told_and_leaves_nothing_behind() {
    let Some(client) = client().await else { return };
    let sql = "SELECT throwIf(number = 3000000), number FROM numbers(10000000)";
    for format in ["JSON", "RowBinary", "TabSeparated"] {
        let bytes = client.query(sql).fetch_bytes(format).unwrap().collect().await;
        assert!(bytes.unwrap_err().to_string().contains("Code: 395."), "{format}");
        for _ in 0..20 {
            let clean: String = client.query("SELECT 'clean'").fetch_one().await.unwrap();
            assert_eq!(clean, "clean");
        }
    }
    let mut cursor = client.query(sql).fetch::<(u8, u64)>().unwrap();
    let mut rows = 0;
    let error = loop {
        match cursor.next().await {
            Ok(Some(_)) => rows += 1,
            Ok(None) => panic!("the error was not told"),
            Err(error) => break error,
        }
    };
    assert!(rows > 0 && error.to_string().contains("Code: 395."), "{rows} rows, {error}");
}

#[tokio::test]
async fn an_insert_that_is_dropped_inserts_nothing() {
    let Some(client) = client().await else { return };
    let mut insert = client.insert::<Reading>("readings").await.unwrap();
    for n in 0..50_000 {
        insert.write(&reading(n)).await.unwrap();
    }
    drop(insert);
    // The next insert is taken, so the engine is through with the dropped one when its rows can be seen.
    let mut insert = client.insert::<Reading>("readings").await.unwrap();
    insert.write(&reading(1)).await.unwrap();
    insert.end().await.unwrap();
    assert_eq!(count(&client, "readings").await, 1);
}

#[tokio::test]
async fn a_row_that_does_not_fit_is_found_by_validation() {
    #[derive(Row, Serialize)]
    struct Wrong {
        source: u32,
        value: f64,
    }
    let Some(client) = client().await else { return };
    let insert = client.insert::<Wrong>("readings").await;
    let told = match insert {
        Err(error) => error.to_string(),
        Ok(mut insert) => insert.write(&Wrong { source: 1, value: 1.0 }).await.unwrap_err().to_string(),
    };
    assert!(told.contains("mismatch"), "{told}");
}

/// Trap: binary data inside a query's text is cut at `;`, and the rest is lost without a word.
#[tokio::test]
async fn data_full_of_semicolons_arrives_whole() {
    let Some(client) = client().await else { return };
    let mut insert = client.insert::<Reading>("readings").await.unwrap();
    let row = Reading { source: ";;;\u{0}'".repeat(20), ..reading(0x3b3b_3b3b) };
    for _ in 0..100_000 {
        insert.write(&row).await.unwrap();
    }
    insert.end().await.unwrap();
    let same: u64 =
        client.query("SELECT count() FROM readings WHERE source = ?").bind(&row.source).fetch_one().await.unwrap();
    assert_eq!(same, 100_000);
}

#[tokio::test]
async fn a_hundred_queries_at_once() {
    let Some(client) = client().await else { return };
    let asks = (0..100_u32).map(|n| {
        let client = client.clone();
        tokio::spawn(async move { client.query("SELECT toUInt32(? + sleep(0.05))").bind(n).fetch_one::<u32>().await })
    });
    for (n, ask) in asks.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(ask.await.unwrap().unwrap(), n as u32);
    }
}

#[tokio::test]
async fn a_query_that_wants_too_much_memory_is_refused_alone() {
    let Some(client) = client().await else { return };
    let greedy =
        client.query("SELECT count() FROM (SELECT groupArray(number) FROM numbers(1000000000) GROUP BY number % 7)");
    let error = greedy.fetch_one::<u64>().await.unwrap_err().to_string();
    assert!(error.contains("Code: 241."), "{error}");
    assert_eq!(client.query("SELECT 1").fetch_one::<u8>().await.unwrap(), 1);
}
