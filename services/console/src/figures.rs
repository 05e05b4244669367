//! Key figures and freshness, asked for and put into the API's words.

use crate::api::ask::EVER_MS;
use crate::api::model::{FreshnessView, KpiView, StormsView};
use crate::world::World;
use crate::{kpi, views};
use gridwarden_store::StoreError;
use std::collections::BTreeMap;

/// Storms that are told live.
const STORMS: u32 = 50;
/// Where the newest moments are looked for first, and then, epoch ms before now.
const NEAR_MS: [i64; 2] = [3_600_000, 40 * 86_400_000];
/// Severities in falling order.
pub const SEVERITIES: [&str; 4] = ["critical", "major", "minor", "warning"];

/// The key figures now.
pub async fn kpi(world: &World, now: i64) -> Result<KpiView, StoreError> {
    let bounds = kpi::bounds(now, &world.city.zone);
    let figures = world.reader.figures(bounds).await?;
    let open = world.reader.open_alerts().await?;
    let mut open_alerts: BTreeMap<String, u64> = SEVERITIES.map(|severity| (severity.to_owned(), 0)).into();
    for one in open {
        open_alerts.insert(one.severity, one.open);
    }
    Ok(KpiView {
        at: now,
        events_per_min: figures.events_minute,
        entities_seen_5m: figures.entities_seen,
        entities_known: figures.entities_known,
        open_alerts,
        reports_today: figures.reports_today,
        nowhere_5m: figures.nowhere_recent,
        rejects_today: figures.rejects_today,
    })
}

/// The newest moments of archive, stream and windows.
pub async fn freshness(world: &World, now: i64) -> Result<FreshnessView, StoreError> {
    let atlas = world.atlas.load_full();
    let root = atlas.main().map(|sheet| (sheet.id().to_owned(), sheet.level_id(0).to_owned())).unwrap_or_default();
    let mut view = FreshnessView { at: now, observations: None, entities: None, metrics: None };
    for near in NEAR_MS {
        let newest = world.reader.newest(&root.0, &root.1, now - near).await?;
        let some = |at: i64| (at > 0).then_some(at);
        view.observations = view.observations.or(some(newest.archived));
        view.entities = view.entities.or(some(newest.entities));
        // A window is as fresh as its end, and none ends in the future.
        view.metrics = view.metrics.or(some(newest.windows).map(|start| (start + 10_000).min(now)));
        if view.observations.is_some() && view.metrics.is_some() {
            break;
        }
    }
    // Files of years ago have windows of then; the list of metrics knows how old they are.
    if view.metrics.is_none() {
        let newest = world.metric_list.newest(world, now).await?;
        view.metrics = newest.values().max().map(|start| (start + 60_000).min(now));
    }
    Ok(view)
}

/// The storms that go on.
pub async fn storms(world: &World) -> Result<StormsView, StoreError> {
    let found = world.reader.storms(EVER_MS, STORMS).await?;
    Ok(StormsView { storms: found.into_iter().map(views::storm).collect() })
}
