//! Reading back what ClickHouse holds, and noting what is settled below the logs' starts.

use crate::config::Config;
use crate::cursor::Cursor;
use crate::pipeline::Partition;
use crate::plan::{self, Log, Start};
use crate::prepare::{Trouble, blocking, other_trouble};
use crate::replays::Taken;
use anyhow::Context;
use gridwarden_bus::{BusError, Offsets, sources::Source};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::seeded::seeded;
use gridwarden_store::rows::{GapKind, GapRow, Gaps};
use gridwarden_store::{Block, BlockWriter, StoreMetrics, WriterOptions, read::Reader};
use std::time::Duration;

/// Decides per partition where reading begins. Also the number of offsets that are lost.
pub(crate) async fn starts(
    config: &Config,
    sources: &[Source],
    store: &StoreMetrics,
) -> Result<(Vec<Partition>, u64), Trouble> {
    let reader = Reader::new(&config.clickhouse);
    let (mut partitions, mut notes, mut lost) = (Vec::new(), Block::<Gaps>::new(), 0);
    for (topic, source) in (0u16..).zip(sources) {
        let count = source.meta.partitions;
        let starts = bounds(config, source, Offsets::starts).await?;
        let held = reader.archived_ranges(source.meta.id, count).await?;
        // Asked after what is held: nothing can be held then that is not in the log.
        let ends = bounds(config, source, Offsets::ends).await?;
        for (partition, ((start, end), held)) in (0i32..).zip(starts.into_iter().zip(ends).zip(&held)) {
            let log = Log { start, end };
            let start = plan::start(held, log, config.archive.accept_loss)
                .with_context(|| format!("topic {}, partition {partition}", source.topic))
                .map_err(other_trouble)?;
            tracing::info!(topic = source.topic, partition, from = start.from, end = log.end, "reading begins");
            lost += note(source, partition, log, &start, &mut notes);
            let highest = held.last().map_or(start.from, |last| last.end);
            let from = if seeded("high-water-cursor") { highest } else { start.from };
            partitions.push(Partition::new(topic, partition, Cursor::new(from, start.present)));
        }
    }
    if !notes.is_empty() {
        // One attempt: whoever prepares tries again.
        let options = WriterOptions { patience: Some(Duration::ZERO), ..WriterOptions::default() };
        let token = format!("gaps_rows/start/{}", notes.digest());
        BlockWriter::new(&config.clickhouse, options, store.clone()).insert(&notes, &token).await?;
    }
    Ok((partitions, lost))
}

/// Which messages sent again were taken (`ARC-9`).
pub(crate) async fn taken(config: &Config) -> Result<Taken, Trouble> {
    Ok(Taken::new(Reader::new(&config.clickhouse).replays_taken().await?))
}

/// What lies below the log's start is settled: archived, or noted as lost. The number of offsets that are lost.
fn note(source: &Source, partition: i32, log: Log, start: &Start, notes: &mut Block<Gaps>) -> u64 {
    let row = |first, end, kind| GapRow { topic_id: source.meta.id, partition, first, end, kind, noted_ms: now_ms() };
    for gone in &start.lost {
        let (first, last) = (gone.first, gone.end - 1);
        tracing::warn!(topic = source.topic, partition, first, last, "records were deleted before they were archived");
        notes.push(&row(gone.first, gone.end, GapKind::Lost));
    }
    if log.start > 0 {
        notes.push(&row(0, log.start, GapKind::Settled));
    }
    plan::count(&start.lost)
}

type Ask = fn(&Offsets, &[(&str, i32)]) -> Result<Vec<i64>, BusError>;

async fn bounds(config: &Config, source: &Source, ask: Ask) -> Result<Vec<i64>, Trouble> {
    let (kafka, topic, count) = (config.kafka.clone(), source.topic.clone(), source.meta.partitions);
    let bounds = blocking(move || {
        let partitions: Vec<_> = (0..count).map(|partition| (topic.as_str(), partition)).collect();
        ask(&Offsets::open(&kafka)?, &partitions)
    });
    Ok(bounds.await.map_err(other_trouble)??)
}
