//! Waiting for a condition with a deadline.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(50);

/// Looks until `condition` gives a value; panics with `what` when `limit` has passed.
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        std::thread::sleep(PACE);
    }
}

/// As [`until`], for conditions that must be asked for over the network; the last answer is shown when time is up.
pub async fn until_async<T, F>(what: &str, limit: Duration, mut condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let start = Instant::now();
    loop {
        match condition().await {
            Ok(value) => return value,
            Err(last) => assert!(start.elapsed() < limit, "waited {limit:?} in vain for: {what}; last seen: {last}"),
        }
        tokio::time::sleep(PACE).await;
    }
}
