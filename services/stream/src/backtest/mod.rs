//! `backtest`: what rules would have said of the past, and what that is against others.
//!
//! ```text
//!  control topics ─▶ layers, registry as they were ─┐
//!  rules asked for, rules in force ─▶ one set (sets)─┤
//!  archive, partition by partition ──────────────────┴▶ intake: the very operators ─▶ alerts ─▶ episodes, told apart (tally)
//! ```
//! Nothing is written, and no stream is disturbed: it reads what the archive holds and Kafka's control topics.
//!
//! * `BKT-1` what it says is a function of the archive, the control topics and the rules: the same order, clocks, repeats and places as
//!   when the records were read live, so the same alerts ([`crate::rebuild`] rests on the same).
//! * `BKT-2` both sets see the same records in one pass. A rule that is the same in both runs once.

mod sets;
mod tally;

pub use sets::{Against, Candidates};
pub use tally::{Change, Count, Episode, OfArea, OfRule, Outcome, Totals, What};

use crate::{
    config::Config,
    intake::{Intake, Outbox, Record},
    metrics::Metrics,
    prepare::{find_topics, parts_of, world},
    rebuild::{Lane, Slice, next_slices},
    shared::{IdLimits, Lore, Progress, Shared},
};
use anyhow::{Context, Result, bail};
use gridwarden_bus::control::ControlReader;
use gridwarden_runtime::{city::City, clock::now_ms};
use gridwarden_store::read::{Reader, Shelf, Wanted};
use sets::Sets;
use std::sync::Arc;
use std::time::Duration;
use tally::Tally;

/// Records asked for at once.
const SLICE_RECORDS: u64 = 2_000_000;
/// How long the control topics may take.
const CONTROL_LIMIT: Duration = Duration::from_secs(60);
/// Changed entities after which the list of them is emptied: nobody writes them.
const ENTITIES: usize = 100_000;

/// What to look at.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Rules to try.
    pub candidates: Candidates,
    /// What they are compared with.
    pub against: Against,
    /// Append time of the first record whose alerts count, epoch ms.
    pub from_ms: i64,
    /// One past the append time of the last.
    pub to_ms: i64,
    /// So much before is read as well, for what entities did before: milliseconds.
    pub warm_up_ms: i64,
}

/// Tries rules on what is archived. `tell` is told now and then how many records were read.
///
/// # Errors
/// Kafka or ClickHouse out of reach, control topics that cannot be read, a city that cannot.
pub async fn backtest(config: Config, asked: Asked, tell: impl Fn(u64)) -> Result<Outcome> {
    if asked.from_ms >= asked.to_ms {
        bail!("the span ends before it begins");
    }
    let (mut desk, control, reader) = open(&config, &asked).await?;
    let mut lanes = desk.lanes(&reader, &asked).await?;
    loop {
        let slices = next_slices(&mut lanes, SLICE_RECORDS);
        if slices.is_empty() {
            break;
        }
        for slice in slices {
            desk.read(&reader, &slice, &asked).await?;
            tell(desk.tally.records());
        }
    }
    drop(control);
    Ok(desk.tally.outcome(asked.from_ms, asked.to_ms))
}

/// A worker without a dataflow.
struct Desk {
    shared: Shared,
    intake: Intake,
    out: Outbox,
    tally: Tally,
}

async fn open(config: &Config, asked: &Asked) -> Result<(Desk, ControlReader, Reader)> {
    let folder = config.city.folder.clone();
    let city = tokio::task::spawn_blocking(move || City::load(&folder)).await?.context("the city cannot be read")?;
    let (kafka, mappings) = (config.kafka.clone(), city.mappings.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let (topics, metas) = find_topics(&kafka, &mappings)?;
        let control = ControlReader::start(&kafka)?;
        if !control.wait_covered(now_ms(), CONTROL_LIMIT)? {
            bail!("the control topics are not read to their ends within a minute");
        }
        control.build_rasters_ahead();
        Ok((topics, metas, control))
    });
    let (topics, metas, control) = opened.await??;
    let timeline = control.timeline();
    let sets = Sets::new(&asked.candidates, (asked.against, timeline.rules_at(i64::MAX)))?;
    let parts = parts_of(&metas)?;
    let numbers: Vec<u16> = (0..parts.len() as u16).collect();
    let ids = IdLimits { of_source: config.stream.ids_per_source, reports: config.stream.report_ids_per_partition };
    let partitions = metas.iter().map(|meta| usize::try_from(meta.partitions).unwrap_or(0)).collect();
    let shared = Shared {
        world: world(&city.file, (topics, parts), partitions, ids),
        lore: Lore::restored(&Default::default(), config.stream.fences_mib, None),
        metrics: Metrics::new(&gridwarden_runtime::telemetry::registry("backtest")).context("metrics")?,
        progress: vec![Progress::in_the_past()],
        others: crate::cluster::Others::none(),
    };
    let mut intake = Intake::new(&shared, &numbers, config.stream.most_entities);
    intake.set_timeline(Arc::new(timeline.under(sets.union())));
    let tally = Tally::new(sets, asked.from_ms);
    Ok((Desk { shared, intake, out: Outbox::default(), tally }, control, Reader::new(&config.clickhouse)))
}

impl Desk {
    /// What is archived of the span, partition by partition.
    async fn lanes(&self, reader: &Reader, asked: &Asked) -> Result<Vec<Lane>> {
        let since_ms = asked.from_ms.saturating_sub(asked.warm_up_ms).max(0);
        let world = &self.shared.world;
        let mut lanes = Vec::new();
        for (number, topic) in (0u16..).zip(&world.topics) {
            let parts: Vec<(u16, i32)> = (0u16..)
                .zip(&world.parts)
                .filter_map(|(part, of)| (of.topic == number).then_some((part, of.partition)))
                .collect();
            let wanted = vec![Wanted { first: 0, end: i64::MAX, since_ms }; parts.len()];
            let shelves = reader.archived_shelves(topic.id, &wanted).await.context("the archive cannot be read")?;
            for ((part, partition), Shelf { stretches, .. }) in parts.into_iter().zip(shelves) {
                let stretches = stretches.into_iter().filter(|stretch| stretch.oldest_ms < asked.to_ms).collect();
                lanes.push(Lane { part, topic: number, topic_id: topic.id, partition, to: 0, newest_ms: 0, stretches });
            }
        }
        Ok(lanes)
    }

    async fn read(&mut self, reader: &Reader, slice: &Slice, asked: &Asked) -> Result<()> {
        let since_ms = asked.from_ms.saturating_sub(asked.warm_up_ms);
        let mut cursor = reader.archived_log(&slice.of).context("the archive cannot be read")?;
        while let Some(chunk) = cursor.next().await.context("the archive cannot be read")? {
            let world = &self.shared.world;
            let name = world.topics.get(usize::from(slice.topic)).map_or("", |topic| topic.name.as_str());
            let records = chunk
                .records(0)
                .filter(|record| (since_ms..asked.to_ms).contains(&record.appended_ms))
                .filter_map(|record| Some(Record::archived(world.part(name, record.partition)?, &record)));
            let taken = self.intake.take_known(&self.shared, records, i64::MAX, std::iter::empty(), &mut self.out);
            self.tally.read(taken as u64);
            self.hand_over();
        }
        Ok(())
    }

    /// Alerts are what is wanted; what windows and tables would get is thrown away.
    fn hand_over(&mut self) {
        self.out.alerts.drain(..).for_each(|alert| self.tally.take(&alert));
        self.out.deltas.clear();
        self.intake.drain_partials(drop);
        let mut rows = Vec::new();
        while self.intake.has_dirty_entities() {
            self.intake.drain_entities(ENTITIES, 0, &mut rows);
            rows.clear();
        }
    }
}
