//! One broker and one engine for all tests of a run, and ones of its own for a test that kills them.
//!
//! Each test takes its own topic prefix and database ([`Parts::named`]), so that tests do not see each other. The data stand
//! beside the test binary and are removed by the next run.

use gridwarden_bus::KafkaConfig;
use gridwarden_embedded::clickhouse::{ClickHouseOptions, ClickHouseProcess, EngineOptions, library};
use gridwarden_embedded::kafka::{KafkaOptions, KafkaPorts, KafkaProcess};
use gridwarden_embedded::port;
use gridwarden_store::ClickHouseConfig;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Where a test finds Kafka and ClickHouse.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Kafka with a topic prefix of the test's own.
    pub kafka: KafkaConfig,
    /// ClickHouse with a database of the test's own.
    pub clickhouse: ClickHouseConfig,
}

impl Parts {
    /// The run's broker and engine, for a test of this name (letters, digits and `_`).
    pub fn named(test: &str) -> Self {
        Self { kafka: kafka(test), clickhouse: clickhouse(test) }
    }
}

/// The run's broker, with topics of a test of this name.
pub fn kafka(test: &str) -> KafkaConfig {
    static BROKER: Mutex<Option<KafkaProcess>> = Mutex::new(None);
    let mut broker = BROKER.lock().unwrap_or_else(PoisonError::into_inner);
    let broker = broker.get_or_insert_with(|| KafkaProcess::start(kafka_options("kafka")).expect("Kafka starts"));
    KafkaConfig { topic_prefix: format!("{test}."), ..KafkaConfig::plain(&broker.bootstrap()) }
}

/// The run's engine, with the database of a test of this name.
pub fn clickhouse(test: &str) -> ClickHouseConfig {
    static ENGINE: Mutex<Option<ClickHouseProcess>> = Mutex::new(None);
    let mut engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    let engine = engine
        .get_or_insert_with(|| ClickHouseProcess::start(&clickhouse_options("clickhouse")).expect("ClickHouse starts"));
    config_of(&engine.url(), test)
}

/// The configuration for an engine at `url`.
pub fn config_of(url: &str, database: &str) -> ClickHouseConfig {
    ClickHouseConfig {
        url: url.to_owned(),
        database: database.to_owned(),
        user: String::new(),
        password: String::new(),
    }
}

/// For a broker of a test's own, in a folder of this name.
pub fn kafka_options(name: &str) -> KafkaOptions {
    let folder = folder(name);
    KafkaOptions::under(&folder, &cache(), KafkaPorts::free().expect("ports"))
}

/// For an engine of a test's own, in a folder of this name, on a port it keeps.
pub fn clickhouse_options(name: &str) -> ClickHouseOptions {
    let folder = folder(name);
    let library = library::locate(&cache()).unwrap_or_else(|missing| panic!("{missing}"));
    let listen = free_address();
    ClickHouseOptions {
        engine: EngineOptions::new(folder.join("data"), library, listen),
        program: vec![crate::binary::path("clickhouse-engine").into()],
        log: folder.join("clickhouse.log"),
        pid_file: None,
    }
}

/// An address nobody listens at now.
pub fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port::free().expect("a port")).into()
}

/// A folder for a test's files.
pub fn folder(name: &str) -> PathBuf {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        let beside = crate::binary::folder().join("parts");
        remove_old(&beside);
        beside.join(std::process::id().to_string())
    });
    let folder = root.join(name);
    std::fs::create_dir_all(&folder).expect("folder");
    folder
}

/// Removes what runs left behind that have ended.
fn remove_old(beside: &Path) {
    for entry in std::fs::read_dir(beside).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

fn cache() -> PathBuf {
    std::env::var_os("GRIDWARDEN_CACHE").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/gridwarden"),
        PathBuf::from,
    )
}
