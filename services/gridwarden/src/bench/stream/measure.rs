//! The two things compared: a thread that only counts, and the stream.

use super::child::Run;
use anyhow::{Context, Result, ensure};
use gridwarden_bus::{Assignment, From, KafkaConfig, Reader, ReaderOptions, topic_meta, topics};
use gridwarden_runtime::clock::now_ms;
use gridwarden_store::{ClickHouseConfig, migrate};
use std::time::{Duration, Instant};

/// Records asked for at once, as by the stream's workers.
const BATCH: usize = 4_096;
/// How long a run may take.
const LIMIT: Duration = Duration::from_secs(600);
/// How often the stream is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// One run of the stream.
pub(super) struct Taken {
    /// Events per second until the last was taken.
    pub(super) per_s: f64,
    /// Seconds until ClickHouse had every row.
    pub(super) complete_s: f64,
    /// Events per second until then.
    pub(super) complete_per_s: f64,
    pub(super) cpu_ns_per_event: f64,
    /// The same of the threads alone that events pass through.
    pub(super) worker_ns_per_event: f64,
    pub(super) rss_mib: f64,
    pub(super) window_rows: f64,
    pub(super) bytes_per_entity: f64,
    pub(super) alerts: f64,
}

/// Events per second that stream and archive, side by side, have both taken: the stream read, the archive in ClickHouse.
pub(super) async fn stream_and_archive(run: &Run<'_>) -> Result<f64> {
    migrate(&run.place.clickhouse(run.database)).await?;
    let (mut stream, mut archive) = (run.stream(&[])?, run.start("archive", &[])?);
    let begun = Instant::now();
    let events = run.events as f64;
    let mut first = None;
    let took = loop {
        ensure!(begun.elapsed() < LIMIT, "stream and archive did not take all events within {LIMIT:?}");
        tokio::time::sleep(ASK_EVERY).await;
        let (Some(one), Some(other)) = (stream.figures().await?, archive.figures().await?) else { continue };
        let read = [one.sum("gridwarden_stream_records_read_total"), other.sum("gridwarden_archive_read_total")];
        if read.iter().all(|read| *read == 0.0) {
            first = Some(Instant::now());
        }
        let archived = other.one("gridwarden_store_rows_total{table=\"observations_rows\"}");
        if read[0] >= events && archived >= events {
            break first.unwrap_or(begun).elapsed().as_secs_f64();
        }
    };
    archive.stop().await?;
    stream.stop().await?;
    Ok(events / took)
}

/// Messages per second one thread can read and count.
pub(super) async fn raw(kafka: KafkaConfig, events: u64) -> Result<f64> {
    tokio::task::spawn_blocking(move || {
        let partitions = topic_meta(&kafka, topics::OBSERVATIONS)?.partitions;
        let assignments: Vec<Assignment> = (0..partitions)
            .map(|partition| Assignment { topic: topics::OBSERVATIONS.to_owned(), partition, from: From::Beginning })
            .collect();
        let mut reader = Reader::open(&kafka, &assignments, &ReaderOptions::named("gridwarden-bench-raw"))?;
        let begun = Instant::now();
        let (mut count, mut bytes) = (0u64, 0usize);
        while count < events {
            ensure!(begun.elapsed() < LIMIT, "the topic holds {count} events, not {events}");
            let batch = reader.poll(BATCH, Duration::from_millis(100))?;
            count += batch.len() as u64;
            bytes += batch.records().filter_map(|record| record.payload).map(<[u8]>::len).sum::<usize>();
        }
        ensure!(bytes as u64 > events, "empty events");
        Ok(events as f64 / begun.elapsed().as_secs_f64())
    })
    .await?
}

/// Runs the stream from the beginning of the topic into an empty database.
pub(super) async fn stream(run: &Run<'_>) -> Result<Taken> {
    let clickhouse: ClickHouseConfig = run.place.clickhouse(run.database);
    migrate(&clickhouse).await?;
    let mut child = run.stream(&[])?;
    let begun = Instant::now();
    let (mut first, mut last) = (None, None);
    let mut quiet = None;
    let mut before = (0.0, 0.0);
    loop {
        ensure!(begun.elapsed() < LIMIT, "the stream did not take all events within {LIMIT:?}");
        tokio::time::sleep(ASK_EVERY).await;
        let Some(figures) = child.figures().await? else { continue };
        let now = Instant::now();
        let read = figures.sum("gridwarden_stream_records_read_total");
        let reading_since = figures.sum("gridwarden_stream_reading_since_ms");
        if first.is_none() && reading_since > 0.0 {
            let ago = (now_ms() as f64 - reading_since).max(0.0) / 1000.0;
            first = Some((now - Duration::from_secs_f64(ago), child.cpu_s(), child.workers_cpu_s()));
        }
        if last.is_none() && read >= run.events as f64 {
            last = Some((now, child.cpu_s(), child.workers_cpu_s()));
        }
        let rows = figures.one("gridwarden_store_rows_total{table=\"area_windows_rows\"}");
        let entities = figures.one("gridwarden_store_rows_total{table=\"entity_latest_rows\"}");
        let handed = figures.sum("gridwarden_stream_window_rows_total");
        if last.is_none() || rows < handed || (rows, entities) != before {
            before = (rows, entities);
            quiet = None;
            continue;
        }
        let since = *quiet.get_or_insert(now);
        // Longer than anything the stream waits for before it writes.
        if now.duration_since(since) < Duration::from_secs(15) {
            continue;
        }
        let (begin, cpu_before, workers_before) = first.context("the stream never said that it reads")?;
        let (end, cpu_after, workers_after) = last.context("the stream never came to the end")?;
        let (took, complete) = (end.duration_since(begin).as_secs_f64(), since.duration_since(begin).as_secs_f64());
        let taken = Taken {
            per_s: run.events as f64 / took,
            complete_s: complete,
            complete_per_s: run.events as f64 / complete,
            cpu_ns_per_event: (cpu_after - cpu_before) * 1e9 / run.events as f64,
            worker_ns_per_event: (workers_after - workers_before) * 1e9 / run.events as f64,
            rss_mib: child.most_rss_mib(),
            window_rows: handed,
            bytes_per_entity: figures.sum("gridwarden_stream_entity_bytes")
                / figures.sum("gridwarden_stream_entities").max(1.0),
            alerts: figures.sum("gridwarden_stream_alerts_total"),
        };
        child.stop().await?;
        return Ok(taken);
    }
}
