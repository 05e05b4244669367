//! The machine's clock: the only place that asks for the time of day (`RUN-1`). Pure code takes the time as a parameter.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00Z; 0 on a machine whose clock stands before that.
#[allow(clippy::disallowed_methods, reason = "the one place that may")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_stands_after_2020() {
        assert!(super::now_ms() > 1_577_836_800_000);
    }
}
