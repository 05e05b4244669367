//! Rows on their way to ClickHouse, off the workers' threads: numbers become names, rows become blocks.

mod channel;

use channel::Gathered;
pub(crate) use channel::{Chunk, Sink, Then};

use crate::{
    intake::EntityRow,
    intern::with_above,
    shared::Shared,
    table_order::TableOrder,
    windows::{Row, sketch::push_sketch},
};
use anyhow::{Context, Result};
use gridwarden_domain::value::Fixed;
use gridwarden_runtime::{conservation::process_name, seeded::seeded, shutdown::Shutdown};
use gridwarden_store::{
    Block, BlockWriter, ClickHouseConfig, migrate,
    rows::{
        AreaMetricRow, AreaMetrics, AreaSketches, EntityLatest, EntityLatestRow, Table, entity_version, metric_version,
    },
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, error::TryRecvError};
use tokio::sync::watch;
use tokio::time::Instant;

/// Entities handed over at once.
pub(crate) const ENTITIES: usize = 2_500;
/// A block goes out with this many rows, with the last rows there are for now, or this long after its first. While ClickHouse is
/// away a block waits beside its rows, one of windows for each worker: what makes it larger is memory that waits.
const BLOCK_ROWS: usize = 32_000;
/// The same of entities, whose rows are twice as wide.
const BLOCK_ENTITIES: usize = 16_000;
/// What the last chunk may bring beyond that, about.
const BEYOND: usize = 6_000;
const BLOCK_AGE: Duration = Duration::from_millis(500);
/// Days of windows in one block: a block touches one part per day, and ClickHouse has a limit on those.
const BLOCK_DAYS: usize = 60;

/// Window rows: those of the first lane have a channel of their own, in which they overtake all others.
///
/// Closed rows stand in the other one. A row that is written again after them has more events, and so a higher version (`WIN-3`):
/// it may overtake them. One that was open before has the same, and must not be overtaken (`SNK-1`).
#[derive(Clone)]
pub(crate) struct RowSink {
    pub(crate) first: Sink<Row>,
    pub(crate) others: Sink<Row>,
}

/// What comes out of a [`RowSink`].
pub(crate) struct RowsOut {
    pub(crate) first: Receiver<Chunk<Row>>,
    pub(crate) others: Receiver<Chunk<Row>>,
}

/// Whether rows wait for what was handed over before them in another channel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    InOrder,
    Overtaking,
}

impl RowSink {
    /// A sink and what comes out of it.
    pub(crate) fn new() -> (Self, RowsOut) {
        let (others, others_out) = Sink::new();
        let (first, first_out) = others.beside();
        (Self { first, others }, RowsOut { first: first_out, others: others_out })
    }

    /// The last chunk known to be in ClickHouse with all before it, whichever way they took; 0: none.
    pub(crate) fn taken(&self) -> u32 {
        self.others.taken()
    }
}

/// Entities.
pub(crate) type EntitySink = Sink<EntityRow>;

/// How numbers become names, and in which order.
struct Sight {
    metrics: Vec<Option<Arc<str>>>,
    order: TableOrder,
}

/// Takes chunks of one channel and inserts them.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: BlockWriter,
    pub(crate) shutdown: Shutdown,
    /// True once the tables are there.
    pub(crate) tables: watch::Receiver<bool>,
    /// Tells blocks of this process and this writer from all others.
    pub(crate) name: String,
    /// Whether this process numbers areas itself.
    pub(crate) leads: bool,
}

impl Writer {
    /// Writes windows until the shutdown.
    pub(crate) async fn windows(self, mut chunks: Receiver<Chunk<Row>>, turn: Turn) -> Result<()> {
        self.wait_for_tables().await;
        let mut block = match turn {
            Turn::Overtaking => Block::new(),
            Turn::InOrder => Block::with_capacity(BLOCK_ROWS + BEYOND),
        };
        let mut sketches = Block::new();
        let mut sight = Sight { metrics: Vec::new(), order: TableOrder::default() };
        let mut number = 0u64;
        while let Some((rows, gathered)) = gather(&self.shutdown, &mut chunks, BLOCK_ROWS).await {
            for part in by_days(rows) {
                number += 1;
                self.fill_windows((&mut block, &mut sketches), &part, &mut sight);
                // The block may wait for long.
                drop(part);
                if turn == Turn::InOrder {
                    tokio::select! {
                        () = gathered.come_next() => {}
                        () = self.shutdown.wait() => return Ok(()),
                    }
                }
                // First the sketches: hours are summed again when windows were written.
                if !self.insert(&sketches, number).await? || !self.insert(&block, number).await? {
                    return Ok(());
                }
            }
            gathered.are_taken();
        }
        Ok(())
    }

    /// Writes entities until the shutdown.
    pub(crate) async fn entities(self, mut chunks: Receiver<Chunk<EntityRow>>) -> Result<()> {
        self.wait_for_tables().await;
        let mut block = Block::new();
        let mut number = 0u64;
        while let Some((rows, gathered)) = gather(&self.shutdown, &mut chunks, BLOCK_ENTITIES).await {
            number += 1;
            self.fill_entities(&mut block, &rows);
            drop(rows);
            if !self.insert(&block, number).await? {
                return Ok(());
            }
            gathered.are_taken();
        }
        Ok(())
    }

    async fn wait_for_tables(&self) {
        let mut tables = self.tables.clone();
        tokio::select! {
            // The sender is gone only when the process ends.
            there = tables.wait_for(|there| *there) => drop(there),
            () = self.shutdown.wait() => {}
        }
    }

    /// False when the end came first.
    async fn insert<T: Table>(&self, block: &Block<T>, number: u64) -> Result<bool> {
        let token = format!("stream/{}/{number}", self.name);
        tokio::select! {
            done = self.writer.insert(block, &token) => {
                done.with_context(|| format!("ClickHouse refuses rows of {}", self.name))?;
                Ok(true)
            }
            // What is under way is written again after the restart.
            () = self.shutdown.wait() => Ok(false),
        }
    }

    fn fill_windows(
        &self,
        (block, sketches): (&mut Block<AreaMetrics>, &mut Block<AreaSketches>),
        chunks: &[Vec<Row>],
        Sight { metrics, order }: &mut Sight,
    ) {
        block.clear();
        sketches.clear();
        let written = self.shared.metrics.window_rows.get();
        if let Some(most) = chunks.iter().flatten().map(|row| row.area).max().filter(|_| !self.leads) {
            self.shared.lore.views.names.learn_up_to(most);
        }
        self.shared.lore.views.names.with(|areas| {
            for row in order.sorted(chunks, areas, |metric| self.metric(metrics, metric)) {
                let Some(area) = areas.get(row.area as usize) else { continue };
                let Some(metric) = self.metric(metrics, row.metric) else { continue };
                let Ok(start_s) = u32::try_from(row.start_ms / 1000) else { continue };
                let version = if seeded("version-by-emissions") { written } else { row.aggregate.count };
                let written = area_metric(
                    (&*area.layer, &*area.level, &*area.code, &*metric),
                    start_s,
                    (row, metric_version(0, version)),
                );
                block.push(&written);
                if let Some(sketch) = &row.sketch {
                    push_sketch(sketches, &written, sketch, 0);
                }
            }
        });
    }

    /// A metric's name, asked for once.
    fn metric(&self, known: &mut Vec<Option<Arc<str>>>, metric: u32) -> Option<Arc<str>> {
        let place = metric as usize;
        if known.len() <= place {
            known.resize(place + 1, None);
        }
        let name = known.get_mut(place)?;
        if name.is_none() {
            *name = self.shared.lore.names.name(metric);
        }
        name.clone()
    }

    fn fill_entities(&self, block: &mut Block<EntityLatest>, chunks: &[Vec<EntityRow>]) {
        block.clear();
        let names = &self.shared.lore.names;
        self.shared.lore.views.names.with(|areas| {
            for row in chunks.iter().flatten() {
                let places: Vec<(&str, &str)> =
                    with_above(areas, &row.areas).into_iter().map(|area| (&*area.layer, &*area.code)).collect();
                let values: Vec<(Arc<str>, Fixed)> =
                    row.values.iter().filter_map(|(metric, value)| Some((names.parts(*metric)?.1?, *value))).collect();
                let values: Vec<(&str, Fixed)> = values.iter().map(|(name, value)| (&**name, *value)).collect();
                block.push(&EntityLatestRow {
                    source: row.source.as_str(),
                    kind: &names.kind_name(row.kind),
                    version: entity_version(row.time, row.at.offset()),
                    time_ms: row.time,
                    appended_ms: row.appended,
                    feed: self.shared.world.feeds.name(row.feed),
                    position: row.position,
                    areas: &places,
                    values: &values,
                });
            }
        });
    }
}

/// Waits for a chunk and takes what comes with it, until there are so many rows; none at the end.
async fn gather<T>(
    shutdown: &Shutdown,
    chunks: &mut Receiver<Chunk<T>>,
    enough: usize,
) -> Option<(Vec<Vec<T>>, Gathered)> {
    let (mut rows, mut gathered, mut count) = (Vec::new(), Gathered::default(), 0);
    let mut add = |chunk: Chunk<T>| {
        let chunk = gathered.add(chunk);
        count += chunk.len();
        rows.push(chunk);
        (count < enough, gathered.then)
    };
    let (mut more, mut then) = tokio::select! {
        chunk = chunks.recv() => add(chunk?),
        () = shutdown.wait() => return None,
    };
    let until = Instant::now() + BLOCK_AGE;
    while more {
        (more, then) = match chunks.try_recv() {
            Ok(chunk) => add(chunk),
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) if then == Then::Pause => break,
            Err(TryRecvError::Empty) => match tokio::time::timeout_at(until, chunks.recv()).await {
                Ok(Some(chunk)) => add(chunk),
                _ => break,
            },
        };
    }
    Some((rows, gathered))
}

/// A window as it is written. Its area's layer, level and code, and its metric, have names there.
pub(crate) fn area_metric<'n>(
    (layer, level, code, metric): (&'n str, &'n str, &'n str, &'n str),
    start_s: u32,
    (row, version): (&Row, u64),
) -> AreaMetricRow<'n> {
    let sum = &row.aggregate;
    AreaMetricRow {
        layer,
        level,
        code,
        metric,
        window_s: row.window_s,
        start_s,
        version,
        count: sum.count,
        sum: sum.sum,
        min: Fixed(sum.min),
        max: Fixed(sum.max),
        last: Fixed(sum.last),
        last_ms: sum.last_time,
        closed: row.closed,
    }
}

/// Makes the tables as soon as ClickHouse is there, and tells the writers.
pub(crate) async fn make_tables(
    clickhouse: ClickHouseConfig,
    tell: watch::Sender<bool>,
    shutdown: Shutdown,
) -> Result<()> {
    loop {
        let attempt = tokio::select! {
            attempt = migrate(&clickhouse) => attempt,
            () = shutdown.wait() => return Ok(()),
        };
        match attempt {
            Ok(_) => {
                tell.send_replace(true);
                return Ok(());
            }
            Err(error) if error.retry().can_help() => {
                tracing::warn!(%error, "ClickHouse is not there; rules and alerts go on, windows wait");
                shutdown.sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error).context("the tables cannot be made"),
        }
    }
}

/// A name for this process's blocks.
pub(crate) fn run_name(what: &str) -> String {
    format!("{what}/{}", process_name())
}

const DAY_MS: i64 = 86_400_000;

/// Parts of so few days that each may be a block: mostly one, as they came.
fn by_days(chunks: Vec<Vec<Row>>) -> Vec<Vec<Vec<Row>>> {
    let day = |row: &Row| row.start_ms.div_euclid(DAY_MS);
    let days: BTreeSet<i64> = chunks.iter().flatten().map(day).collect();
    if days.len() <= BLOCK_DAYS {
        return vec![chunks];
    }
    let ends: Vec<i64> = days.into_iter().skip(BLOCK_DAYS).step_by(BLOCK_DAYS).collect();
    let mut parts = vec![Vec::new(); ends.len() + 1];
    for row in chunks.into_iter().flatten() {
        let number = ends.partition_point(|end| *end <= day(&row));
        if let Some(part) = parts.get_mut(number) {
            part.push(row);
        }
    }
    parts.into_iter().map(|part| vec![part]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::windows::Aggregate;

    #[tokio::test]
    async fn a_block_ends_with_the_chunk_that_fills_it() {
        let ((sink, mut out), shutdown) = (Sink::new(), Shutdown::new());
        for number in 1..=3 {
            sink.push(number, vec![number; 3], if number == 3 { Then::Pause } else { Then::More });
        }
        let (rows, gathered) = gather(&shutdown, &mut out, 5).await.expect("rows");
        assert_eq!(rows, [[1; 3], [2; 3]]);
        gathered.are_taken();
        assert_eq!(sink.taken(), 2);
        let (rows, _) = gather(&shutdown, &mut out, 5).await.expect("the rest");
        assert_eq!(rows, [[3; 3]]);
        shutdown.trigger("test");
        assert!(gather(&shutdown, &mut out, 5).await.is_none());
    }

    #[test]
    fn blocks_hold_a_bounded_number_of_days() {
        let row = |day: i64| Row {
            aggregate: Aggregate::EMPTY,
            start_ms: day * DAY_MS + 5,
            area: 0,
            metric: 0,
            window_s: 10,
            closed: true,
            sketch: None,
        };
        let chunks = || (0..150).map(|day| vec![row(day), row(149 - day)]).collect::<Vec<_>>();
        let parts = by_days(chunks());
        assert_eq!(parts.iter().map(|part| part.iter().flatten().count()).collect::<Vec<_>>(), [120, 120, 60]);
        let few: Vec<_> = chunks().into_iter().take(30).collect();
        assert_eq!(by_days(few.clone()), [few], "as they came");
    }
}
