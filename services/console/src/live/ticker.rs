//! The tick: looks, compares, tells. A part that fails does not keep the others from being told; ClickHouse being away is
//! told too, and what was known stays known.

use super::board::{MOST_CLEARED, MOST_OPEN};
use super::news::{Heard, News};
use super::{Frame, Hub};
use crate::api::model::{AlertView, AlertsNews};
use crate::looks::{self, Subject};
use crate::metrics::Metrics;
use crate::world::World;
use crate::{figures, views};
use anyhow::Result;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::StoreError;
use gridwarden_store::read::{AlertFilter, AlertState};
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
/// How long one look may take: a ClickHouse that hangs must not silence the stream.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same once it is known to be away.
const LITTLE_PATIENCE: Duration = Duration::from_secs(2);

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
    away_since: Option<i64>,
    /// Whether ClickHouse ever answered.
    answered: bool,
    /// Whether somebody was there at the last tick.
    was_watched: bool,
}

fn json(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}

impl Ticker {
    /// A ticker that has not looked yet.
    pub fn new(world: Arc<World>, hub: Arc<Hub>, health: Health, metrics: Metrics, every: Duration) -> Self {
        let (news, versions) = (News::default(), Vec::new());
        Self {
            world,
            hub,
            health,
            metrics,
            every,
            news,
            ticks: 0,
            versions,
            away_since: None,
            answered: false,
            was_watched: false,
        }
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
        let now = now_ms();
        let mut frame = Frame { now, layers: self.layers_changed(), ..Frame::default() };
        let patience = if self.away_since.is_some() { LITTLE_PATIENCE } else { PATIENCE };
        let looked = tokio::time::timeout(patience, self.look(&mut frame)).await;
        match looked.unwrap_or(Err(StoreError::TimedOut)) {
            Ok(()) => self.is_there(),
            Err(error) => self.is_away(&error, now),
        }
        self.world.set_away(self.away_since);
        frame.away_since = self.away_since;
        // A look may take its time; viewers set their clocks by this.
        frame.now = now_ms();
        frame
    }

    fn is_there(&mut self) {
        // Ready from the first answer on, and then for good: pages, map and what was known are served without ClickHouse too.
        self.health.set_part("clickhouse", true, "");
        self.answered = true;
        self.metrics.clickhouse_up.set(1);
        if self.away_since.take().is_some() {
            tracing::info!("clickhouse answers again");
        }
    }

    fn is_away(&mut self, error: &StoreError, now: i64) {
        self.metrics.tick_failures.with_label_values(&[error.kind()]).inc();
        self.metrics.clickhouse_up.set(0);
        if !self.answered {
            self.health.set_part("clickhouse", false, &error.to_string());
        }
        if self.away_since.is_none() {
            tracing::warn!(%error, "tick: clickhouse could not be asked");
        }
        self.away_since.get_or_insert(now);
    }

    /// Looks at every part; the first error, after all that could be looked at was.
    async fn look(&mut self, frame: &mut Frame) -> Result<(), StoreError> {
        let mut parts = Parts::default();
        parts.note(self.entities(frame).await)?;
        parts.note(self.alerts(frame).await)?;
        // Who comes first after a while finds figures of then; they are not left to wait.
        let first = !std::mem::replace(&mut self.was_watched, self.hub.viewers() > 0);
        if self.was_watched {
            for (subject, known) in self.hub.subjects() {
                // A new subject is not made to wait; the others as often as they change.
                if first || !known || self.ticks.is_multiple_of(subject.every()) {
                    parts.note(self.values(&subject, frame).await)?;
                }
            }
            parts.note(self.figures(frame, first).await)?;
        }
        parts.0.map_or(Ok(()), Err)
    }

    async fn entities(&self, frame: &mut Frame) -> Result<(), StoreError> {
        let newest = self.world.book.read().unwrap_or_else(PoisonError::into_inner).newest_appended();
        let all = self.ticks.is_multiple_of(ALL_ENTITIES_EVERY);
        let since = if all { 0 } else { newest - OVERLAP_MS };
        let places = self.world.reader.entity_places(since).await?;
        let world = &self.world;
        let mut book = world.book.write().unwrap_or_else(PoisonError::into_inner);
        let moves = book.take(places, |source| world.registered_position(source));
        frame.entities = if moves.is_empty() { None } else { json(&moves) };
        Ok(())
    }

    async fn alerts(&mut self, frame: &mut Frame) -> Result<(), StoreError> {
        let states = self.world.reader.alerts_appended_since(self.news.since(), ALERTS_AT_ONCE).await?;
        let transitions = self.world.reader.alert_transitions().await?;
        let Heard { fresh, gap } = self.news.take(states, transitions);
        frame.alerts_gap = gap;
        self.board(&fresh, gap).await?;
        if !fresh.is_empty() {
            let alerts: Vec<AlertView> =
                fresh.iter().map(|state| views::alert(&self.world, state, frame.now)).collect();
            frame.alerts = json(&AlertsNews { alerts });
        }
        Ok(())
    }

    /// Keeps the board at what is known; begins it anew when not everything was told.
    async fn board(&self, fresh: &[AlertState], gap: bool) -> Result<(), StoreError> {
        let board = || self.world.board.write().unwrap_or_else(PoisonError::into_inner);
        if !gap && board().is_begun() {
            board().take(fresh.to_vec());
            return Ok(());
        }
        let of = |open| AlertFilter { open: Some(open), ..AlertFilter::default() };
        let (mut states, _) = self.world.reader.alerts(&of(true), MOST_OPEN).await?;
        states.extend(self.world.reader.alerts(&of(false), MOST_CLEARED).await?.0);
        board().begin(states);
        Ok(())
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

    async fn figures(&self, frame: &mut Frame, all: bool) -> Result<(), StoreError> {
        let alerts_changed = frame.alerts.is_some() || frame.alerts_gap;
        if all || alerts_changed || self.ticks.is_multiple_of(KPI_EVERY) {
            frame.kpi = json(&figures::kpi(&self.world, frame.now).await?);
        }
        if all || self.ticks.is_multiple_of(FRESHNESS_EVERY) {
            frame.freshness = json(&figures::freshness(&self.world, frame.now).await?);
        }
        Ok(())
    }

    fn layers_changed(&mut self) -> bool {
        let atlas = self.world.atlas.load();
        let now = now_ms();
        let versions: Vec<String> = atlas.sheets.iter().map(|sheet| sheet.version_at(now)).collect();
        let changed = self.ticks > 0 && versions != self.versions;
        self.versions = versions;
        changed
    }
}

/// The first error of a look.
#[derive(Default)]
struct Parts(Option<StoreError>);

impl Parts {
    /// Notes how a part went; when nobody answered at all, the others need not be asked.
    fn note(&mut self, result: Result<(), StoreError>) -> Result<(), StoreError> {
        match result {
            Ok(()) => Ok(()),
            Err(error @ (StoreError::Network(_) | StoreError::TimedOut)) => Err(error),
            Err(error) => {
                self.0.get_or_insert(error);
                Ok(())
            }
        }
    }
}
