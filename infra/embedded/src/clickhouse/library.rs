//! Where `libchdb.so` is. Fetched by `infra/embedded/fetch-clickhouse.sh`, never by the program itself.

use std::path::{Path, PathBuf};

/// The pinned version; the same as in `fetch-clickhouse.sh` (tested).
pub const VERSION: &str = "26.7.3-stable.1";

/// The library is not where it should be.
#[derive(thiserror::Error, Debug, PartialEq, Eq)]
#[error("embedded ClickHouse is missing: {} is not there; `make build` fetches it", path.display())]
pub struct Missing {
    /// Where it was looked for.
    pub path: PathBuf,
}

/// The library inside the cache folder (`$GRIDWARDEN_CACHE`).
pub fn locate(cache: &Path) -> Result<PathBuf, Missing> {
    let path = cache.join("clickhouse").join(VERSION).join("libchdb.so");
    if path.is_file() { Ok(path) } else { Err(Missing { path }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_fetches_this_version() {
        let script = include_str!("../../fetch-clickhouse.sh");
        assert!(script.contains(&format!("\nversion={VERSION}\n")));
    }

    #[test]
    fn a_missing_library_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let missing = locate(folder.path()).expect_err("nothing is there");
        assert!(missing.to_string().contains("libchdb.so is not there"), "{missing}");
    }
}
