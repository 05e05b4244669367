//! `gridwarden bench latency`: from publishing an event to its alert at a webhook receiver, and to its window in ClickHouse, under a
//! load, with the archive on. Proved: every probe's alert came, and every probe stands in the windows.

use super::{
    child::Run,
    input::{Size, Town},
    live::{Judge, PROBE, Running, Sent, probed},
    produce,
    verify::{number, query_text},
};
use crate::bench::{place::Place, quantile, result, tell};
use crate::output::progress;
use anyhow::{Context, Result, ensure};
use axum::{Json, Router, extract::State, http::StatusCode};
use gridwarden_runtime::{http as shell, shutdown::Shutdown};
use gridwarden_store::migrate;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Not measured: connections are made, programs come into the cache, and the broker's machine compiles itself, for most of a minute.
const WARM_UP: Duration = Duration::from_secs(60);
/// How long what is still on its way may take.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often ClickHouse is asked for the city's windows: an answer costs it milliseconds, and what came in between is told later by so
/// much. For those of cells, of which there are many more, it is asked by another, so that one answer does not wait for the other.
const ASK_EVERY: Duration = Duration::from_millis(100);
const ASK_CELLS_EVERY: Duration = Duration::from_secs(2);
/// A signing secret of nobody's.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Arguments.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LatencyArgs {
    /// Events a second
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// Seconds measured
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Worker threads of the stream
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Cells of the city
    #[arg(long, default_value_t = 50_000)]
    cells: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the benchmark.
pub(crate) async fn run(args: LatencyArgs) -> Result<()> {
    let measured = Place::with(async |place| measured(&args, place).await).await?;
    tell(&measured, args.json)
}

/// When an alert about a probe came: by source and event time.
type Arrivals = Arc<Mutex<HashMap<(String, i64), Instant>>>;

async fn measured(args: &LatencyArgs, place: &Place) -> Result<Value> {
    progress(&format!("making a city of {} cells", args.cells));
    let (arrivals, shutdown) = (Arrivals::default(), Shutdown::new());
    let endpoint = receive(&arrivals, &shutdown).await?;
    let endpoint = Some((endpoint, SECRET.to_owned()));
    let town = Arc::new(Town::make(Size::of_cells(args.cells), probed(endpoint), &place.path("city")).await?);
    produce::prepare(&town, &place.kafka()).await?;
    migrate(&place.clickhouse("bench")).await?;
    let run = Run { topics: "", place, database: "bench", workers: args.workers, events: 0 };
    let mut children = vec![run.stream(&[])?, run.start("archive", &[])?, run.start("dispatch", &[])?];
    for child in &mut children {
        while child.figures().await?.is_none() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    progress(&format!("{} events a second for {} s", args.rate, WARM_UP.as_secs() + args.seconds));
    let load = Running::start(&town, place.kafka(), args.rate, Judge::Probes);
    let looks = Looks::default();
    let looking = tokio::spawn(look(place.clickhouse("bench").url, looks.clone(), shutdown.clone()));
    tokio::time::sleep(WARM_UP + Duration::from_secs(args.seconds)).await;
    let load = load.stop().await?;
    let begun = Instant::now();
    let all = load.probes.len();
    while lock(&arrivals).len() < all {
        ensure!(begun.elapsed() < LIMIT, "{} of {all} alerts came to the receiver", lock(&arrivals).len());
        tokio::time::sleep(LOOK_EVERY).await;
    }
    // The last windows are written when they are closed, at the latest.
    let begun = Instant::now();
    while !looks.have_all(all as u64) && !looking.is_finished() && begun.elapsed() < LIMIT {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    shutdown.trigger("measured");
    looking.await??;
    for child in children {
        child.stop().await?;
    }
    let arrived = std::mem::take(&mut *lock(&arrivals));
    report(args, &load.probes, &arrived, &looks)
}

fn lock<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A receiver of webhooks; its URL.
async fn receive(arrivals: &Arrivals, shutdown: &Shutdown) -> Result<String> {
    let listener = shell::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
    let url = format!("http://{}/", listener.local_addr().context("no address")?);
    let router = Router::new().fallback(take).with_state(Arc::clone(arrivals));
    tokio::spawn(shell::serve(listener, router, shutdown.clone()));
    Ok(url)
}

async fn take(State(arrivals): State<Arrivals>, Json(body): Json<Value>) -> StatusCode {
    let now = Instant::now();
    let source = body.pointer("/data/subject/entity").and_then(Value::as_str).unwrap_or_default();
    if let Some(time) = body.pointer("/data/time").and_then(Value::as_i64)
        && source.starts_with(PROBE)
    {
        lock(&arrivals).entry((source.to_owned(), time)).or_insert(now);
    }
    StatusCode::NO_CONTENT
}

/// What was seen of the windows of a level.
#[derive(Default)]
struct Watched {
    /// How many probes they held, and when that was first seen.
    seen: Vec<(u64, Instant)>,
    /// How long each answer took, in ms.
    answers: Vec<f64>,
}

impl Watched {
    fn count(&self) -> u64 {
        self.seen.last().map_or(0, |(count, _)| *count)
    }
}

/// Of the city, and of its cells.
#[derive(Clone, Default)]
struct Looks {
    city: Arc<Mutex<Watched>>,
    cells: Arc<Mutex<Watched>>,
}

impl Looks {
    fn have_all(&self, probes: u64) -> bool {
        [&self.city, &self.cells].into_iter().all(|watched| lock(watched).count() >= probes)
    }
}

async fn look(url: String, looks: Looks, shutdown: Shutdown) -> Result<()> {
    let url = format!("{url}/?database=bench");
    let at = |level: &'static str, watched: &Arc<Mutex<Watched>>, every: Duration| {
        look_at((level, url.clone()), Arc::clone(watched), every, shutdown.clone())
    };
    tokio::try_join!(at("city", &looks.city, ASK_EVERY), at("cell", &looks.cells, ASK_CELLS_EVERY))?;
    Ok(())
}

async fn look_at(
    (level, url): (&str, String),
    watched: Arc<Mutex<Watched>>,
    every: Duration,
    shutdown: Shutdown,
) -> Result<()> {
    let sql = format!(
        "SELECT sum(count) FROM area_metrics WHERE layer = 'grid' AND level = '{level}' AND metric = '{PROBE}' AND window_s = 10"
    );
    let client = reqwest::Client::new();
    loop {
        let asked = Instant::now();
        let count = number(&query_text(&client, &url, &sql).await?)?;
        {
            let mut watched = lock(&watched);
            watched.answers.push(ms(asked.elapsed()));
            if watched.count() < count {
                watched.seen.push((count, Instant::now()));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = shutdown.wait() => return Ok(()),
        }
    }
}

/// How long each probe took until it was seen. `probes` and what was seen in order of time: of the first so many probes all were seen.
fn seen_after(probes: &[Sent], seen: &[(u64, Instant)]) -> Vec<f64> {
    let look = |number: u64| seen.get(seen.partition_point(|(count, _)| *count < number));
    let after = |(number, probe): (u64, &Sent)| Some(ms(look(number)?.1.duration_since(probe.at)));
    (1u64..).zip(probes).filter_map(after).collect()
}

fn report(
    args: &LatencyArgs,
    probes: &[Sent],
    arrived: &HashMap<(String, i64), Instant>,
    looks: &Looks,
) -> Result<Value> {
    let all = probes.len() as u64;
    let (city, cells) = (lock(&looks.city), lock(&looks.cells));
    for count in [city.count(), cells.count()] {
        ensure!(count == all, "{count} of {all} probes stand in the windows");
    }
    let first = probes.first().context("nothing was sent")?.at + WARM_UP;
    let warm = probes.partition_point(|probe| probe.at < first);
    let measured = |mut figures: Vec<f64>| figures.split_off(warm.min(figures.len()));
    let came = |probe: &Sent| Some(ms(arrived.get(&(probe.source.clone(), probe.time))?.duration_since(probe.at)));
    let to_webhook: Option<Vec<f64>> = probes.iter().map(came).collect();
    let to_webhook = measured(to_webhook.context("an alert never came")?);
    let config = json!({"workers": args.workers, "cells": args.cells, "seconds": args.seconds, "probes": to_webhook.len(), "rules": 101});
    let figures = json!({
        "rate": args.rate,
        "publish_to_webhook_ms": spread(&to_webhook),
        "publish_to_clickhouse_ms": spread(&measured(seen_after(probes, &city.seen))),
        "publish_to_clickhouse_cells_ms": spread(&measured(seen_after(probes, &cells.seen))),
        "clickhouse_answer_ms": spread(&city.answers),
        "publish_to_browser_ms": null,
    });
    Ok(result(&config, figures))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The middle, the ninth tenth, the last hundredth and the longest.
fn spread(figures: &[f64]) -> Value {
    let at = |share| quantile(figures.to_vec(), share).map(|figure| (figure * 10.0).round() / 10.0);
    json!({"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_was_seen_when_as_many_were_as_had_been_sent() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let probes = [0, 10, 20].map(|ms| Sent { source: String::new(), time: 0, at: at(ms) });
        let seen = [(1, at(15)), (3, at(30))];
        assert_eq!(seen_after(&probes, &seen), [15.0, 20.0, 10.0]);
        assert_eq!(seen_after(&probes, &seen[..1]), [15.0]);
    }

    #[test]
    fn a_spread_is_made_of_figures_that_were_measured() {
        let figures: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(spread(&figures), json!({"p50": 100.0, "p90": 180.0, "p99": 198.0, "max": 200.0}));
        assert_eq!(spread(&[7.0]), json!({"p50": 7.0, "p90": 7.0, "p99": 7.0, "max": 7.0}));
    }
}
