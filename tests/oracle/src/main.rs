//! The oracle: sends a load and keeps the ledger of it, and says afterwards what should have become of it and what has not.
//!
//! It shares no code with the services (no crate of this workspace, which `xtask` holds it to): topics are read by a client of its own,
//! ClickHouse by plain HTTP, and everything is decided again by the obvious method. It never fails for want of a part: what does not
//! answer is asked again until its patience is over.
//!
//! ```text
//! oracle send  <plan.json>   until its stdin is closed; then {"sent": …}
//! oracle check <plan.json>   {"lost": 0, "seen_twice": 0, …}
//! ```
#![allow(clippy::indexing_slicing, reason = "of JSON alone, where what is not there is null")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its answer goes to stdout, its progress to stderr")]

mod bytes;
mod clickhouse;
mod compare;
mod dice;
mod kafka;
mod load;
mod names;
mod noise;
mod records;
mod recount;
mod rules;
mod together;
mod town;

use anyhow::{Context, Result, bail};
use clickhouse::ClickHouse;
use compare::{Findings, Look, compare};
use kafka::{Broker, Topic};
use records::{Record, read_all};
use recount::Recount;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use town::Town;

/// The topics that are written to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Log {
    Observations,
    Reports,
}

impl Log {
    const ALL: [Self; 2] = [Self::Observations, Self::Reports];

    fn topic(self) -> &'static str {
        match self {
            Self::Observations => "observations.v1",
            Self::Reports => "reports.v1",
        }
    }
}

/// What to send and where to look.
#[derive(Deserialize)]
struct Plan {
    bootstrap: String,
    prefix: String,
    /// `host:port` of the engine itself.
    clickhouse: String,
    database: String,
    ledger: PathBuf,
    seed: u64,
    /// Records a second.
    rate: u64,
    sources: u32,
    /// Of 10,000 readings so many are extreme, either way.
    extreme_of_10000: u64,
    /// The metric the city keeps sketches of.
    sketched: String,
    /// How long what differs may still come right, in seconds.
    patience_s: u64,
}

impl Plan {
    fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, plan] = arguments.as_slice() else { bail!("oracle send|check <plan.json>") };
    let text = std::fs::read_to_string(plan).with_context(|| format!("the plan {plan}"))?;
    let plan: Plan = serde_json::from_str(&text).with_context(|| format!("the plan {plan}"))?;
    let answer = match what.as_str() {
        "send" => json!({ "sent": load::send(&plan, &until_closed())? }),
        "check" => check(&plan)?,
        _ => bail!("oracle send|check <plan.json>"),
    };
    println!("{answer}");
    Ok(())
}

/// Set once stdin is closed.
fn until_closed() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let closed = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        closed.store(true, Ordering::Relaxed);
    });
    stop
}

/// The wall clock, epoch milliseconds.
#[allow(clippy::disallowed_methods, reason = "the edge of this program, which shares no code")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// A batch that was acknowledged: count and checksum, by topic, partition and first offset.
type Ledger = HashMap<(Log, i32, i64), (usize, u32)>;

fn ledger(plan: &Plan) -> Result<Ledger> {
    let mut ledger = Ledger::new();
    for line in std::fs::read_to_string(&plan.ledger).context("the ledger")?.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [topic, partition, base, count, sum] = words.as_slice() else { bail!("the ledger: {line}") };
        let log = Log::ALL.into_iter().find(|log| log.topic() == *topic).context("a topic of the ledger")?;
        ledger.insert((log, partition.parse()?, base.parse()?), (count.parse()?, sum.parse()?));
    }
    Ok(ledger)
}

fn check(plan: &Plan) -> Result<serde_json::Value> {
    let mut broker = Broker::connect(&plan.bootstrap)?;
    let mut topic = |name: &str| broker.topic(&plan.topic(name));
    let (rejects, alerts) = (topic("rejects.v1")?, topic("alerts.v1")?);
    let (layers, rules) = (topic("layers.v1")?, topic("rules.v1")?);
    let mut logs = Vec::new();
    for log in Log::ALL {
        logs.push((log, topic(log.topic())?));
    }
    let mut recount = Recount::of(&plan.sketched);
    let control = [all(&mut broker, &layers)?, all(&mut broker, &rules)?];
    let [layers, rules] = control;
    let town = Town::read(&layers, &rules, &mut recount.names)?;
    let ledger = ledger(plan)?;
    let sent: usize = ledger.values().map(|(count, _)| count).sum();
    let mut acknowledged = Findings::default();
    for (log, topic) in &logs {
        if *log == Log::Observations {
            recount.alerts.topic.clone_from(&topic.id);
        }
        for partition in 0..topic.partitions {
            count(&mut broker, (*log, topic), partition, (&mut recount, &town))
                .and_then(|values| hold_against(&ledger, (*log, partition), &values, &mut acknowledged))?;
        }
    }
    let Recount { together, alerts: said, names, .. } = &mut recount;
    together.finish(&town, names, said);
    let clickhouse = ClickHouse { address: plan.clickhouse.clone(), database: plan.database.clone() };
    let mut look =
        Look { clickhouse: &clickhouse, broker: &mut broker, logs: &logs, rejects: &rejects, alerts: &alerts };
    let until = Instant::now() + Duration::from_secs(plan.patience_s);
    let found = loop {
        let found = compare(&mut look, &recount, &acknowledged);
        if Instant::now() >= until || found.as_ref().is_ok_and(Findings::is_clean) {
            break found?;
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    let read = |log| recount.kept(log).iter().map(Vec::len).sum::<usize>();
    let (observations, reports) = (read(Log::Observations), read(Log::Reports));
    let transitions: usize = recount.alerts.said.values().map(Vec::len).sum();
    let mut answer = json!({
        "sent": sent, "records": observations + reports, "reports": reports, "accepted": recount.accepted, "duplicate": recount.duplicate,
        "late": recount.late, "rejected": recount.rejected, "too_late_for_windows": recount.too_late,
        "nowhere": recount.nowhere, "windows": recount.windows.len(),
        "sketches": recount.sketches.of.len(), "alerts": transitions,
        "control_changes": layers.iter().filter(|record| !record.key.is_empty()).count() + rules.len(),
        "clean": found.is_clean(),
    });
    if let (Some(answer), serde_json::Value::Object(found)) = (answer.as_object_mut(), serde_json::to_value(&found)?) {
        answer.extend(found);
    }
    Ok(answer)
}

fn all(broker: &mut Broker, topic: &Topic) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    read_all(broker, topic, 0, |record| records.push(record))?;
    Ok(records)
}

/// Recounts a partition; the checksum of each record's value, by offset.
fn count(
    broker: &mut Broker,
    (log, topic): (Log, &Topic),
    partition: i32,
    (recount, town): (&mut Recount, &Town),
) -> Result<Vec<u32>> {
    let (mut part, mut values) = (recount.begin(log), Vec::new());
    let mut gap = None;
    read_all(broker, topic, partition, |record| {
        if record.offset != values.len() as i64 {
            gap.get_or_insert(record.offset);
        }
        values.push(records::crc32c(record.value.as_deref().unwrap_or_default()));
        recount.take(town, &mut part, &record);
    })?;
    // Nobody writes transactions or deletes records here: offsets are places in these lists.
    match gap {
        Some(offset) => bail!("{}: partition {partition} has a gap before {offset}", topic.name),
        None => Ok(values),
    }
}

/// What was acknowledged stands where it was said to stand.
fn hold_against(ledger: &Ledger, place: (Log, i32), values: &[u32], found: &mut Findings) -> Result<()> {
    for ((.., base), (count, sum)) in ledger.iter().filter(|((log, partition, _), _)| (*log, *partition) == place) {
        let from = usize::try_from(*base)?;
        let there = values.get(from..from + count).is_some_and(|values| load::joined(values) == *sum);
        if !there {
            found.lost += *count as u64;
            found.show(|| format!("acknowledged, and not in the topic: {count} records of {place:?}/{base}"));
        }
    }
    Ok(())
}
