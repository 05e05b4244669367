//! Keeps the process near its memory limit. The engine counts what its queries hold; what they have freed it keeps for a while
//! without counting, up to another limit's worth and more. It is started so that it keeps that for 0.1 s instead of 5 s, and
//! past the limit it is given back to the system at once: looking alone comes too late for memory that grows by a gigabyte a
//! second.

use super::connection::Pool;
use std::{
    ffi::OsString,
    fs,
    sync::{Arc, Weak},
    time::Duration,
};

/// How often is looked: memory grows by a gigabyte a second at most.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Pause after giving back, which takes some 0.1 s of a core; memory that is in use stays.
const PAUSE: Duration = Duration::from_millis(250);

/// What the engine's process is started with, so that its allocator (jemalloc, read when the library is loaded) gives back soon
/// what was freed.
pub fn environment() -> [(OsString, OsString); 1] {
    [("JE_MALLOC_CONF".into(), "dirty_decay_ms:100,muzzy_decay_ms:0,background_thread:true".into())]
}

/// Looks until the pool is gone.
pub(super) async fn keep_near(limit: u64, pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if own(&fs::read_to_string("/proc/self/status").unwrap_or_default()) <= limit {
            continue;
        }
        let Some(pool) = pool.upgrade() else { return };
        give_back(pool).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn give_back(pool: Arc<Pool>) {
    match tokio::task::spawn_blocking(move || pool.give_back_memory()).await {
        Ok(Ok(())) => tracing::debug!("freed memory was given back"),
        Ok(Err(error)) => tracing::warn!(error = error.text, "freed memory is not given back"),
        Err(error) => tracing::warn!(%error, "freed memory is not given back"),
    }
}

/// Bytes of memory that belong to the process alone, by `/proc/self/status`: without the library's own pages.
fn own(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_read() {
        assert_eq!(own("VmRSS:\t 10 kB\nRssAnon:\t       7 kB\nRssFile:\t 3 kB\n"), 7 * 1024);
        assert_eq!(own(""), 0);
        assert!(own(&fs::read_to_string("/proc/self/status").unwrap()) > 100_000);
    }
}
