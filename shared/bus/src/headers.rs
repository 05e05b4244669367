//! Names of the Kafka headers Gridwarden reads and writes.

/// The feed a record belongs to; missing = the live feed without a name.
pub const FEED: &str = "feed";
/// On a record without value: the feed named in it ends on this partition (written by `replay`).
pub const END: &str = "end";
/// On a record without value in `alerts.v1`: the generation, in decimal digits, of the process that writes from here on.
pub const FENCE: &str = "fence";
/// How the value is encoded; missing = JSON.
pub const CONTENT_TYPE: &str = "content-type";
/// On a message sent again after it was rejected: its first origin (`domain::origin`).
pub const ORIGIN: &str = "origin";
/// On a record that makes the service named in it panic: debug builds only, for tests.
#[cfg(debug_assertions)]
pub const FAULT: &str = "test-fault";
/// Present when the record was made up by `simulate`.
pub const SIMULATED: &str = "simulated";
