//! Bodies of every make: the query in the URL or in the body, an insert's data beside it or behind it, packed and not.

use crate::door::{Door, answer, door, ok};
use crate::engine::database;
use reqwest::Method;
use std::io::Write;

/// A database with the table `t`.
async fn table() -> Option<(Door, String)> {
    let door = door()?;
    let name = database();
    door.post(&format!("CREATE DATABASE {name}")).await;
    let sql = "CREATE TABLE t (a UInt32, s String) ENGINE = MergeTree ORDER BY a";
    assert_eq!(door.ask(Method::POST, &format!("database={name}"), sql).await, ok(""));
    Some((door, format!("database={name}")))
}

#[tokio::test]
async fn inserts_with_data_in_any_place() {
    let Some((door, at)) = table().await else { return };
    let post = |sql: &'static str| door.ask(Method::POST, &at, sql);
    assert_eq!(post("INSERT INTO t VALUES (1, 'a;b'), (1 + 1, 'it''s; \\'x\\''); ").await, ok(""));
    assert_eq!(post("INSERT INTO t FORMAT TSV\n3\tx;y\n4\tz\n").await, ok(""));
    let query = format!("{at}&query=INSERT%20INTO%20t%20FORMAT%20CSV");
    assert_eq!(door.ask(Method::POST, &query, "5,\"c;d\"\n").await, ok(""));
    let query = format!("{at}&query=INSERT%20INTO%20t%20");
    assert_eq!(door.ask(Method::POST, &query, "FORMAT JSONEachRow {\"a\":8,\"s\":\";\"}").await, ok(""));
    assert_eq!(post("INSERT INTO t (a) SELECT number + 6 FROM numbers(2)").await, ok(""));
    let all = post("SELECT a, s FROM t ORDER BY a FORMAT CSV").await;
    assert_eq!(all, ok("1,\"a;b\"\n2,\"it's; 'x'\"\n3,\"x;y\"\n4,\"z\"\n5,\"c;d\"\n6,\"\"\n7,\"\"\n8,\";\"\n"));
    let (status, text) = post("INSERT INTO t FORMAT TSV\nnot a number\tx\n").await;
    assert!(status >= 400 && text.starts_with("Code: "), "{status} {text}");
    // Data behind a SELECT would have to stand in the query's text.
    let (status, text) = post("INSERT INTO t SELECT a, s FROM input('a UInt32, s String') FORMAT CSV\n9,x;\n").await;
    assert!(status == 501 && text.contains("input()"), "{status} {text}");
    assert_eq!(post("SELECT count() FROM t").await, ok("8\n"));
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Trap: binary data inside a query's text is cut at `;`. Here it stands behind the text in one body, as other clients send
/// it (`INSERT … FORMAT Native\n<binary>`), packed in every way.
#[tokio::test]
async fn text_and_binary_data_in_one_body() {
    let Some((door, at)) = table().await else { return };
    let rows: u32 = 200_000;
    let sql = format!("SELECT toUInt32(0x3b3b3b00 + number % 256) AS a, repeat(';', 59) AS s FROM numbers({rows})");
    for (n, format) in
        ["Native", "RowBinary", "RowBinaryWithNamesAndTypes", "Parquet", "ArrowStream"].iter().enumerate()
    {
        let data = door.send(Method::POST, &format!("{at}&default_format={format}"), sql.as_str()).await;
        let data = data.bytes().await.unwrap();
        assert!(
            data.iter().filter(|byte| **byte == b';').count() > if n < 3 { rows as usize } else { 100 },
            "{format}"
        );
        let body = [format!("INSERT INTO t (a, s) FORMAT {format}\n").as_bytes(), &data].concat();
        for (encoding, packed) in [
            ("identity", body.clone()),
            ("gzip", gzip(&body)),
            ("deflate", deflate(&body)),
            ("zstd", zstd::encode_all(&body[..], 1).unwrap()),
        ] {
            let request = door.request(Method::POST, &at).header("content-encoding", encoding).body(packed);
            assert_eq!(answer(request.send().await.unwrap()).await, ok(""), "{format} {encoding}");
        }
        let same = "SELECT count() FROM t WHERE a >= 0x3b3b3b00 AND s = repeat(';', 59)";
        let all = u64::from(rows) * 4;
        assert_eq!(door.ask(Method::POST, &at, same).await, ok(&format!("{all}\n")), "{format}");
        assert_eq!(door.ask(Method::POST, &at, "TRUNCATE TABLE t").await, ok(""));
    }
}

/// More than is held in memory: the data are handed on as they come.
#[tokio::test]
async fn an_insert_in_one_body_may_be_long() {
    let Some((door, at)) = table().await else { return };
    let rows = 5_000_000_u32;
    let mut body = b"INSERT INTO t FORMAT TSV\n".to_vec();
    for n in 0..rows {
        writeln!(body, "{n}\tsome text;").unwrap();
    }
    assert!(body.len() > 80 << 20);
    assert_eq!(door.ask(Method::POST, &at, body).await, ok(""));
    let sum: u64 = (0..u64::from(rows)).sum();
    assert_eq!(door.ask(Method::POST, &at, "SELECT count(), sum(a) FROM t").await, ok(&format!("{rows}\t{sum}\n")));
    let (status, text) = door.ask(Method::POST, &at, format!("SELECT '{}'", "x".repeat(65 << 20))).await;
    assert!(status == 400 && text.contains("64 MiB"), "{status} {}", text.get(..80).unwrap_or(&text));
}

#[tokio::test]
async fn queries_may_be_packed() {
    let Some(door) = door() else { return };
    let ask = async |encoding: &str, body: Vec<u8>| {
        answer(door.request(Method::POST, "").header("content-encoding", encoding).body(body).send().await.unwrap())
            .await
    };
    assert_eq!(ask("gzip", gzip(b"SELECT 5")).await, ok("5\n"));
    assert_eq!(ask("zstd", zstd::encode_all(&b"SELECT 5"[..], 1).unwrap()).await, ok("5\n"));
    let (status, text) = ask("br", b"x".to_vec()).await;
    assert!(status == 400 && text.contains("Content-Encoding br is not read here"), "{text}");
    for encoding in ["gzip", "zstd", "lz4", "deflate"] {
        let (status, text) = ask(encoding, vec![1; 40]).await;
        assert!(status == 400 && text.starts_with("Code: 271."), "{encoding}: {status} {text}");
    }
    let (status, text) = door.ask(Method::POST, "decompress=1", vec![0_u8; 40]).await;
    assert!(status == 400 && text.starts_with("Code: 271."), "{status} {text}");
    let framed = door.send(Method::POST, "compress=1", "SELECT 'x'").await.bytes().await.unwrap();
    assert_eq!(framed.get(16), Some(&0x82));
}

/// `curl -F 'query=SELECT …' -F param_x=…`.
#[tokio::test]
async fn a_form_holds_query_parameters_and_settings() {
    let Some(door) = door() else { return };
    let form = |fields: &[(&str, &str)]| {
        let part = |(name, value): &(&str, &str)| {
            format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        fields.iter().map(part).chain(["--cut--\r\n".to_owned()]).collect::<String>()
    };
    let send = async |query: &str, fields: &[(&str, &str)]| {
        let request = door.request(Method::POST, query).header("content-type", "multipart/form-data; boundary=cut");
        answer(request.body(form(fields)).send().await.unwrap()).await
    };
    let sql = "SELECT {x:String}, {n:Array(UInt8)}, toString(getSetting('max_block_size'))";
    let fields = [("query", sql), ("param_x", "a\\tb;--cut"), ("param_n", "[1,2]"), ("max_block_size", "77")];
    assert_eq!(send("", &fields).await, ok("a\\tb;--cut\t[1,2]\t77\n"));
    assert_eq!(
        send("query=SELECT%20{x:UInt8}&default_format=JSONCompactEachRow", &[("param_x", "7")]).await,
        ok("[7]\n")
    );
    let (status, text) = send("", &[("format_schema", "/etc/passwd:x"), ("query", "SELECT 1")]).await;
    assert!(status == 403 && text.contains("format_schema"), "{status} {text}");
    let file = form(&[("query", "SELECT 1")]).replace("name=\"query\"", "name=\"t\"; filename=\"t.csv\"");
    let request = door.request(Method::POST, "").header("content-type", "multipart/form-data; boundary=cut").body(file);
    let (status, text) = answer(request.send().await.unwrap()).await;
    assert!(status == 400 && text.contains("external tables"), "{status} {text}");
}

/// A body that ends too early is an error, and leaves no rows.
#[tokio::test]
async fn half_a_packed_insert_inserts_nothing() {
    let Some((door, at)) = table().await else { return };
    let body = [b"INSERT INTO t FORMAT TSV\n".as_slice(), &b"1\tx\n".repeat(10_000)].concat();
    for (encoding, mut packed) in [("gzip", gzip(&body)), ("zstd", zstd::encode_all(&body[..], 1).unwrap())] {
        packed.truncate(packed.len() - 3);
        let request = door.request(Method::POST, &at).header("content-encoding", encoding).body(packed);
        let (status, text) = answer(request.send().await.unwrap()).await;
        assert!(status == 400 && text.starts_with("Code: 271."), "{encoding}: {status} {text}");
    }
    assert_eq!(door.ask(Method::POST, &at, "SELECT count() FROM t").await, ok("0\n"));
}
