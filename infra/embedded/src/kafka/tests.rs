//! The real broker, through its whole life. Needs Java and the jars (`infra/embedded/fetch-kafka.sh`).

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

#[test]
fn it_starts_is_killed_starts_again_on_the_same_folder_and_stops() {
    let folder = tempfile::tempdir().expect("folder");
    let ports = KafkaPorts::free().expect("ports");
    let options = KafkaOptions::under(folder.path(), &cache(), ports);
    let mut kafka = KafkaProcess::start(options.clone()).expect("first start");
    assert!(answers(ports.client));
    let first = fs::read_to_string(folder.path().join("kafka/log/meta.properties")).expect("formatted");
    kafka.process().kill();
    assert!(matches!(kafka.ended(), Ok(Some(KafkaError::Ended { .. }))));
    drop(kafka);

    let mut kafka = KafkaProcess::start(options.clone()).expect("start after kill -9");
    let again = fs::read_to_string(folder.path().join("kafka/log/meta.properties")).expect("formatted");
    assert_eq!(first, again, "it was formatted once");
    let log = fs::read_to_string(&options.log).expect("log");
    assert!(log.contains("Kafka Server started"), "a readable log: {log}");
    let identity = Identity::of(kafka.process().pid()).expect("runs");
    kafka.stop().expect("stops");
    assert!(!identity.is_alive() && !answers(ports.client));
}
