//! How long it takes until a topic's retention deletes what somebody still has to read. Pure.

use std::time::Duration;

/// How long before a loss it is told, in seconds.
pub const ALARM_BEFORE_S: i64 = 24 * 3600;
/// How often it is told again, as long as it comes nearer.
pub const ALARM_EVERY: Duration = Duration::from_secs(60);
/// A time nobody waits for: some 300 years.
const NEVER_S: i64 = 9_999_999_999;

/// Seconds until the shortest retention (ms, −1 for ever) reaches the oldest record that waits (append time, epoch ms).
pub fn left_s(retentions_ms: impl Iterator<Item = i64>, oldest_ms: Option<i64>, now_ms: i64) -> i64 {
    let shortest = retentions_ms.filter(|retention| *retention >= 0).min();
    let age_ms = oldest_ms.map_or(0, |oldest| now_ms.saturating_sub(oldest).max(0));
    shortest.map_or(NEVER_S, |retention| (retention - age_ms).max(0) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_counts_against_the_shortest_retention() {
        let left = |retentions: &[i64], oldest| left_s(retentions.iter().copied(), oldest, 1_000_000);
        assert_eq!(left(&[-1, 600_000, 500_000], None), 500);
        assert_eq!(left(&[-1, 600_000, 500_000], Some(900_000)), 400);
        assert_eq!(left(&[500_000], Some(1)), 0);
        assert_eq!(left(&[-1], Some(1)), NEVER_S);
        assert_eq!(left(&[500_000], Some(2_000_000)), 500, "a broker's clock ahead of ours");
    }
}
