//! The engine's life: one owner per folder, a clean end, an unclean end, bad options.

use crate::engine::{library, options, start};
use clickhouse::{Client, Row};
use gridwarden_embedded::clickhouse::ClickHouseProcess;
use serde::Serialize;
use std::time::{Duration, Instant};

#[derive(Row, Serialize)]
struct Numbered {
    block: u32,
    n: u32,
}

const ROWS: u32 = 5_000;

async fn insert_block(client: &Client, block: u32) -> Result<(), clickhouse::error::Error> {
    let mut insert = client.insert::<Numbered>("blocks").await?;
    for n in 0..ROWS {
        insert.write(&Numbered { block, n }).await?;
    }
    insert.end().await
}

async fn fresh_table(engine: &ClickHouseProcess) -> Client {
    let server = Client::default().with_url(engine.url());
    server.query("CREATE DATABASE IF NOT EXISTS g").execute().await.unwrap();
    let client = server.with_database("g").with_setting("async_insert", "0");
    let sql = "CREATE TABLE IF NOT EXISTS blocks (block UInt32, n UInt32) ENGINE = MergeTree ORDER BY (block, n)";
    client.query(sql).execute().await.unwrap();
    client
}

/// `ECH-4`: acknowledged blocks survive kill -9; blocks are there or not, never in part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_survives_kill_9() {
    let Some(library) = library() else { return };
    let place = tempfile::tempdir().unwrap();
    // A path of somebody's choice.
    let folder = place.path().join("城市 数据, a='b\\c");
    let mut block = 0;
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let mut engine = start(&folder, library.clone()).unwrap();
        let mut client = fresh_table(&engine).await;
        if round % 2 == 1 {
            // As somebody does who sets nothing.
            client = Client::default().with_url(engine.url()).with_database("g");
        }
        let held: Vec<(u32, u64)> =
            client.query("SELECT block, count() FROM blocks GROUP BY block ORDER BY block").fetch_all().await.unwrap();
        assert!(held.iter().all(|(_, rows)| *rows == u64::from(ROWS)), "a block is there in part: {held:?}");
        for number in &acknowledged {
            assert!(held.iter().any(|(block, _)| block == number), "block {number} was acknowledged and is gone");
        }
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(400));
            engine.kill();
        });
        while insert_block(&client, block).await.is_ok() {
            acknowledged.push(block);
            block += 1;
        }
        block += 1;
        killer.join().unwrap();
    }
    assert!(acknowledged.len() >= 3, "nothing was tested: {acknowledged:?}");
}

/// Traps: the library takes SIGTERM for itself; unloading it crashes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_it_cleanly_while_queries_run() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), library.clone()).unwrap();
    let client = fresh_table(&engine).await;
    insert_block(&client, 1).await.unwrap();
    let running = client.clone();
    let query = tokio::spawn(async move { running.query("SELECT sleep(1)").fetch_one::<u8>().await });
    let asked = client.query("SELECT count() FROM system.processes WHERE query LIKE '%sleep%'");
    let until = Instant::now() + Duration::from_secs(10);
    while asked.clone().fetch_one::<u64>().await.unwrap() < 2 {
        assert!(Instant::now() < until, "the query never ran");
    }
    let begun = Instant::now();
    let ended = tokio::task::spawn_blocking(move || engine.stop()).await.unwrap().unwrap();
    assert_eq!(ended.and_then(|status| status.code()), Some(0), "by itself, without a crash");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(query.await.unwrap().unwrap(), 0, "what ran was finished");
    let engine = start(folder.path(), library).unwrap();
    let client = fresh_table(&engine).await;
    assert_eq!(client.query("SELECT count() FROM blocks").fetch_one::<u64>().await.unwrap(), u64::from(ROWS));
}

#[test]
fn a_folder_has_one_owner() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let _first = start(folder.path(), library.clone()).unwrap();
    let mut second = options(folder.path(), library);
    second.engine.address_file = Some(folder.path().join("second.address"));
    second.log = folder.path().join("second.log");
    let words = ClickHouseProcess::start(&second).unwrap_err().to_string();
    let data = folder.path().join("data");
    assert!(words.contains(&format!("another process works on the ClickHouse data in {}", data.display())), "{words}");
}

#[test]
fn a_bad_start_is_a_sentence() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let check = |change: &dyn Fn(&mut gridwarden_embedded::clickhouse::ClickHouseOptions), expected: &str| {
        let mut options = options(folder.path(), library.clone());
        change(&mut options);
        let words = ClickHouseProcess::start(&options).unwrap_err().to_string();
        assert!(words.contains(expected), "{words}");
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    check(&|o| o.engine.listen = address, &format!("the address {address} for ClickHouse is taken"));
    check(&|o| o.engine.listen = "0.0.0.0:0".parse().unwrap(), "is not a loopback address");
    check(&|o| o.engine.library = "/nowhere/libchdb.so".into(), "/nowhere/libchdb.so cannot be loaded");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    check(&|o| o.engine.data = file.join("data"), "a-file/data");
}

#[tokio::test]
async fn a_login_is_asked_for_when_there_is_one() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path(), library);
    options.engine.login = Some(("city".into(), "secret".into()));
    let engine = ClickHouseProcess::start(&options).unwrap();
    let client = Client::default().with_url(engine.url());
    let asked = reqwest::get(format!("{}/?query=SELECT%201", engine.url())).await.unwrap();
    assert_eq!(asked.status().as_u16(), 401, "a browser asks for a password then");
    assert!(asked.headers().contains_key("www-authenticate"));
    let wrong = client.clone().with_user("city").with_password("secreT");
    let refused = wrong.query("SELECT 1").fetch_one::<u8>().await.unwrap_err().to_string();
    assert!(refused.contains("Code: 516."), "{refused}");
    let known = client.with_user("city").with_password("secret");
    assert_eq!(known.query("SELECT 1").fetch_one::<u8>().await.unwrap(), 1);
}
