//! The HTTP interface as people and other programs use it: curl, Grafana, scripts.

use crate::engine::shared;
use reqwest::{Client, Method, Response};

struct Door {
    url: String,
    client: Client,
}

fn door() -> Option<Door> {
    Some(Door { url: shared()?.to_owned(), client: Client::new() })
}

impl Door {
    async fn ask(&self, method: Method, query: &str, body: impl Into<Vec<u8>>) -> (u16, String) {
        let response = self.send(method, query, body).await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn send(&self, method: Method, query: &str, body: impl Into<Vec<u8>>) -> Response {
        let url = format!("{}/?{query}", self.url);
        self.client.request(method, url).body(body.into()).send().await.unwrap()
    }

    async fn post(&self, sql: &str) -> (u16, String) {
        self.ask(Method::POST, "", sql).await
    }
}

fn ok(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

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
        assert_eq!(door.client.get(url).send().await.unwrap().text().await.unwrap(), "Ok.\n");
    }
    let response = door.send(Method::POST, "query_id=mine&default_format=JSON", "SELECT 1").await;
    assert_eq!(response.headers()["x-clickhouse-query-id"], "mine");
    assert_eq!(response.headers()["content-type"], "application/json; charset=UTF-8");
    assert!(response.headers()["x-clickhouse-summary"].to_str().unwrap().contains("\"read_rows\""));
}

#[tokio::test]
async fn inserts_with_data_in_any_place() {
    let Some(door) = door() else { return };
    door.post("CREATE DATABASE IF NOT EXISTS http").await;
    assert_eq!(door.post("CREATE TABLE http.t (a UInt32, s String) ENGINE = MergeTree ORDER BY a").await, ok(""));
    let values = "INSERT INTO http.t VALUES (1, 'a;b'), (1 + 1, 'it''s; \\'x\\''); ";
    assert_eq!(door.post(values).await, ok(""));
    assert_eq!(door.post("INSERT INTO http.t FORMAT TSV\n3\tx;y\n4\tz\n").await, ok(""));
    assert_eq!(door.ask(Method::POST, "query=INSERT%20INTO%20http.t%20FORMAT%20CSV", "5,\"c;d\"\n").await, ok(""));
    assert_eq!(
        door.ask(Method::POST, "database=http", "INSERT INTO t (a) SELECT number + 6 FROM numbers(2)").await,
        ok("")
    );
    let all = door.post("SELECT a, s FROM http.t ORDER BY a FORMAT CSV").await;
    assert_eq!(all, ok("1,\"a;b\"\n2,\"it's; 'x'\"\n3,\"x;y\"\n4,\"z\"\n5,\"c;d\"\n6,\"\"\n7,\"\"\n"));
    let (status, text) = door.post("INSERT INTO http.t FORMAT TSV\nnot a number\tx\n").await;
    assert!(status >= 400 && text.starts_with("Code: "), "{status} {text}");
    assert_eq!(door.post("SELECT count() FROM http.t").await, ok("7\n"));
}

/// Trap: the engine would run both, and an error in the second would look as if neither ran.
#[tokio::test]
async fn several_statements_are_refused() {
    let Some(door) = door() else { return };
    let (status, text) = door.post("SELECT 1; DROP TABLE x").await;
    assert!(status == 400 && text.starts_with("Code: 62."), "{status} {text}");
    assert_eq!(door.post("SELECT ';' ;").await, ok(";\n"));
}

#[tokio::test]
async fn a_get_writes_nothing() {
    let Some(door) = door() else { return };
    for sql in ["CREATE%20DATABASE%20by_get", "SET%20readonly=0"] {
        let (status, text) = door.ask(Method::GET, &format!("query={sql}"), "").await;
        assert!(status >= 400 && text.starts_with("Code: 164."), "{sql}: {status} {text}");
    }
    assert_eq!(door.post("SELECT count() FROM system.databases WHERE name = 'by_get'").await, ok("0\n"));
    assert_eq!(door.post("CREATE DATABASE IF NOT EXISTS by_post").await, ok(""));
}

/// Traps: SYSTEM SHUTDOWN ends the process; file() and INTO OUTFILE reach any file; url() hangs for minutes.
#[tokio::test]
async fn what_reaches_out_of_the_database_is_refused() {
    let Some(door) = door() else { return };
    for sql in [
        "SYSTEM SHUTDOWN",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT `file`('/etc/hostname')",
        "SELECT 1 INTO OUTFILE '/tmp/gridwarden-outfile'",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV')",
    ] {
        let (status, text) = door.post(sql).await;
        assert!(status == 403 && text.contains("Refused by the embedded engine"), "{sql}: {status} {text}");
    }
    assert_eq!(door.post("SELECT 1").await, ok("1\n"));
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
async fn bodies_may_be_compressed() {
    use std::io::Write;
    let Some(door) = door() else { return };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"SELECT 5").unwrap();
    let request = door.client.post(&door.url).header("content-encoding", "gzip").body(gzip.finish().unwrap());
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "5\n");
    let request = door.client.post(&door.url).header("content-encoding", "br").body("x");
    assert!(request.send().await.unwrap().text().await.unwrap().contains("Content-Encoding br is not read here"));
    let (status, text) = door.ask(Method::POST, "decompress=1", vec![0_u8; 40]).await;
    assert!(status == 400 && text.starts_with("Code: 271."), "{status} {text}");
    let framed = door.send(Method::POST, "compress=1", "SELECT 'x'").await.bytes().await.unwrap();
    assert_eq!(framed.get(16), Some(&0x82));
}

#[tokio::test]
async fn a_page_of_another_origin_is_not_served() {
    let Some(door) = door() else { return };
    let request = door.client.post(&door.url).header("origin", "http://evil.example").body("SELECT 1");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 403);
}

#[tokio::test]
async fn bad_sql_breaks_nothing() {
    let Some(door) = door() else { return };
    let deep = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    let long = format!("SELECT {} 1", "NOT ".repeat(50_000));
    for sql in ["", ";", "'", "SELECT '", "/*", "$a$", "INSERT INTO", "FORMAT", &deep, &long] {
        let (status, text) = door.post(sql).await;
        assert!(status >= 400 && text.starts_with("Code: "), "{status} {}", text.get(..80).unwrap_or(&text));
    }
    let (status, _) = door.ask(Method::POST, "", vec![b'S', 0xff, 0xfe]).await;
    assert!(status >= 400);
    assert_eq!(door.post("SELECT 1").await, ok("1\n"));
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
