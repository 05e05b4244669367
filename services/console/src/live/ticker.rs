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
use futures::stream::{self, StreamExt};
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
/// Maps looked at side by side.
const MAPS_AT_ONCE: usize = 4;
/// How often viewers hear at least that the console lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// With nobody there, entities and alerts are still followed, at leisure.
const LEISURE: Duration = Duration::from_secs(5);
/// How long one part of a look may take before ClickHouse counts as away.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a sign of life may take while it is known to be away.
const LITTLE_PATIENCE: Duration = Duration::from_secs(2);

/// A subject's key and what is told of it.
type Told = (String, String);

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
    /// Whether the board must begin anew: not everything was told.
    board_due: bool,
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
            board_due: true,
        }
    }

    /// Ticks until the shutdown.
    pub async fn run(mut self, shutdown: Shutdown) -> Result<()> {
        while !shutdown.is_triggered() {
            let begin = Instant::now();
            let frame = self.tick_with_signs_of_life().await;
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

    /// A look may take its time; viewers hear meanwhile that the console lives.
    async fn tick_with_signs_of_life(&mut self) -> Frame {
        let (hub, world, every) = (Arc::clone(&self.hub), Arc::clone(&self.world), self.every.max(SIGN_OF_LIFE));
        let mut tick = std::pin::pin!(self.tick());
        loop {
            tokio::select! {
                frame = &mut tick => return frame,
                () = tokio::time::sleep(every) => {
                    hub.tell(Frame { now: now_ms(), away_since: world.away_since(), ..Frame::default() });
                }
            }
        }
    }

    async fn tick(&mut self) -> Frame {
        let now = now_ms();
        let mut frame = Frame { now, ..Frame::default() };
        match self.look(&mut frame).await {
            Ok(()) => self.is_there(),
            // One slow or refused question is not the end of ClickHouse. Before the first whole look it may be a table that
            // nobody made yet.
            Err(error) if self.answered && self.answers().await => {
                self.metrics.tick_failures.with_label_values(&[error.kind()]).inc();
                tracing::warn!(%error, "tick: a part of the look failed");
                self.is_there();
            }
            Err(error) => self.is_away(&error, now),
        }
        self.world.set_away(self.away_since);
        frame.away_since = self.away_since;
        // Asked last, told first: nobody hears values of a version before that version.
        frame.layers = self.layers_changed();
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
        if self.away_since.is_some() && !self.answers().await {
            return Err(StoreError::TimedOut);
        }
        let mut first_fault = None;
        let entities = in_time(PATIENCE, self.entities(frame)).await;
        self.note(entities, &mut first_fault).await?;
        let alerts = in_time(PATIENCE, self.alerts(frame)).await;
        self.note(alerts, &mut first_fault).await?;
        // Who comes first after a while finds figures of then; they are not left to wait.
        let first = !std::mem::replace(&mut self.was_watched, self.hub.viewers() > 0);
        if self.was_watched {
            let figures = in_time(PATIENCE, self.figures(frame, first)).await;
            self.note(figures, &mut first_fault).await?;
            for told in self.maps(first, frame.now).await {
                self.note(told.map(|values| frame.values.extend(values)), &mut first_fault).await?;
            }
        }
        first_fault.map_or(Ok(()), Err)
    }

    /// Notes how a part went; when nobody is there, the others need not be asked.
    async fn note(&self, part: Result<(), StoreError>, first: &mut Option<StoreError>) -> Result<(), StoreError> {
        let Err(error) = part else { return Ok(()) };
        let is_gone = match error {
            StoreError::Network(_) => true,
            StoreError::TimedOut => !self.answers().await,
            _ => false,
        };
        if is_gone {
            return Err(error);
        }
        first.get_or_insert(error);
        Ok(())
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
        self.board_due |= gap;
        if !fresh.is_empty() {
            let alerts: Vec<AlertView> =
                fresh.iter().map(|state| views::alert(&self.world, state, frame.now)).collect();
            frame.alerts = json(&AlertsNews { alerts });
        }
        self.board(fresh).await
    }

    /// Keeps the board at what is known; begins it anew when not everything was told.
    async fn board(&mut self, fresh: Vec<AlertState>) -> Result<(), StoreError> {
        let board = || self.world.board.write().unwrap_or_else(PoisonError::into_inner);
        if !self.board_due {
            board().take(fresh);
            return Ok(());
        }
        let of = |open| AlertFilter { open: Some(open), ..AlertFilter::default() };
        let (mut states, _) = self.world.reader.alerts(&of(true), MOST_OPEN).await?;
        states.extend(self.world.reader.alerts(&of(false), MOST_CLEARED).await?.0);
        board().begin(states);
        self.board_due = false;
        Ok(())
    }

    /// Looks at what is watched, a few at a time; a new subject is not made to wait, the others as often as they change.
    async fn maps(&self, all: bool, now: i64) -> Vec<Result<Option<Told>, StoreError>> {
        let watched = self.hub.subjects().into_iter();
        let due = watched.filter(|(subject, known)| all || !known || self.ticks.is_multiple_of(subject.every()));
        let looks = due.map(|(subject, _)| async move { in_time(PATIENCE, self.values(&subject, now)).await });
        stream::iter(looks).buffer_unordered(MAPS_AT_ONCE).collect().await
    }

    async fn values(&self, subject: &Subject, now: i64) -> Result<Option<Told>, StoreError> {
        let sheet = self.world.atlas.load().sheet(&subject.layer).cloned();
        let Some(sheet) = sheet else { return Ok(None) };
        let look = looks::read(&self.world.reader, &sheet, subject, None, now).await?;
        let Some(old) = self.hub.keep(subject, look.clone()) else { return Ok(None) };
        let key = subject.key();
        let changes = match old {
            Some(old) => old.changes_to(&look, &key),
            None => Some(look.whole(&key)),
        };
        Ok(changes.as_ref().and_then(json).map(|text| (key, text)))
    }

    /// Whether ClickHouse shows any sign of life.
    async fn answers(&self) -> bool {
        in_time(LITTLE_PATIENCE, self.world.reader.ping()).await.is_ok()
    }

    async fn figures(&self, frame: &mut Frame, all: bool) -> Result<(), StoreError> {
        let alerts_changed = frame.alerts.is_some() || frame.alerts_gap;
        if all || alerts_changed || self.ticks.is_multiple_of(KPI_EVERY) {
            frame.kpi = json(&figures::kpi(&self.world, frame.now).await?);
        }
        if all || self.ticks.is_multiple_of(FRESHNESS_EVERY) {
            frame.freshness = json(&figures::freshness(&self.world, frame.now).await?);
        }
        if all || self.ticks.is_multiple_of(KPI_EVERY) {
            frame.storms = json(&figures::storms(&self.world).await?);
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

/// What is not done in time counts as not answered.
async fn in_time<T>(limit: Duration, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(StoreError::TimedOut))
}
