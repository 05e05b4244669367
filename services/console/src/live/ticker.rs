//! The tick: looks, compares, tells.

use super::news::{Heard, News};
use super::{Frame, Hub};
use crate::api::model::{AlertView, FreshnessView, KpiView};
use crate::looks::{self, Subject};
use crate::metrics::Metrics;
use crate::world::World;
use crate::{figures, views};
use anyhow::Result;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::StoreError;
use serde::Serialize;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Ticks between two looks at all entities; between them only those that spoke lately are asked for.
const ALL_ENTITIES_EVERY: u64 = 15;
/// Append times up to this far below the newest are looked at again.
const OVERLAP_MS: i64 = 30_000;
const KPI_EVERY: u64 = 3;
const FRESHNESS_EVERY: u64 = 2;
const ALERTS_AT_ONCE: u32 = 500;
/// With nobody there, entities and alerts are still followed, at leisure.
const LEISURE: Duration = Duration::from_secs(5);

/// Asks ClickHouse once a tick for everybody.
pub struct Ticker {
    world: Arc<World>,
    hub: Arc<Hub>,
    health: Health,
    metrics: Metrics,
    every: Duration,
    news: News,
    ticks: u64,
    versions: Vec<String>,
}

fn json(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}

impl Ticker {
    /// A ticker that has not looked yet.
    pub fn new(world: Arc<World>, hub: Arc<Hub>, health: Health, metrics: Metrics, every: Duration) -> Self {
        Self { world, hub, health, metrics, every, news: News::default(), ticks: 0, versions: Vec::new() }
    }

    /// Ticks until the shutdown.
    pub async fn run(mut self, shutdown: Shutdown) -> Result<()> {
        while !shutdown.is_triggered() {
            let begin = Instant::now();
            let frame = self.tick().await;
            self.metrics.tick_seconds.observe(begin.elapsed().as_secs_f64());
            self.metrics.viewers.set(i64::try_from(self.hub.viewers()).unwrap_or(i64::MAX));
            self.hub.tell(frame);
            self.ticks += 1;
            let pause = if self.hub.viewers() == 0 { LEISURE } else { self.every };
            tokio::select! {
                () = tokio::time::sleep(pause.saturating_sub(begin.elapsed())) => {}
                () = self.hub.arrived.notified() => {}
                () = shutdown.wait() => {}
            }
        }
        Ok(())
    }

    async fn tick(&mut self) -> Frame {
        let mut frame = Frame { now: now_ms(), layers: self.layers_changed(), ..Frame::default() };
        let result = self.look(&mut frame).await;
        match &result {
            Ok(()) => self.health.set_part("clickhouse", true, ""),
            Err(error) => {
                self.metrics.tick_failures.with_label_values(&[error.kind()]).inc();
                self.health.set_part("clickhouse", false, &error.to_string());
                tracing::warn!(%error, "tick: clickhouse could not be asked");
            }
        }
        frame
    }

    async fn look(&mut self, frame: &mut Frame) -> Result<(), StoreError> {
        frame.entities = self.entities().await?;
        let heard = self.alerts(frame.now).await?;
        frame.alerts_gap = heard.gap;
        let changed = !heard.fresh.is_empty() || heard.gap;
        if !heard.fresh.is_empty() {
            let alerts: Vec<AlertView> =
                heard.fresh.iter().map(|state| views::alert(&self.world, state, frame.now)).collect();
            frame.alerts = json(&serde_json::json!({ "alerts": alerts }));
        }
        if self.hub.viewers() == 0 {
            return Ok(());
        }
        for (subject, known) in self.hub.subjects() {
            if !known || self.ticks.is_multiple_of(subject.every()) {
                self.values(&subject, frame).await?;
            }
        }
        if changed || self.ticks.is_multiple_of(KPI_EVERY) {
            let kpi: KpiView = figures::kpi(&self.world, frame.now).await?;
            frame.kpi = json(&kpi);
        }
        if self.ticks.is_multiple_of(FRESHNESS_EVERY) {
            let freshness: FreshnessView = figures::freshness(&self.world, frame.now).await?;
            frame.freshness = json(&freshness);
        }
        Ok(())
    }

    async fn entities(&self) -> Result<Option<String>, StoreError> {
        let newest = self.world.book.read().unwrap_or_else(PoisonError::into_inner).newest_appended();
        let all = self.ticks.is_multiple_of(ALL_ENTITIES_EVERY);
        let since = if all { 0 } else { newest - OVERLAP_MS };
        let places = self.world.reader.entity_places(since).await?;
        let world = &self.world;
        let mut book = world.book.write().unwrap_or_else(PoisonError::into_inner);
        let moves = book.take(places, |source| world.registered_position(source));
        Ok(if moves.is_empty() { None } else { json(&moves) })
    }

    async fn alerts(&mut self, _now: i64) -> Result<Heard, StoreError> {
        let states = self.world.reader.alerts_appended_since(self.news.since(), ALERTS_AT_ONCE).await?;
        let transitions = self.world.reader.alert_transitions().await?;
        Ok(self.news.take(states, transitions))
    }

    async fn values(&self, subject: &Subject, frame: &mut Frame) -> Result<(), StoreError> {
        let atlas = self.world.atlas.load();
        let Some(sheet) = atlas.sheet(&subject.layer) else { return Ok(()) };
        let look = looks::read(&self.world.reader, sheet, subject, None, frame.now).await?;
        let Some(old) = self.hub.keep(subject, look.clone()) else { return Ok(()) };
        let key = subject.key();
        let changes = match old {
            Some(old) => old.changes_to(&look, &key),
            None => Some(look.whole(&key)),
        };
        if let Some(text) = changes.as_ref().and_then(json) {
            frame.values.insert(key, text);
        }
        Ok(())
    }

    fn layers_changed(&mut self) -> bool {
        let atlas = self.world.atlas.load();
        let versions: Vec<String> = atlas.sheets.iter().map(|sheet| sheet.layer.version.clone()).collect();
        let changed = self.ticks > 0 && versions != self.versions;
        self.versions = versions;
        changed
    }
}
