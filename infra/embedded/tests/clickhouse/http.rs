//! The HTTP interface as people and other programs use it: curl, Grafana, scripts.

use crate::door::{answer, door, ok};
use reqwest::Method;

#[tokio::test]
async fn a_query_by_curl_gets_an_answer() {
    let Some(door) = door() else { return };
    assert_eq!(door.post("SELECT 1, 'a'").await, ok("1\ta\n"));
    assert_eq!(door.ask(Method::GET, "query=SELECT%201%2B1", "").await, ok("2\n"));
    assert_eq!(door.ask(Method::POST, "query=SELECT%20{x:UInt8}%20%2B&param_x=40", "2").await, ok("42\n"));
    assert_eq!(
        door.post("SELECT number FROM numbers(2) FORMAT JSONEachRow").await,
        ok("{\"number\":0}\n{\"number\":1}\n")
    );
    assert_eq!(
        door.post("SELECT getSetting('session_timezone'), toDateTime(0)").await,
        ok("UTC\t1970-01-01 00:00:00\n")
    );
    for path in ["", "ping"] {
        let url = format!("{}/{path}", door.url);
        assert_eq!(door.client.head(&url).send().await.unwrap().status().as_u16(), 200);
        assert_eq!(door.client.get(url).send().await.unwrap().text().await.unwrap(), "Ok.\n");
    }
    let response = door.send(Method::POST, "query_id=mine&default_format=JSON", "SELECT 1").await;
    assert_eq!(response.headers()["x-clickhouse-query-id"], "mine");
    assert_eq!(response.headers()["content-type"], "application/json; charset=UTF-8");
    assert!(response.headers()["x-clickhouse-summary"].to_str().unwrap().contains("\"read_rows\""));
}

/// The library takes options it does not know without a word.
#[tokio::test]
async fn the_engine_keeps_behind_as_it_was_told() {
    let Some(door) = door() else { return };
    let sql = "SELECT name, value FROM system.server_settings WHERE changed AND name IN \
               ('max_parts_cleaning_thread_pool_size', 'os_threads_nice_value_merge_mutate') ORDER BY name";
    let expected = "max_parts_cleaning_thread_pool_size\t2\nos_threads_nice_value_merge_mutate\t15\n";
    assert_eq!(door.post(sql).await, ok(expected));
    let sql = "SELECT value FROM system.merge_tree_settings
               WHERE name IN ('auto_statistics_types', 'merge_selector_base') ORDER BY name";
    assert_eq!(door.post(sql).await, ok("\n8\n"));
}

/// Trap: the engine would run both, and an error in the second would look as if neither ran.
#[tokio::test]
async fn several_statements_are_refused() {
    let Some(door) = door() else { return };
    let (status, text) = door.post("SELECT 1; DROP TABLE x").await;
    assert!(status == 400 && text.starts_with("Code: 62."), "{status} {text}");
    assert_eq!(door.post("SELECT ';' ;").await, ok(";\n"));
    assert_eq!(door.ask(Method::POST, "query=SELECT%201;", " SELECT 2").await.0, 400, "nor cut in two");
}

#[tokio::test]
async fn a_get_writes_nothing() {
    let Some(door) = door() else { return };
    door.post("CREATE TABLE IF NOT EXISTS default.by_get (a UInt8) ENGINE = Memory").await;
    for sql in [
        "CREATE%20DATABASE%20by_get",
        "SET%20readonly=0",
        "CREATE%20DATABASE%20by_get&readonly=0",
        "CREATE%20DATABASE%20by_get&session_id=by_get",
        "INSERT%20INTO%20default.by_get%20VALUES%20(1)&session_id=by_get",
        "INSERT%20INTO%20default.by_get%20VALUES%20(1)",
        "INSERT%20INTO%20default.by_get%20SELECT%201",
    ] {
        let (status, text) = door.ask(Method::GET, &format!("query={sql}"), "").await;
        assert!(status == 403 && text.starts_with("Code: 164."), "{sql}: {status} {text}");
    }
    assert_eq!(door.post("SELECT count() FROM default.by_get").await, ok("0\n"));
    // In a session a GET reads, and what is sent after it may write.
    assert_eq!(door.ask(Method::GET, "query=SELECT%201&session_id=by_get", "").await, ok("1\n"));
    assert_eq!(door.ask(Method::POST, "session_id=by_get", "CREATE TEMPORARY TABLE mine (a UInt8)").await, ok(""));
    assert_eq!(door.post("SELECT count() FROM system.databases WHERE name = 'by_get'").await, ok("0\n"));
    assert_eq!(door.post("CREATE DATABASE IF NOT EXISTS by_post").await, ok(""));
}

#[tokio::test]
async fn an_error_has_status_header_and_words() {
    let Some(door) = door() else { return };
    let response = door.send(Method::POST, "", "SELECT * FROM nowhere").await;
    assert_eq!(response.status().as_u16(), 404);
    assert_eq!(response.headers()["x-clickhouse-exception-code"], "60");
    assert!(response.text().await.unwrap().starts_with("Code: 60. DB::Exception: "));
    let failing = "SELECT throwIf(number = 3000000) FROM numbers(10000000)";
    let whole = door.send(Method::POST, "wait_end_of_query=1", failing).await;
    assert_eq!(
        (whole.status().as_u16(), &whole.headers()["x-clickhouse-exception-code"]),
        (500, &"395".parse().unwrap())
    );
    let streamed = door.send(Method::POST, "", failing).await;
    let tag = streamed.headers()["x-clickhouse-exception-tag"].to_str().unwrap().to_owned();
    let text = streamed.text().await.unwrap();
    assert!(text.ends_with(&format!(" {tag}\r\n__exception__\r\n")), "{}", text.len());
}

#[tokio::test]
async fn a_page_of_another_origin_is_not_served() {
    let Some(door) = door() else { return };
    let request = door.client.post(&door.url).header("origin", "http://evil.example").body("SELECT 1");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 403);
    // A name of its own that was made to point here: the browser sends no origin then.
    let request = door.client.get(format!("{}/?query=SELECT%201", door.url)).header("host", "evil.example");
    let (status, text) = answer(request.send().await.unwrap()).await;
    assert!(status == 403 && text.contains("127.0.0.1 or localhost"), "{status} {text}");
}

/// Trap: what the engine must answer with an error, and does.
#[tokio::test]
async fn bad_sql_breaks_nothing() {
    let Some(door) = door() else { return };
    let deep = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    let long = format!("SELECT {} 1", "NOT ".repeat(50_000));
    let for_ever = "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count() FROM t";
    for sql in
        ["", ";", "'", "SELECT '", "/*", "$a$", "INSERT INTO", "FORMAT", &deep, &long, "SELECT range(1e18)", for_ever]
    {
        let (status, text) = door.post(sql).await;
        assert!(status >= 400 && text.starts_with("Code: "), "{status} {}", text.get(..80).unwrap_or(&text));
    }
    for (setting, code) in [("max_execution_time=1", "159"), ("max_memory_usage=1000000", "241")] {
        let sql = "SELECT uniqExact(number) FROM numbers(100000000000)";
        let response = door.send(Method::POST, setting, sql).await;
        assert_eq!(response.headers()["x-clickhouse-exception-code"], code, "{setting}");
    }
    let (status, _) = door.ask(Method::POST, "", vec![b'S', 0xff, 0xfe]).await;
    assert!(status >= 400);
    assert_eq!(door.post("SELECT 1").await, ok("1\n"));
}

/// `format` is a column's name as well.
#[tokio::test]
async fn only_the_last_format_is_a_format() {
    let Some(door) = door() else { return };
    assert_eq!(door.post("SELECT format FROM (SELECT 1 AS format)").await, ok("1\n"));
    assert_eq!(door.post("SELECT format a FROM (SELECT 1 AS format) FORMAT CSVWithNames").await, ok("\"a\"\n1\n"));
    assert_eq!(door.ask(Method::POST, "default_format=JSONCompactEachRow", "SELECT 1, 'a'").await, ok("[1, \"a\"]\n"));
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_its_query() {
    let Some(door) = door() else { return };
    for _ in 0..70 {
        // More than run at once: were one of them never freed, the next requests would wait for ever.
        let response = door.send(Method::POST, "", "SELECT number FROM numbers(100000000000)").await;
        drop(response);
    }
    let one = tokio::time::timeout(std::time::Duration::from_secs(30), door.post("SELECT 1")).await;
    assert_eq!(one.expect("a place is free"), ok("1\n"));
}
