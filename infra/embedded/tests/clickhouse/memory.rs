//! The engine's memory has a limit: what wants more gets an error, and the process stays what and where it was.

use crate::door::{Door, ok};
use crate::engine::{library, options};
use gridwarden_embedded::clickhouse::{ClickHouseProcess, EngineOptions};
use reqwest::Method;

const MIB: u64 = 1 << 20;

/// What the process takes besides what the engine counts: the library itself, threads, what was freed just now.
const BESIDES: u64 = 500 * MIB;

/// The most memory a process ever had.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn the_limit_is_one_and_a_half_gigabytes_unless_told_otherwise() {
    let options = EngineOptions::new("data".into(), "library".into(), "127.0.0.1:0".parse().unwrap());
    assert_eq!(options.memory_bytes, 1_500_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_wants_too_much_gets_an_error_and_the_process_lives() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path(), library);
    options.engine.memory_bytes = 400 * MIB;
    let mut engine = ClickHouseProcess::start(&options).unwrap();
    let door = Door::of(&engine.url());
    let limit = door.post("SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'").await;
    assert_eq!(limit, ok(&format!("{}\n", 400 * MIB)));
    for sql in [
        "SELECT count() FROM (SELECT groupArray(number) FROM numbers(1000000000) GROUP BY number % 7)",
        "SELECT count() FROM (SELECT toString(number) AS s FROM numbers(100000000) ORDER BY s DESC LIMIT 90000000)",
        "SELECT count() FROM numbers(100000000) AS a JOIN numbers(100000000) AS b USING (number) SETTINGS join_algorithm='hash'",
        "SELECT uniqExact(toString(number)) FROM numbers(100000000)",
        "SELECT repeat('x', 1000) AS s FROM numbers(3000000) FORMAT JSON",
    ] {
        let response = door.send(Method::POST, "", sql).await;
        assert_eq!(
            response.headers().get("x-clickhouse-exception-code").map(|it| it.as_bytes()),
            Some(&b"241"[..]),
            "{sql}"
        );
    }
    // Each may have its part; all together want more than there is.
    let greedy = "SELECT count() FROM (SELECT groupArray(number) FROM numbers(20000000) GROUP BY number % 7)";
    let all = futures::future::join_all((0..6).map(|_| door.post(greedy))).await;
    assert!(all.iter().all(|(status, text)| *status == 200 || text.contains("Code: 241.")), "{all:?}");
    assert!(all.iter().any(|(status, _)| *status != 200), "the limit was not reached");
    // What is large but goes out piece by piece needs little.
    let mut long = door.send(Method::POST, "", "SELECT repeat('x', 1000) FROM numbers(1000000) FORMAT TSV").await;
    let mut length = 0;
    while let Some(chunk) = long.chunk().await.unwrap() {
        length += chunk.len();
    }
    assert_eq!((long.status().as_u16(), length), (200, 1_001_000_000));
    assert_eq!(door.post("SELECT 1").await, ok("1\n"));
    assert!(engine.ended().unwrap().is_none());
    let peak = peak(engine.pid());
    assert!(peak < 400 * MIB + BESIDES, "it took {} MiB", peak / MIB);
}
