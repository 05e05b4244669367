//! What should have become of every record: a recount of `observations.v1` and `reports.v1` in partition order by the obvious method.
//!
//! Disposition (accepted, duplicate, late, rejected), areas, windows, latest states; alerts are [`crate::rules`]' part.

mod reports;
mod sketches;

pub(crate) use sketches::{Plain, Sketches};

use crate::Log;
use crate::names::Names;
use crate::records::{Record, crc32};
use crate::rules::{Alerts, Entity, Look};
use crate::together::{Sighting, Together};
use crate::town::{Town, millionths};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

const LATENESS_MS: i64 = 10_000;
const KEEP_MS: i64 = 600_000;
const MAX_AGE_MS: i64 = 7 * 86_400_000;
const FUTURE_MS: i64 = 60_000;
const STEP_BACK_MS: i64 = 1_000;
/// What is counted, in millionths.
const ONE: i64 = 1_000_000;
/// Ids remembered of each source and kind.
const IDS: usize = 32;

/// What the archive should hold of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// A row with this checksum.
    Row(u32),
    Reject,
}

/// Sums of one window, in millionths.
#[derive(Clone, Copy)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    pub(crate) sum: i128,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) last: i64,
    /// Event time, partition, offset of the last.
    pub(crate) at: (i64, i32, i64),
}

/// Area, metric, length in s, start in s.
pub(crate) type Window = (u32, u32, i64, i64);

/// The recount.
#[derive(Default)]
pub(crate) struct Recount {
    pub(crate) names: Names,
    /// By partition and offset.
    kept: HashMap<Log, Vec<Vec<Kept>>>,
    pub(crate) windows: HashMap<Window, Sum>,
    pub(crate) sketches: Sketches,
    /// By source and kind: checksum of the latest state.
    pub(crate) latest: HashMap<(String, String), u32>,
    pub(crate) alerts: Alerts,
    pub(crate) together: Together,
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) late: u64,
    pub(crate) rejected: u64,
    pub(crate) too_late: u64,
    pub(crate) nowhere: u64,
}

/// One partition on its way.
pub(crate) struct Part {
    log: Log,
    clock: i64,
    /// Ids of reports.
    ids: HashSet<String>,
    entities: HashMap<(String, String), Known>,
    rules: crate::rules::PartRules,
}

#[derive(Default)]
struct Known {
    ids: Vec<(String, i64)>,
    rules: Entity,
    latest: Option<(i64, i64, u32)>,
}

/// An observation as it was said.
struct Said {
    source: String,
    kind: String,
    id: Option<String>,
    time: i64,
    position: Option<[f64; 2]>,
    values: Vec<(String, f64)>,
}

impl Recount {
    /// Of nothing yet; sketches are counted of one metric.
    pub(crate) fn of(sketched: &str) -> Self {
        Self { sketches: Sketches::of(sketched), ..Self::default() }
    }

    /// What the archive should hold of a topic, by partition and offset.
    pub(crate) fn kept(&self, log: Log) -> &[Vec<Kept>] {
        self.kept.get(&log).map_or(&[], Vec::as_slice)
    }

    /// Recounts a partition, record by record.
    pub(crate) fn begin(&mut self, log: Log) -> Part {
        self.kept.entry(log).or_default().push(Vec::new());
        let (ids, entities) = (HashSet::new(), HashMap::new());
        Part { log, clock: i64::MIN, ids, entities, rules: crate::rules::PartRules::default() }
    }

    pub(crate) fn take(&mut self, town: &Town, part: &mut Part, record: &Record) {
        let steady = part.clock == i64::MIN || record.appended >= part.clock - STEP_BACK_MS;
        if steady {
            part.clock = part.clock.max(record.appended);
        }
        let kept = match part.log {
            Log::Observations => {
                self.let_pass(town, part, record);
                self.observation(town, part, (record, steady))
            }
            Log::Reports => self.report(town, part, record),
        };
        if let Some(partition) = self.kept.entry(part.log).or_default().last_mut() {
            partition.push(kept);
        }
    }

    /// What the time that passed does to rules: others in force, what waited for its turn, holds that are over.
    fn let_pass(&mut self, town: &Town, part: &mut Part, record: &Record) {
        part.rules.renew(town.rules_at(part.clock), record, &mut self.alerts, |change| {
            part.entities.values_mut().for_each(|known| change(&mut known.rules));
        });
        let rules = &mut part.rules;
        while let Some(next) = rules.next_in_order(part.clock) {
            if let Some(known) = part.entities.get_mut(&next.entity) {
                rules.look_in_order(&next, record, &mut known.rules, &mut self.alerts);
            }
        }
        while let Some(timer) = rules.due(part.clock - LATENESS_MS) {
            if let Some(known) = part.entities.get_mut(&timer.1) {
                rules.fire(&timer, &mut known.rules, record, &mut self.alerts);
            }
        }
    }

    fn observation(&mut self, town: &Town, part: &mut Part, (record, steady): (&Record, bool)) -> Kept {
        let said = record.value.as_deref().and_then(read).filter(|said| said.time <= record.appended + FUTURE_MS);
        let Some(said) = said else {
            self.rejected += 1;
            return Kept::Reject;
        };
        let mut areas = Vec::new();
        if let Some(position) = said.position {
            town.layers_at(record.appended).iter().for_each(|layer| layer.find(position, &mut areas));
        }
        let late = said.time < record.appended - MAX_AGE_MS;
        let row = Kept::Row(self.row(&said, &areas, late));
        if late {
            self.late += 1;
            return row;
        }
        let entity = (said.source.clone(), said.kind.clone());
        let known = part.entities.entry(entity.clone()).or_default();
        if said.id.as_ref().is_some_and(|id| known.is_repeat(id, record.appended)) {
            self.duplicate += 1;
            return row;
        }
        self.accepted += 1;
        self.nowhere += u64::from(areas.is_empty());
        let values: Vec<(&str, i64)> =
            said.values.iter().map(|(name, value)| (name.as_str(), millionths(*value))).collect();
        if steady {
            let at = (record.partition, record.offset);
            let look =
                Look { at, entity: &entity, time: said.time, position: said.position, areas: &areas, values: &values };
            part.rules.look((&look, part.clock), record, &mut known.rules, (&self.names, &mut self.alerts));
        }
        if let Some(position) = said.position.filter(|_| steady && said.time >= part.clock - LATENESS_MS) {
            let order = (said.time, record.partition, record.offset);
            let moments = (record.appended, part.clock);
            self.together.sightings.push(Sighting { order, moments, entity: entity.clone(), position });
        }
        if known.latest.is_none_or(|(time, offset, _)| (said.time, record.offset) >= (time, offset)) {
            let state = state(&said);
            known.latest = Some((said.time, record.offset, state));
            self.latest.insert(entity, state);
        }
        if said.time < part.clock - LATENESS_MS - KEEP_MS {
            self.too_late += 1;
            return row;
        }
        let metrics = values.iter().map(|(name, value)| (format!("{}.{name}", said.kind), *value));
        for (metric, value) in metrics.chain([(said.kind.clone(), ONE)]) {
            self.spread(&metric, value, &areas, (said.time, record.partition, record.offset));
            self.sketches.add(&metric, value, &areas, (said.time, &said.source));
        }
        row
    }

    /// Adds a value to the windows of all these areas.
    fn spread(&mut self, metric: &str, value: i64, areas: &[u32], at: (i64, i32, i64)) {
        let metric = self.names.metric(metric);
        for area in areas {
            for (length, start) in windows_at(at.0) {
                self.windows.entry((*area, metric, length, start)).or_insert_with(Sum::none).add(value, at);
            }
        }
    }

    /// The checksum of what the archive should say of an observation.
    fn row(&self, said: &Said, areas: &[u32], late: bool) -> u32 {
        let id = said.id.as_deref().unwrap_or_default();
        crc32(format!("{}|{id}|{late}|{}", plain(said), self.places(areas)).as_bytes())
    }

    /// Areas in words.
    fn places(&self, areas: &[u32]) -> String {
        let mut places: Vec<String> = areas.iter().map(|area| self.names.place(*area)).collect();
        places.sort();
        places.join(",")
    }
}

/// Length and start of the windows a moment lies in, in seconds.
fn windows_at(time: i64) -> [(i64, i64); 2] {
    [10, 60].map(|length| (length, time.div_euclid(length * 1_000) * length))
}

/// The same in ClickHouse's words: of observations, of reports, of latest states.
pub(crate) fn row_of(log: Log) -> &'static str {
    match log {
        Log::Observations => ROW,
        Log::Reports => reports::ROW,
    }
}

const ROW: &str = "CRC32(concat(source, '|', kind, '|', toString(toUnixTimestamp64Milli(time)), '|', \
    ifNull(toString(lon), ''), '|', ifNull(toString(lat), ''), '|', arrayStringConcat(arrayMap((name, number) -> \
    concat(name, '=', toString(number)), value_names, value_numbers), ','), '|', id, '|', toString(late), '|', \
    arrayStringConcat(arraySort(arrayMap((layer, code) -> concat(layer, '/', code), area_layers, area_codes)), ',')))";
pub(crate) const STATE: &str = "CRC32(concat(source, '|', kind, '|', toString(toUnixTimestamp64Milli(time)), '|', \
    ifNull(toString(lon), ''), '|', ifNull(toString(lat), ''), '|', arrayStringConcat(arrayMap((name, number) -> \
    concat(name, '=', toString(number)), value_names, value_numbers), ',')))";

fn plain(said: &Said) -> String {
    let values: Vec<String> = said.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let place = said.position.map_or_else(|| "|".to_owned(), |[lon, lat]| format!("{lon}|{lat}"));
    format!("{}|{}|{}|{place}|{}", said.source, said.kind, said.time, values.join(","))
}

fn state(said: &Said) -> u32 {
    crc32(plain(said).as_bytes())
}

impl Known {
    fn is_repeat(&mut self, id: &str, appended: i64) -> bool {
        if let Some((_, at)) = self.ids.iter_mut().find(|(known, _)| known == id) {
            let repeats = appended - *at <= MAX_AGE_MS;
            *at = if repeats { *at } else { appended };
            return repeats;
        }
        self.ids.push((id.to_owned(), appended));
        if self.ids.len() > IDS {
            self.ids.remove(0);
        }
        false
    }
}

impl Sum {
    fn none() -> Self {
        Self { count: 0, sum: 0, min: i64::MAX, max: i64::MIN, last: 0, at: (i64::MIN, 0, 0) }
    }

    fn add(&mut self, value: i64, at: (i64, i32, i64)) {
        self.count += 1;
        self.sum += i128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if at >= self.at {
            (self.at, self.last) = (at, value);
        }
    }
}

/// What an observation says; none when it is not as the contract wants it. Only what the load does wrong is looked at.
fn read(payload: &[u8]) -> Option<Said> {
    let document: Value = serde_json::from_slice(payload).ok()?;
    let text = |name: &str| document[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let position = position(&document)?;
    let mut values = Vec::new();
    for (name, value) in document["values"].as_object().into_iter().flatten() {
        values.push((name.clone(), value.as_f64()?));
    }
    let time = document["time"].as_i64()?;
    Some(Said { source: text("source")?, kind: text("kind")?, id: text("id"), time, position, values })
}

/// A message's position, if it says one; none when it is not on earth.
#[allow(clippy::option_option, reason = "said, not said, said wrongly")]
fn position(document: &Value) -> Option<Option<[f64; 2]>> {
    let place = &document["position"];
    if place.is_null() {
        return Some(None);
    }
    let (lon, lat) = place["lon"].as_f64().zip(place["lat"].as_f64())?;
    (lon.abs() <= 180.0 && lat.abs() <= 90.0).then_some(Some([lon, lat]))
}
