//! The wall clock, for one use: saying when an end of the control topics was asked for.

use std::time::{SystemTime, UNIX_EPOCH};

/// Epoch milliseconds now.
#[allow(
    clippy::disallowed_methods,
    reason = "the edge of this crate; bus may not depend on runtime, where the clock of services lives"
)]
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
