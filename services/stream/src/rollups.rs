//! Every so often: minutes summed to hours and days in ClickHouse.

use crate::shared::Shared;
use anyhow::{Context, Result};
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::Rollup;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Sums until the shutdown. A ClickHouse that is away is asked again the next time: nothing is forgotten, what was written since
/// stands there.
pub(crate) async fn run(
    rollup: Rollup,
    every: Duration,
    (shared, mut tables): (Arc<Shared>, watch::Receiver<bool>),
    shutdown: Shutdown,
) -> Result<()> {
    while shutdown.sleep(every).await {
        if !*tables.borrow_and_update() {
            continue;
        }
        let passed = shared.watermark().map_or(0, |watermark| u32::try_from(watermark / 1000).unwrap_or(0));
        let summed = tokio::select! {
            summed = rollup.run(passed) => summed,
            () = shutdown.wait() => return Ok(()),
        };
        match summed {
            Ok((hours, days)) => {
                shared.metrics.rollups.inc_by((hours + days) as u64);
                tracing::debug!(hours, days, "summed");
            }
            Err(error) if error.retry().can_help() => tracing::warn!(%error, "hours and days cannot be summed now"),
            Err(error) => return Err(error).context("hours and days cannot be summed"),
        }
    }
    Ok(())
}
