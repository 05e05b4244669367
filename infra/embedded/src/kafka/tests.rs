//! The real broker, through its whole life. Needs Java and the jars (`infra/embedded/fetch-kafka.sh`).

#![allow(clippy::print_stdout, reason = "a test says what it measured")]

use super::*;
use crate::process::Identity;

fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache/gridwarden");
    std::env::var_os("GRIDWARDEN_CACHE").map_or_else(home, PathBuf::from)
}

#[test]
fn missing_jars_and_used_ports_are_sentences() {
    let folder = tempfile::tempdir().expect("folder");
    let ports = KafkaPorts::free().expect("ports");
    let options = KafkaOptions::under(folder.path(), folder.path(), ports);
    let error = KafkaProcess::start(options.clone()).expect_err("no jars").to_string();
    assert!(error.starts_with("Kafka's jars are missing in ") && error.contains("make build"), "{error}");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("port");
    let client = taken.local_addr().expect("address").port();
    let options = KafkaOptions { cache: cache(), ports: KafkaPorts { client, ..ports }, ..options };
    let error = KafkaProcess::start(options).expect_err("used").to_string();
    assert!(error.starts_with(&format!("Kafka's port 127.0.0.1:{client} is already in use")), "{error}");
}

/// What this project promises for a start on a folder that is in use already.
const WARM_START: Duration = Duration::from_secs(6);

/// The longest that a thread of a process waited for a processor that others had.
fn held_up(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("threads").flatten();
    let waited = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().nth(1)?.parse().ok()
    });
    Duration::from_nanos(waited.max().unwrap_or(0))
}

/// Starts it, and says how long that took, less what others on this machine held it up.
fn timed_start(options: &KafkaOptions) -> (KafkaProcess, Duration) {
    let began = Instant::now();
    let mut kafka = KafkaProcess::start(options.clone()).expect("starts");
    let (took, held_up) = (began.elapsed(), held_up(kafka.process().pid()));
    println!("answered after {took:.1?}, of which {held_up:.1?} waiting for a processor");
    (kafka, took.saturating_sub(held_up))
}

/// `KAF-1`; and a warm start in time, after a clean end (on other ports as well) and after kill -9.
#[test]
fn it_starts_is_killed_starts_again_on_the_same_folder_and_stops() {
    let place = tempfile::tempdir().expect("folder");
    // A path of somebody's choice.
    let folder = place.path().join("城市 数据, a=b\\c");
    fs::create_dir(&folder).expect("folder");
    let ports = KafkaPorts::free().expect("ports");
    let options = KafkaOptions::under(&folder, &cache(), ports);
    let mut kafka = KafkaProcess::start(options.clone()).expect("first start");
    assert!(answers(ports.client));
    let meta = || fs::read_to_string(folder.join("kafka/log/meta.properties")).expect("formatted");
    let first = meta();
    kafka.process().kill();
    assert!(matches!(kafka.ended(), Ok(Some(KafkaError::Ended { .. }))));
    drop(kafka);

    let others = KafkaPorts::free().expect("ports");
    for (ports, before) in [(ports, "kill -9"), (ports, "a clean end"), (others, "a clean end")] {
        let (mut kafka, took) = timed_start(&KafkaOptions { ports, ..options.clone() });
        assert!(took <= WARM_START, "a start after {before} took {took:?}");
        assert_eq!(first, meta(), "it was formatted once");
        let identity = Identity::of(kafka.process().pid()).expect("runs");
        kafka.stop().expect("stops");
        assert!(!identity.is_alive() && !answers(ports.client));
    }

    let log = fs::read_to_string(&options.log).expect("log");
    let started = log.lines().find(|line| line.contains("Kafka Server started")).expect("a readable log");
    assert!(started.starts_with("20") && started.contains(" [INFO] "), "when and how grave: {started}");
    assert!(!log.contains("StaticLoggerBinder"), "{log}");
    let metadata = folder.join("kafka/log/__cluster_metadata-0");
    assert!(metadata.is_dir(), "all is where it should be");
    assert_eq!(fs::read_dir(place.path()).expect("place").count(), 1, "and nowhere else");
}

#[test]
fn a_log_of_another_node_or_cluster_is_a_sentence() {
    let folder = tempfile::tempdir().expect("folder");
    let options = KafkaOptions::under(folder.path(), &cache(), KafkaPorts::free().expect("ports"));
    prepare(&options).expect("formatted");
    let meta = options.data.join("log/meta.properties");
    let own = fs::read_to_string(&meta).expect("formatted");
    let refused = |from: &str, to: &str| {
        let line = own.lines().find(|line| line.starts_with(from)).expect("a line");
        fs::write(&meta, own.replace(line, to)).expect("write");
        KafkaProcess::start(options.clone()).expect_err("not its own").to_string()
    };
    let said = refused("node.id=", "node.id=7");
    assert!(said.starts_with("the log in ") && said.contains("was not made here") && said.contains('7'), "{said}");
    let said = refused("cluster.id=", "cluster.id=MkU3OEVBNTcwNTJENDM2Qg");
    assert!(said.contains("belongs to the Kafka cluster MkU3OEVBNTcwNTJENDM2Qg, this data folder to "), "{said}");
    fs::write(&meta, own).expect("write");
    KafkaProcess::start(options).expect("its own again");
}

#[test]
fn a_folder_that_another_broker_uses_is_a_sentence() {
    let folder = tempfile::tempdir().expect("folder");
    let options = KafkaOptions::under(folder.path(), &cache(), KafkaPorts::free().expect("ports"));
    let first = KafkaProcess::start(options.clone()).expect("starts");
    let second = KafkaOptions {
        ports: KafkaPorts::free().expect("ports"),
        log: folder.path().join("second.log"),
        ..options.clone()
    };
    let said = KafkaProcess::start(second).expect_err("in use").to_string();
    assert_eq!(said, format!("another Kafka already uses {}", options.data.display()));
    assert!(answers(options.ports.client), "the first is not disturbed");
    drop(first);
}
