//! What should have become of every record: a recount of `observations.v1` in partition order by the obvious method.
//!
//! Disposition (accepted, duplicate, late, rejected), areas, windows, latest states; alerts are [`crate::rules`]' part.

use crate::names::Names;
use crate::records::{Record, crc32};
use crate::rules::{Alerts, Entity, Look};
use crate::town::{Town, millionths};
use serde_json::Value;
use std::collections::HashMap;

const LATENESS_MS: i64 = 10_000;
const KEEP_MS: i64 = 600_000;
const MAX_AGE_MS: i64 = 7 * 86_400_000;
const FUTURE_MS: i64 = 60_000;
const STEP_BACK_MS: i64 = 1_000;
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
    pub(crate) kept: Vec<Vec<Kept>>,
    pub(crate) windows: HashMap<Window, Sum>,
    /// By source and kind: checksum of the latest state.
    pub(crate) latest: HashMap<(String, String), u32>,
    pub(crate) alerts: Alerts,
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) late: u64,
    pub(crate) rejected: u64,
    pub(crate) too_late: u64,
    pub(crate) nowhere: u64,
}

/// One partition on its way.
pub(crate) struct Part {
    clock: i64,
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
    /// Recounts a partition, record by record.
    pub(crate) fn begin(&mut self) -> Part {
        self.kept.push(Vec::new());
        Part { clock: i64::MIN, entities: HashMap::new(), rules: crate::rules::PartRules::default() }
    }

    pub(crate) fn take(&mut self, town: &Town, part: &mut Part, record: &Record) {
        let steady = part.clock == i64::MIN || record.appended >= part.clock - STEP_BACK_MS;
        if steady {
            part.clock = part.clock.max(record.appended);
        }
        part.rules.renew(town.rules_at(part.clock), record, &mut self.alerts, |change| {
            part.entities.values_mut().for_each(|known| change(&mut known.rules));
        });
        let rules = &mut part.rules;
        while let Some(timer) = rules.due(part.clock - LATENESS_MS) {
            if let Some(known) = part.entities.get_mut(&timer.1) {
                rules.fire(&timer, &mut known.rules, record, &mut self.alerts);
            }
        }
        let kept = self.disposition(town, part, (record, steady));
        if let Some(partition) = self.kept.last_mut() {
            partition.push(kept);
        }
    }

    fn disposition(&mut self, town: &Town, part: &mut Part, (record, steady): (&Record, bool)) -> Kept {
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
            let look =
                Look { entity: &entity, time: said.time, position: said.position, areas: &areas, values: &values };
            part.rules.look(&look, record, &mut known.rules, (&self.names, &mut self.alerts));
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
        self.spread(&said, &areas, (said.time, record.partition, record.offset), &values);
        row
    }

    fn spread(&mut self, said: &Said, areas: &[u32], at: (i64, i32, i64), values: &[(&str, i64)]) {
        let metrics = values.iter().map(|(name, value)| (format!("{}.{name}", said.kind), *value));
        let metrics: Vec<(String, i64)> = metrics.chain([(said.kind.clone(), 1_000_000)]).collect();
        for (metric, value) in metrics {
            let metric = self.names.metric(&metric);
            for area in areas {
                for length in [10, 60] {
                    let start = at.0.div_euclid(length * 1_000) * length;
                    self.windows.entry((*area, metric, length, start)).or_insert_with(Sum::none).add(value, at);
                }
            }
        }
    }

    /// The checksum of what the archive should say of an observation.
    fn row(&self, said: &Said, areas: &[u32], late: bool) -> u32 {
        let mut places: Vec<String> = areas.iter().map(|area| self.names.place(*area)).collect();
        places.sort();
        let id = said.id.as_deref().unwrap_or_default();
        let late = if late { "true" } else { "false" };
        crc32(format!("{}|{id}|{late}|{}", plain(said), places.join(",")).as_bytes())
    }
}

/// The same in ClickHouse's words.
pub(crate) const ROW: &str = "CRC32(concat(source, '|', kind, '|', toString(toUnixTimestamp64Milli(time)), '|', \
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
    let position = match &document["position"] {
        Value::Null => None,
        place => {
            let (lon, lat) = place["lon"].as_f64().zip(place["lat"].as_f64())?;
            (lon.abs() <= 180.0 && lat.abs() <= 90.0).then_some(Some([lon, lat]))?
        }
    };
    let mut values = Vec::new();
    for (name, value) in document["values"].as_object().into_iter().flatten() {
        values.push((name.clone(), value.as_f64()?));
    }
    let time = document["time"].as_i64()?;
    Some(Said { source: text("source")?, kind: text("kind")?, id: text("id"), time, position, values })
}
