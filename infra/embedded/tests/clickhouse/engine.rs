//! Engines for tests.

use gridwarden_embedded::clickhouse::{ClickHouseError, ClickHouseOptions, ClickHouseProcess, EngineOptions, library};
use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    sync::atomic::{AtomicU32, Ordering},
};

/// The library, or `None` where it is not installed.
pub(crate) fn library() -> Option<PathBuf> {
    let cache = std::env::var_os("GRIDWARDEN_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/gridwarden")))?;
    match library::locate(&cache) {
        Ok(path) => Some(path),
        Err(missing) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
            eprintln!("SKIPPED: {missing}");
            None
        }
    }
}

pub(crate) fn options(folder: &Path, library: PathBuf) -> ClickHouseOptions {
    std::fs::create_dir_all(folder).unwrap();
    ClickHouseOptions {
        engine: EngineOptions::new(folder.join("data"), library, "127.0.0.1:0".parse().unwrap()),
        program: vec![env!("CARGO_BIN_EXE_clickhouse-engine").into()],
        log: folder.join("engine.log"),
        pid_file: None,
    }
}

/// An engine of one's own in `folder`.
pub(crate) fn start(folder: &Path, library: PathBuf) -> Result<ClickHouseProcess, ClickHouseError> {
    ClickHouseProcess::start(&options(folder, library))
}

/// Base URL of the engine all tests share. It dies with the test's process; its folder is made anew each time.
pub(crate) fn shared() -> Option<&'static str> {
    static SHARED: OnceLock<Option<(ClickHouseProcess, String)>> = OnceLock::new();
    let engine = SHARED.get_or_init(|| {
        let library = library()?;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clickhouse-shared");
        drop(std::fs::remove_dir_all(&folder));
        let engine = start(&folder, library).expect("the engine starts");
        let url = engine.url();
        Some((engine, url))
    });
    engine.as_ref().map(|(_, url)| url.as_str())
}

/// A database name nobody else has.
pub(crate) fn database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
