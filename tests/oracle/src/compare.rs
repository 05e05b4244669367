//! What is there, held against what should be: archive, rejects, windows, sketches, latest states, alerts.

mod sketches;

use crate::Log;
use crate::clickhouse::ClickHouse;
use crate::kafka::{Broker, Topic};
use crate::records::read_all;
use crate::recount::{Kept, Recount, STATE, row_of};
use crate::rules::Transition;
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Examples shown.
const SHOWN: usize = 30;

/// Everything that differs, counted. What must be 0 comes first.
#[derive(Default, Serialize)]
pub(crate) struct Findings {
    /// Acknowledged and not in the topic, in the topic and not archived, or archived as rejected and not in `rejects.v1`.
    pub(crate) lost: u64,
    pub(crate) seen_twice: u64,
    /// Archived otherwise than it was said: other values, another place, row instead of reject.
    pub(crate) rows_differ: u64,
    pub(crate) windows_differ: u64,
    /// Quantiles off by more than 1 %, or other sources than there were.
    pub(crate) sketches_differ: u64,
    pub(crate) latest_differ: u64,
    pub(crate) alerts_missed: u64,
    pub(crate) alerts_repeated: u64,
    pub(crate) alerts_left_open: u64,
    /// Said by a generation without a fence before it.
    pub(crate) alerts_unfenced: u64,
    /// For people: what stands physically more than once, and is dropped by every reader.
    pub(crate) alerts_said_again: u64,
    pub(crate) alerts_unheard: u64,
    pub(crate) rejects_said_again: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) examples: Vec<String>,
}

impl Findings {
    /// Whether all is as it should be.
    pub(crate) fn is_clean(&self) -> bool {
        let windows = self.rows_differ + self.windows_differ + self.sketches_differ + self.latest_differ;
        let alerts = self.alerts_missed + self.alerts_repeated + self.alerts_left_open + self.alerts_unfenced;
        self.lost + self.seen_twice + windows + alerts == 0
    }

    pub(crate) fn show(&mut self, example: impl FnOnce() -> String) {
        if self.examples.len() < SHOWN {
            self.examples.push(example());
        }
    }
}

/// What is looked at.
pub(crate) struct Look<'a> {
    pub(crate) clickhouse: &'a ClickHouse,
    pub(crate) broker: &'a mut Broker,
    pub(crate) logs: &'a [(Log, Topic)],
    pub(crate) rejects: &'a Topic,
    pub(crate) alerts: &'a Topic,
}

/// Looks at everything once.
pub(crate) fn compare(look: &mut Look<'_>, recount: &Recount, ledger: &Findings) -> Result<Findings> {
    let mut found = Findings { lost: ledger.lost, examples: ledger.examples.clone(), ..Findings::default() };
    for (log, topic) in look.logs {
        let log = (*log, topic.id.as_str(), recount.kept(*log));
        archive(look, log, &mut found).with_context(|| format!("the archive of {}", log.0.topic()))?;
        rejects(look, log, &mut found).context("rejects.v1")?;
    }
    windows(look, recount, &mut found).context("windows")?;
    sketches::compare(look.clickhouse, recount, &mut found).context("sketches")?;
    latest(look, recount, &mut found).context("latest states")?;
    alerts(look, recount, &mut found).context("alerts.v1")?;
    Ok(found)
}

/// How often each record was seen, by partition and offset.
struct Seen(Vec<Vec<u8>>);

impl Seen {
    fn none(kept: &[Vec<Kept>]) -> Self {
        Self(kept.iter().map(|partition| vec![0; partition.len()]).collect())
    }

    /// How often before; none: there is no such record.
    fn note(&mut self, partition: usize, offset: usize) -> Option<u8> {
        let times = self.0.get_mut(partition)?.get_mut(offset)?;
        *times = times.saturating_add(1);
        Some(*times - 1)
    }

    fn missing(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let of = |(partition, seen): (usize, &Vec<u8>)| {
            let unseen = seen.iter().enumerate().filter(|(_, times)| **times == 0);
            unseen.map(move |(offset, _)| (partition, offset)).collect::<Vec<_>>()
        };
        self.0.iter().enumerate().flat_map(of)
    }
}

/// A topic, its id, and what should be kept of it.
type Expected<'a> = (Log, &'a str, &'a [Vec<Kept>]);

fn at(kept: &[Vec<Kept>], partition: usize, offset: usize) -> Option<Kept> {
    kept.get(partition)?.get(offset).copied()
}

fn archive(look: &Look<'_>, (log, topic, kept): Expected<'_>, found: &mut Findings) -> Result<()> {
    let mut seen = Seen::none(kept);
    let topic = uuid(topic);
    let (table, row) = (log.topic().trim_end_matches(".v1"), row_of(log));
    let rows = format!("SELECT partition, offset, {row} FROM {table} WHERE topic_id = '{topic}'");
    let rejects = format!("SELECT partition, offset, '' FROM rejects WHERE topic_id = '{topic}'");
    for query in [rows, rejects] {
        look.clickhouse.rows(&query, |columns| {
            let [partition, offset, sum] = columns else { anyhow::bail!("three columns") };
            let (partition, offset): (usize, usize) = (partition.parse()?, offset.parse()?);
            let is = if sum.is_empty() { Kept::Reject } else { Kept::Row(sum.parse()?) };
            match seen.note(partition, offset) {
                Some(0) => {}
                Some(_) => {
                    found.seen_twice += 1;
                    found.show(|| format!("archived twice: {log:?} {partition}/{offset}"));
                }
                None => found.show(|| format!("archived, and not in the topic: {log:?} {partition}/{offset}")),
            }
            let should = at(kept, partition, offset);
            if should != Some(is) {
                found.rows_differ += 1;
                found.show(|| format!("archived {log:?} {partition}/{offset} as {is:?}, should be {should:?}"));
            }
            Ok(())
        })?;
    }
    for (partition, offset) in seen.missing() {
        found.lost += 1;
        found.show(|| format!("not archived: {log:?} {partition}/{offset}, {:?}", at(kept, partition, offset)));
    }
    Ok(())
}

/// Every reject stands in its topic, too.
fn rejects(look: &mut Look<'_>, (log, topic, kept): Expected<'_>, found: &mut Findings) -> Result<()> {
    let mut seen = Seen::none(kept);
    for partition in 0..look.rejects.partitions {
        read_all(look.broker, look.rejects, partition, |record| {
            let document: Value =
                serde_json::from_slice(record.value.as_deref().unwrap_or_default()).unwrap_or_default();
            let origin = &document["origin"];
            if origin["topic_id"].as_str() == Some(topic)
                && let Some((partition, offset)) = origin["partition"].as_u64().zip(origin["offset"].as_u64())
            {
                let before = seen.note(partition as usize, offset as usize).unwrap_or(0);
                found.rejects_said_again += u64::from(before > 0);
            }
        })?;
    }
    for (partition, offset) in seen.missing().filter(|(p, o)| at(kept, *p, *o) == Some(Kept::Reject)) {
        found.lost += 1;
        found.show(|| format!("rejected, and not in rejects.v1: {log:?} {partition}/{offset}"));
    }
    Ok(())
}

const WINDOWS: &str = "SELECT layer, level, code, metric, window_s, toUnixTimestamp(window_start), count, \
    toInt64(sum * 1000000), toInt64(min * 1000000), toInt64(max * 1000000), toInt64(last * 1000000), \
    toUnixTimestamp64Milli(last_time) FROM area_metrics WHERE window_s IN (10, 60)";

fn windows(look: &Look<'_>, recount: &Recount, found: &mut Findings) -> Result<()> {
    let mut expected: HashMap<String, String> = HashMap::new();
    for ((area, metric, length, start), sum) in &recount.windows {
        let (layer, level, code) = recount.names.areas.get(*area as usize).context("an area")?;
        let metric = recount.names.metrics.get(*metric as usize).context("a metric")?;
        let (count, total, min, max, last, at) = (sum.count, sum.sum, sum.min, sum.max, sum.last, sum.at.0);
        let key = format!("{layer}\t{level}\t{code}\t{metric}\t{length}\t{start}");
        expected.insert(key, format!("{count}\t{total}\t{min}\t{max}\t{last}\t{at}"));
    }
    look.clickhouse.rows(WINDOWS, |columns| {
        let (key, is) = columns.split_at_checked(6).context("twelve columns")?;
        let (key, is) = (key.join("\t"), is.join("\t"));
        let should = expected.remove(&key);
        if should.as_ref() != Some(&is) {
            found.windows_differ += 1;
            found.show(|| format!("window {key} is {is}, should be {should:?}"));
        }
        Ok(())
    })?;
    found.windows_differ += expected.len() as u64;
    for (key, should) in expected {
        found.show(|| format!("window {key} is missing, should be {should}"));
    }
    Ok(())
}

fn latest(look: &Look<'_>, recount: &Recount, found: &mut Findings) -> Result<()> {
    let mut expected = recount.latest.clone();
    look.clickhouse.rows(&format!("SELECT source, kind, {STATE} FROM entity_latest"), |columns| {
        let [source, kind, state] = columns else { anyhow::bail!("three columns") };
        let should = expected.remove(&((*source).to_owned(), (*kind).to_owned()));
        if should != Some(state.parse()?) {
            found.latest_differ += 1;
            found.show(|| format!("the latest state of {source} ({kind}) is not what was said last"));
        }
        Ok(())
    })?;
    found.latest_differ += expected.len() as u64;
    Ok(())
}

/// Alerts as a reader hears them: no lower generation behind a fence, no `seq` it knows.
#[derive(Default)]
struct Heard {
    /// By alert, by `seq`: transition in words, and what it says.
    alerts: HashMap<String, BTreeMap<u64, (String, Transition)>>,
    /// Rule, subject and append time of the newest record, for people who look for what is wrong.
    about: HashMap<String, String>,
    fences: HashMap<i32, u64>,
}

impl Heard {
    fn hear(&mut self, record: &crate::records::Record, found: &mut Findings) {
        let fence = self.fences.entry(record.partition).or_default();
        let Some(value) = &record.value else {
            let named = record.headers.iter().find(|(name, _)| name == "fence");
            let generation = named.and_then(|(_, digits)| std::str::from_utf8(digits).ok()?.parse().ok());
            *fence = (*fence).max(generation.unwrap_or(0));
            return;
        };
        let said: Value = serde_json::from_slice(value).unwrap_or_default();
        let generation = said["generation"].as_u64().unwrap_or(0);
        if generation < *fence {
            found.alerts_unheard += 1;
            return;
        }
        found.alerts_unfenced += u64::from(generation > *fence);
        let (id, seq) = (said["id"].as_str().unwrap_or_default(), said["seq"].as_u64().unwrap_or(0));
        let about = format!("{} {} appended {}", said["rule"], said["subject"], said["appended_at"]);
        self.about.insert(id.to_owned(), about);
        let known = self.alerts.entry(id.to_owned()).or_default();
        if known.last_key_value().is_some_and(|(highest, _)| seq <= *highest) {
            found.alerts_said_again += 1;
            return;
        }
        let word = said["transition"].as_str().unwrap_or_default().to_owned();
        let number = |value: &Value| value.as_i64().unwrap_or(-1);
        let cause = (number(&said["cause"]["partition"]) as i32, number(&said["cause"]["offset"]));
        let transition = Transition { raised: word == "raised", time: number(&said["time"]), cause };
        known.insert(seq, (word, transition));
    }
}

fn alerts(look: &mut Look<'_>, recount: &Recount, found: &mut Findings) -> Result<()> {
    let mut heard = Heard::default();
    for partition in 0..look.alerts.partitions {
        read_all(look.broker, look.alerts, partition, |record| heard.hear(&record, found))?;
    }
    for (id, should) in &recount.alerts.said {
        let is = heard.alerts.remove(id).unwrap_or_default();
        for (seq, transition) in (1u64..).zip(should) {
            let said = is.get(&seq).filter(|(word, said)| word != "retracted" && said == transition);
            if said.is_none() {
                found.alerts_missed += 1;
                let about = heard.about.get(id);
                found.show(|| {
                    format!("alert {id}/{seq} ({about:?}) should be {transition:?}, is {is:?}; all that should be: {should:?}")
                });
            }
        }
        let more = is.keys().filter(|seq| **seq > should.len() as u64).count();
        found.alerts_repeated += more as u64;
        if more > 0 {
            found.show(|| format!("alert {id} has {more} transitions too many: {is:?}"));
        }
        let is_open = is.last_key_value().is_some_and(|(_, (_, last))| last.raised);
        found.alerts_left_open += u64::from(is_open && should.last().is_some_and(|last| !last.raised));
    }
    for (id, is) in heard.alerts {
        found.alerts_repeated += is.len() as u64;
        found.alerts_left_open += u64::from(is.last_key_value().is_some_and(|(_, (_, last))| last.raised));
        found.show(|| format!("alert {id} should not be there: {is:?}"));
    }
    Ok(())
}

/// With hyphens, as ClickHouse reads it.
fn uuid(id: &str) -> String {
    let mut text = id.to_owned();
    for place in [20, 16, 12, 8] {
        text.insert(place, '-');
    }
    text
}
