//! Conservation: whatever a stage reads is something afterwards.
//!
//! * `CON-1` read = accepted + duplicate + late + rejected + marker + in flight, at every stage. A difference that stays is a
//!   record that was lost on the way, or taken twice: the stage says so, in its figures, its readiness and its table.
//!
//! Counters of a running stage are read one after the other while it goes on, so a look takes several samples; one in which
//! the sum holds is enough.

use crate::{clock::now_ms, health::Health, shutdown::Shutdown};
use prometheus::{IntCounterVec, IntGauge, Registry, core::Collector};
use std::time::Duration;

/// Samples of one look, and how far they lie apart.
const SAMPLES: u32 = 40;
const APART: Duration = Duration::from_millis(13);
/// How often a stage is looked at.
const EVERY: Duration = Duration::from_secs(10);

/// A counter's sum over all of its labels.
pub fn total(counter: &IntCounterVec) -> u64 {
    let families = counter.collect();
    families.iter().flat_map(|family| family.get_metric()).map(|metric| metric.get_counter().get_value() as u64).sum()
}

/// What became of the records a stage has read since it started.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Read.
    pub read: u64,
    /// Taken.
    pub accepted: u64,
    /// Known already.
    pub duplicate: u64,
    /// Too old.
    pub late: u64,
    /// Not taken, with a reason.
    pub rejected: u64,
    /// Without content.
    pub marker: u64,
    /// Read and none of these yet.
    pub in_flight: u64,
}

impl Counts {
    /// Records that are nothing; below 0: that are two things.
    pub fn unaccounted(&self) -> i64 {
        let known = [self.accepted, self.duplicate, self.late, self.rejected, self.marker, self.in_flight];
        (i128::from(self.read) - known.into_iter().map(i128::from).sum::<i128>()) as i64
    }

    /// As they stand in a row: read, accepted, duplicate, late, rejected, marker, in flight.
    pub fn row(&self) -> [u64; 7] {
        [self.read, self.accepted, self.duplicate, self.late, self.rejected, self.marker, self.in_flight]
    }
}

/// A name for the counts of this process.
pub fn process_name() -> String {
    format!("{}-{}", now_ms(), std::process::id())
}

/// Looks at a stage.
pub struct Conservation {
    gauge: IntGauge,
    health: Health,
}

impl Conservation {
    /// With a figure `gridwarden_<service>_unaccounted_records` in the registry.
    pub fn new(service: &str, registry: &Registry, health: &Health) -> Result<Self, prometheus::Error> {
        let gauge = IntGauge::new(
            format!("gridwarden_{service}_unaccounted_records"),
            "Records read that are nothing (above 0) or two things (below 0)",
        )?;
        registry.register(Box::new(gauge.clone()))?;
        Ok(Self { gauge, health: health.clone() })
    }

    /// The next look, ten seconds after the last; none at the shutdown.
    pub async fn next(&self, counts: &(impl Fn() -> Counts + Sync), shutdown: &Shutdown) -> Option<Counts> {
        if shutdown.sleep(EVERY).await { Some(self.look(counts).await) } else { None }
    }

    /// One look.
    pub async fn look(&self, counts: &(impl Fn() -> Counts + Sync)) -> Counts {
        let mut seen = counts();
        for _ in 1..SAMPLES {
            if seen.unaccounted() == 0 {
                break;
            }
            tokio::time::sleep(APART).await;
            seen = counts();
        }
        let unaccounted = seen.unaccounted();
        self.gauge.set(unaccounted);
        let why = format!("{unaccounted} of {} records read are not accounted for", seen.read);
        self.health.set_part("conservation", unaccounted == 0, &why);
        if unaccounted != 0 {
            tracing::error!(?seen, unaccounted, "records are not accounted for");
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn conservation(health: &Health) -> Conservation {
        health.set_ready(true, "");
        Conservation::new("x", &Registry::new(), health).expect("figures")
    }

    #[tokio::test]
    async fn a_sum_that_holds_for_a_moment_holds() {
        let health = Health::new("x");
        let looks = AtomicU64::new(0);
        // Read is counted before the rest; now and then it comes out even.
        let counts = || {
            let look = looks.fetch_add(1, Ordering::Relaxed);
            Counts { read: 10 + u64::from(look % 5 != 4), accepted: 7, rejected: 2, in_flight: 1, ..Counts::default() }
        };
        assert_eq!(conservation(&health).look(&counts).await.unaccounted(), 0);
        assert!(health.readiness().ok);
    }

    #[tokio::test]
    async fn a_record_that_is_lost_or_taken_twice_is_told() {
        for (read, words) in [(11, "1 of 11 records"), (9, "-1 of 9 records")] {
            let health = Health::new("x");
            let conservation = conservation(&health);
            conservation.look(&|| Counts { read, accepted: 7, rejected: 2, marker: 1, ..Counts::default() }).await;
            let problems = health.readiness().problems;
            assert!(problems.get("conservation").is_some_and(|why| why.starts_with(words)), "{problems:?}");
            assert_ne!(conservation.gauge.get(), 0);
            conservation.look(&|| Counts { read, accepted: read, ..Counts::default() }).await;
            assert!(health.readiness().ok && conservation.gauge.get() == 0);
        }
    }
}
