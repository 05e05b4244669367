//! `recompute`: windows counted again from the archive, for what came too late, after a redraw, after rejects were sent again.
//!
//! ```text
//!  archive complete? ─▶ spans (asked for, or dirty) ─▶ a generation ─▶ ten minutes at a time: archived records, less repeats,
//!                                                                       located ─▶ windows ─▶ rows of that generation
//! ```
//! [`span`] and [`count`] decide and know neither Kafka nor ClickHouse; this file asks and writes.
//!
//! * `REC-1` only windows no stream changes any more are counted again; what comes for them later makes them dirty.
//! * `REC-2` a generation belongs to one recompute. Its rows stand above all earlier ones, those of windows that are empty now
//!   (no events) included: nothing of an earlier count is left on top.
//! * `REC-3` nothing is counted before everything Kafka acknowledged until then is in the archive.

mod count;
mod span;

pub use span::{Span, Wanted};

use crate::{
    beside::{Beside, look},
    config::Config,
    feeds::Feeds,
    prepare::{load_city, parts_of},
    shared::{Part, Topic},
    windows::{KEEP_MS, sketch::Sketches},
};
use anyhow::{Context, Result, bail};
use count::{Counter, Page};
use gridwarden_bus::{Offsets, TopicMeta, control::ControlReader};
use gridwarden_domain::report;
use gridwarden_runtime::{
    city::MappedCity,
    clock::now_ms,
    objects::{Bytes, Created, Objects},
};
use gridwarden_store::{
    Block, BlockWriter, StoreMetrics, WriterOptions, migrate,
    read::{Counted, OffsetRange, Reader},
    rows::{RecomputeRow, Recomputes},
};
use std::time::{Duration, Instant};

/// How often the archive is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Rows of a block.
const BLOCK_ROWS: usize = 200_000;
/// Where claims of generations lie among the checkpoints.
const CLAIMS: &str = "recomputes";

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The generation of the rows; none when there was nothing to do.
    pub generation: Option<u32>,
    /// Spans counted.
    pub spans: Vec<Span>,
    /// Archived records counted, and those left out as repeats.
    pub records: u64,
    /// Repeats left out.
    pub repeats: u64,
    /// Rows written.
    pub rows: u64,
    /// Of those, windows that are empty now.
    pub emptied: u64,
}

/// What a recompute works with.
struct Bench {
    topics: Vec<Topic>,
    metas: Vec<TopicMeta>,
    parts: Vec<Part>,
    control: ControlReader,
    reader: Reader,
    writer: BlockWriter,
    /// When Kafka was asked for its ends: everything appended before is counted.
    asked_ms: i64,
    max_age_ms: i64,
    sketches: Sketches,
}

/// Counts again what is wanted; see [`Wanted`]. `patience`: how long the archive may take to have everything.
///
/// # Errors
/// Kafka or ClickHouse out of reach, an archive that does not catch up, windows that are still changed by a stream.
pub async fn recompute(config: Config, wanted: Wanted, patience: Duration) -> Result<Done> {
    let city = load_city(&config.city.folder).await?;
    migrate(&config.clickhouse).await.context("the tables cannot be made")?;
    let max_age_ms = i64::from(city.file.limits.max_age_days) * 86_400_000;
    let bench = Bench::open(&config, &city, max_age_ms).await?;
    let quiet_ms = bench.asked_ms - i64::from(city.file.limits.lateness_s) * 1000 - KEEP_MS;
    bench.until_archived(&config, patience).await?;

    let past: Vec<String> = Feeds::of(&city.file).historical();
    let done = bench.reader.recomputes().await?;
    if let Wanted::Span { layer: Some(layer), .. } = &wanted
        && bench.control.timeline().layers_at(i64::MAX).layer(layer).is_none()
    {
        bail!("no layer is called {layer}");
    }
    let spans = match wanted {
        Wanted::Span { from_ms, until_ms, layer } => {
            span::asked_for(from_ms, until_ms, layer, (quiet_ms, bench.asked_ms)).context("nothing is counted")?
        }
        Wanted::Dirty => {
            let late = bench.reader.late_minutes(span::late_after(&city.file.limits), &past, false).await?;
            let past = bench.reader.late_minutes(span::ANY_AGE, &past, true).await?;
            span::dirty(&late, &past, &done, quiet_ms)
        }
    };
    let mut outcome = Done { generation: None, spans, records: 0, repeats: 0, rows: 0, emptied: 0 };
    if outcome.spans.is_empty() {
        return Ok(outcome);
    }
    let known = done.iter().map(|done| done.generation).max().unwrap_or(0);
    let generation = claim(&config, known).await?;
    outcome.generation = Some(generation);
    for span in outcome.spans.clone() {
        bench.count(&span, generation, &mut outcome).await?;
        bench.note(&span, generation, outcome.rows).await?;
    }
    Ok(outcome)
}

/// A generation nobody else has.
async fn claim(config: &Config, known: u32) -> Result<u32> {
    let objects = Objects::at(&config.checkpoints.folder).context("checkpoints")?;
    let claimed = objects.list(CLAIMS).await?;
    let highest = claimed.iter().filter_map(|name| name.rsplit('/').next()?.parse().ok()).max().unwrap_or(0);
    let mut generation = known.max(highest) + 1;
    while objects.create(&format!("{CLAIMS}/{generation:010}"), Bytes::new()).await? == Created::Taken {
        generation += 1;
    }
    Ok(generation)
}

impl Bench {
    async fn open(config: &Config, city: &MappedCity, max_age_ms: i64) -> Result<Self> {
        let Beside { topics, metas, asked_ms, control } = look(&config.kafka, city).await?;
        let metrics = StoreMetrics::new(&gridwarden_runtime::telemetry::registry("recompute")).context("metrics")?;
        Ok(Self {
            parts: parts_of(&metas)?,
            topics,
            metas,
            control,
            reader: Reader::new(&config.clickhouse),
            writer: BlockWriter::new(&config.clickhouse, WriterOptions::default(), metrics),
            asked_ms,
            max_age_ms,
            sketches: Sketches::of(&city.file),
        })
    }

    /// `REC-3`.
    async fn until_archived(&self, config: &Config, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        let kafka = config.kafka.clone();
        let name = |part: &Part| self.topics.get(usize::from(part.topic)).map_or("", |topic| &topic.name).to_owned();
        let places: Vec<(String, i32)> = self.parts.iter().map(|part| (name(part), part.partition)).collect();
        let bounds = tokio::task::spawn_blocking(move || {
            let places: Vec<(&str, i32)> =
                places.iter().map(|(topic, partition)| (topic.as_str(), *partition)).collect();
            let offsets = Offsets::open(&kafka)?;
            Ok::<_, gridwarden_bus::BusError>((offsets.starts(&places)?, offsets.ends(&places)?))
        });
        let (starts, ends) = bounds.await??;
        loop {
            let missing = self.missing(&starts, &ends).await?;
            match missing {
                None => return Ok(()),
                Some((topic, partition, records)) if begun.elapsed() >= patience => bail!(
                    "the archive lacks {records} records of {topic}/{partition}; windows counted from it would be wrong. Is it running?"
                ),
                Some(_) => tokio::time::sleep(ASK_EVERY).await,
            }
        }
    }

    /// The first partition of which the archive lacks records, and how many.
    async fn missing(&self, starts: &[i64], ends: &[i64]) -> Result<Option<(&str, i32, i64)>> {
        let mut bounds = starts.iter().zip(ends);
        for (topic, meta) in self.topics.iter().zip(&self.metas) {
            let held = self.reader.archived_ranges(topic.id, meta.partitions).await?;
            for (partition, ranges) in (0..meta.partitions).zip(held) {
                let Some((start, end)) = bounds.next() else { continue };
                let lacking = lacking(&ranges, *start, *end);
                if lacking > 0 {
                    return Ok(Some((&topic.name, partition, lacking)));
                }
            }
        }
        Ok(None)
    }

    async fn count(&self, span: &Span, generation: u32, outcome: &mut Done) -> Result<()> {
        let mut counter = Counter::new(self.control.timeline(), (&self.parts, &self.sketches), span);
        for (from_s, until_s) in span.pieces() {
            let of = Counted {
                from_ms: i64::from(from_s) * 1000,
                until_ms: i64::from(until_s) * 1000,
                topics: self.topics.iter().map(|topic| topic.id).collect(),
            };
            counter.leave_out(&self.reader.same_ids(&of).await?, self.max_age_ms);
            let mut observations = self.reader.archived_observations(&of)?;
            while let Some(record) = observations.next().await.context("reading the archive")? {
                counter.take(&record);
            }
            let mut reports = self.reader.archived_reports(&of, report::METRIC)?;
            while let Some(record) = reports.next().await.context("reading the archive")? {
                counter.take(&record);
            }
            let mut page = Page {
                gone: self.reader.window_keys((from_s, until_s), span.layer()).await?.into_iter().collect(),
                sketches_gone: self.reader.sketch_keys((from_s, until_s), span.layer()).await?.into_iter().collect(),
                ..Page::default()
            };
            let rows = counter.rows();
            for (number, some) in rows.chunks(BLOCK_ROWS).enumerate() {
                counter.fill(&mut page, some, generation);
                self.insert(&page, &format!("recompute/{generation}/{from_s}/{number}"), outcome).await?;
            }
            let mut number = 0;
            while page.fill_gone(BLOCK_ROWS, generation) {
                outcome.emptied += page.windows.rows() as u64;
                self.insert(&page, &format!("recompute/{generation}/{from_s}/empty/{number}"), outcome).await?;
                number += 1;
            }
        }
        (outcome.records, outcome.repeats) = (outcome.records + counter.records, outcome.repeats + counter.repeats);
        Ok(())
    }

    /// First the sketches, as the stream does.
    async fn insert(&self, page: &Page, token: &str, outcome: &mut Done) -> Result<()> {
        self.writer.insert(&page.sketches, token).await?;
        self.writer.insert(&page.windows, token).await?;
        outcome.rows += page.windows.rows() as u64;
        Ok(())
    }

    async fn note(&self, span: &Span, generation: u32, rows: u64) -> Result<()> {
        let mut block = Block::<Recomputes>::new();
        block.push(&RecomputeRow {
            generation,
            first_s: span.from_s,
            end_s: span.until_s,
            layer: span.layer(),
            layers_of_ms: span.layers_of(span.layer()),
            archived_ms: self.asked_ms,
            rows,
            done_ms: now_ms(),
        });
        self.writer.insert(&block, &format!("recompute/{generation}/{}/done", span.from_s)).await?;
        Ok(())
    }
}

/// How many offsets of `start..end` are in none of the ranges, which rise and do not touch.
fn lacking(ranges: &[OffsetRange], start: i64, end: i64) -> i64 {
    let held = ranges.iter().map(|range| (range.end.min(end) - range.first.max(start)).max(0));
    (end - start).max(0) - held.sum::<i64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_no_range_is_lacking() {
        let ranges = [(0, 5), (7, 9), (12, 20)].map(|(first, end)| OffsetRange { first, end });
        assert_eq!(lacking(&ranges, 0, 20), 5);
        assert_eq!(lacking(&ranges, 3, 14), 5);
        assert_eq!(lacking(&ranges, 13, 18), 0);
        assert_eq!((lacking(&[], 4, 9), lacking(&[], 4, 4)), (5, 0));
    }
}
