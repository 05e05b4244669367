//! Which metrics have windows: asked for at most once in a while for all pages together, and known further while
//! ClickHouse is away.

use crate::world::World;
use gridwarden_store::StoreError;
use std::collections::BTreeMap;
use tokio::sync::Mutex;

/// How long an answer serves everybody.
const FRESH_MS: i64 = 5_000;

/// Start of the newest window per metric, epoch ms.
type Newest = BTreeMap<String, i64>;

/// The list and when it was asked for.
#[derive(Default)]
pub struct MetricList(Mutex<Option<(i64, Newest)>>);

impl MetricList {
    /// The newest window of each metric at the root of any layer. An old list when ClickHouse does not answer: each entry
    /// says itself how old it is.
    pub async fn newest(&self, world: &World, now_ms: i64) -> Result<Newest, StoreError> {
        // Whoever comes while one asks waits for that answer.
        let mut known = self.0.lock().await;
        if let Some((at, newest)) = &*known
            && now_ms - at < FRESH_MS
        {
            return Ok(newest.clone());
        }
        // Whoever asks must not wait for an answer that will not come.
        if world.away_since().is_some() {
            return known.as_ref().map(|(_, newest)| newest.clone()).ok_or(StoreError::TimedOut);
        }
        match (ask(world).await, &*known) {
            (Ok(newest), _) => {
                *known = Some((now_ms, newest.clone()));
                Ok(newest)
            }
            (Err(error), Some((_, newest))) if error.retry().can_help() => {
                tracing::warn!(%error, "the list of metrics is an older one");
                Ok(newest.clone())
            }
            (Err(error), _) => Err(error),
        }
    }
}

async fn ask(world: &World) -> Result<Newest, StoreError> {
    let atlas = world.atlas.load_full();
    let mut newest = Newest::new();
    for sheet in &atlas.sheets {
        for metric in world.reader.metrics_seen(sheet.id(), sheet.level_id(0), 60).await? {
            let at = newest.entry(metric.metric).or_default();
            *at = (*at).max(i64::from(metric.newest) * 1000);
        }
    }
    Ok(newest)
}
