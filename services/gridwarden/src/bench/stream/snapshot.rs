//! What a checkpoint does to alerts: the longest hundredth of their way from publishing to `alerts.v1`, for events published while one
//! was taken, beside all others.

use super::{
    child::{Child, Figures},
    input::Town,
    live::{Judge, PROBE, Running, Sent},
};
use crate::bench::quantile;
use anyhow::{Context, Result, ensure};
use gridwarden_bus::{Assignment, From, KafkaConfig, Reader, ReaderOptions, topic_meta, topics};
use gridwarden_domain::alert::{Alert, Subject};
use gridwarden_runtime::clock::now_ms;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Events a second, and seconds.
const RATE: u64 = 5_000;
const FOR: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What comes later than this after the last event does not come.
const LIMIT: Duration = Duration::from_secs(20);
/// Fewer than so many in a checkpoint say nothing about a hundredth.
const FEWEST: usize = 100;

type Arrivals = HashMap<(String, i64), Instant>;

/// The longest hundredth of alerts' ways.
pub(super) struct Ways {
    /// Of events published while a checkpoint was taken, ms.
    pub(super) within_ms: f64,
    /// Of all others, ms.
    pub(super) beside_ms: f64,
    /// How many were published while one was taken.
    pub(super) within: usize,
}

/// Measures both.
pub(super) async fn ways(child: &mut Child, town: &Arc<Town>, kafka: KafkaConfig) -> Result<Ways> {
    let stop = Arc::new(AtomicBool::new(false));
    let listening = {
        let (kafka, stop) = (kafka.clone(), Arc::clone(&stop));
        tokio::task::spawn_blocking(move || listen(&kafka, &stop))
    };
    let load = Running::start(town, kafka, RATE, Judge::Probes);
    let begun = Instant::now();
    let mut taken = Vec::new();
    let mut seen = None;
    while begun.elapsed() < FOR {
        if let Some(figures) = child.figures().await? {
            taken.extend(finished(&figures, &mut seen));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let load = load.stop().await?;
    tokio::time::sleep(LIMIT.min(Duration::from_secs(5))).await;
    stop.store(true, Ordering::Relaxed);
    compare(&load.probes, &listening.await??, &taken)
}

/// A checkpoint that was finished since the last look: when it began and ended, epoch ms.
fn finished(figures: &Figures, seen: &mut Option<(f64, f64)>) -> Option<(i64, i64)> {
    let now = (
        figures.sum("gridwarden_stream_checkpoint_seconds_count"),
        figures.sum("gridwarden_stream_checkpoint_seconds_sum"),
    );
    let before = seen.replace(now)?;
    let end = now_ms();
    // What was looked at too late belongs to it: this blurs, and does not flatter.
    (now.0 > before.0).then(|| (end - ((now.1 - before.1) * 1000.0) as i64 - LOOK_EVERY.as_millis() as i64, end))
}

fn listen(kafka: &KafkaConfig, stop: &AtomicBool) -> Result<Arrivals> {
    let partitions = topic_meta(kafka, topics::ALERTS)?.partitions;
    let assignments: Vec<Assignment> = (0..partitions)
        .map(|partition| Assignment { topic: topics::ALERTS.to_owned(), partition, from: From::End })
        .collect();
    let options = ReaderOptions { fetch_wait_ms: 10, ..ReaderOptions::named("gridwarden-bench-alerts") };
    let mut reader = Reader::open(kafka, &assignments, &options)?;
    let mut arrivals = Arrivals::new();
    while !stop.load(Ordering::Relaxed) {
        let batch = reader.poll(1_000, Duration::from_millis(50))?;
        let now = Instant::now();
        for payload in batch.records().filter_map(|record| record.payload) {
            let alert: Alert = serde_json::from_slice(payload)?;
            if let Subject::Entity(source) = alert.subject
                && source.starts_with(PROBE)
            {
                arrivals.entry((source, alert.time)).or_insert(now);
            }
        }
    }
    Ok(arrivals)
}

fn compare(probes: &[Sent], arrivals: &Arrivals, taken: &[(i64, i64)]) -> Result<Ways> {
    let (mut within, mut beside) = (Vec::new(), Vec::new());
    // The first second belongs to connections that are made.
    for probe in probes.iter().skip(50) {
        let came = arrivals.get(&(probe.source.clone(), probe.time)).context("an alert never came")?;
        let ms = came.duration_since(probe.at).as_secs_f64() * 1000.0;
        let during = taken.iter().any(|(begin, end)| (*begin..=*end).contains(&probe.time));
        if during { within.push(ms) } else { beside.push(ms) }
    }
    ensure!(within.len() >= FEWEST, "{} events were published during {} checkpoints", within.len(), taken.len());
    let count = within.len();
    let p99 = |figures| quantile(figures, 0.99).context("nothing was measured");
    Ok(Ways { within_ms: p99(within)?, beside_ms: p99(beside)?, within: count })
}
