//! The way of records, without Kafka and without timely.
#![allow(clippy::indexing_slicing, reason = "tests")]

mod ahead;
mod allocations;
mod archived;
mod layers;
mod misrouted;
mod order;
mod repeats;
mod replay;
mod saved;
mod sketches;
mod times;
mod together;
mod tracks;

use super::*;
use crate::{
    feeds::{Domains, Feeds},
    metrics::Metrics,
    shared::{Lore, Part, Progress, Remembered, Topic, World},
    windows::{Aggregate, Delta, Mark, Partial, Share, WIDTH, pane_of},
};
use gridwarden_domain::{
    alert::Transition,
    city::CityFile,
    control::{FORCE_DELAY_MS, Fold},
    decode::Decoder,
    identity::TopicId,
    layer::{Area, LayerHead, LayerRecord, version_of},
};
use prometheus::Registry;
use std::collections::BTreeMap;

const LATENESS: i64 = 10_000;
const DAY: i64 = 86_400_000;

pub(crate) fn city() -> CityFile {
    CityFile {
        name: gridwarden_domain::text::Text::default(),
        timezone: "UTC".to_owned(),
        simulated: true,
        limits: gridwarden_domain::city::Limits::default(),
        layers: Vec::new(),
        registry: Vec::new(),
        rules: None,
        classes: Vec::new(),
        mappings: Vec::new(),
        feeds: vec![gridwarden_domain::city::Feed {
            name: "past".to_owned(),
            token_sha256: None,
            may: Vec::new(),
            crs: gridwarden_domain::crs::Crs::Wgs84,
            historical: true,
        }],
        endpoints: Vec::new(),
        sketches: Vec::new(),
        calendars: Default::default(),
    }
}

pub(crate) fn shared() -> Shared {
    let topic = |name: &str, id, decoder| Topic { name: name.to_owned(), id: TopicId(id), decoder };
    let world = World {
        topics: vec![topic("observations.v1", 1, Decoder::observations()), topic("reports.v1", 2, Decoder::reports())],
        parts: [(0, 0), (0, 1), (1, 0)].map(|(topic, partition)| Part { topic, partition }).to_vec(),
        feeds: Feeds::of(&city()),
        domains: Domains::new(vec![2, 1]),
        lateness_ms: LATENESS,
        max_age_ms: 7 * DAY,
        remembered: Remembered { of_source: 3, reports: 3, reordered: 1_000 },
        timezone: "UTC".to_owned(),
        sketches: Default::default(),
        quarantine: Default::default(),
        simulated: true,
        generation: 7,
    };
    let lore = Lore::restored(&Default::default(), 1, jiff::tz::TimeZone::UTC, None);
    let metrics = Metrics::new(&Registry::new()).expect("metrics");
    let others = crate::cluster::Others::none();
    Shared { world, lore, metrics, progress: vec![Progress::in_the_past()], others }
}

/// A layer as its publisher sends it: head, areas.
const GRID: (&str, &str) = (
    r#"{"layer":"grid","levels":[{"id":"district"},{"id":"cell"}],"main":true}"#,
    r#"[{"code":"d","level":0},
        {"code":"a","level":1,"parent":"d","polygons":[[[[0,0],[1,0],[1,1],[0,1],[0,0]]]]},
        {"code":"b","level":1,"parent":"d","polygons":[[[[1,0],[2,0],[2,1],[1,1],[1,0]]]]}]"#,
);

const HOT: &str = r#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"major",
    "threshold":{"value":"t","side":"above","level":30,"hold_s":20}}"#;

fn publish_layer(fold: &mut Fold, (head, areas): (&str, &str), appended: i64) {
    let head: LayerHead = serde_json::from_str(head).expect("head");
    let areas: Vec<Area> = serde_json::from_str(areas).expect("areas");
    let (layer, count) = (head.layer.clone(), areas.len() as u32);
    let (version, hash) = version_of(&head, &areas);
    for area in areas {
        let key = format!("{layer}/{version}/{}", area.code);
        let record = LayerRecord::Area { layer: layer.clone(), version: version.clone(), area };
        fold.layer(key.as_bytes(), Some(&serde_json::to_vec(&record).expect("json")), appended).expect("area");
    }
    let key = format!("{layer}/{version}");
    let closing = LayerRecord::Closing { head, version, count, hash };
    fold.layer(key.as_bytes(), Some(&serde_json::to_vec(&closing).expect("json")), appended).expect("closing");
}

/// A city of two cells under one district, from 0 to 2 degrees; a registered sensor; a rule in force from `rule_from` on.
pub(crate) fn timeline(rule_from: i64) -> Arc<Timeline> {
    timeline_of(&[GRID], &[("hot", Some(HOT), rule_from)])
}

/// The sensor, layers in force from the beginning, rules and the ends of rules in force from their moments on.
fn timeline_of(layers: &[(&str, &str)], rules: &[(&str, Option<&str>, i64)]) -> Arc<Timeline> {
    let mut fold = Fold::new();
    layers.iter().for_each(|layer| publish_layer(&mut fold, *layer, -FORCE_DELAY_MS));
    let sensor = br#"{"id":"fixed","kind":"air","position":{"lon":1.5,"lat":0.5}}"#;
    fold.registry(b"fixed", Some(sensor), -FORCE_DELAY_MS).expect("entity");
    for (id, rule, from) in rules {
        fold.rule(id.as_bytes(), rule.map(str::as_bytes), from - FORCE_DELAY_MS).expect("rule");
    }
    Arc::new(fold.timeline())
}

fn report(id: &str, place: &str) -> String {
    let class = r#"{"catalogue":"c","kind":"event","code":"0301"}"#;
    format!(r#"{{"id":"{id}","channel":"hotline","class":{class},"time":100000{place}}}"#)
}

struct Desk {
    shared: Shared,
    intake: Intake,
    out: Outbox,
    offsets: BTreeMap<u16, i64>,
}

impl Desk {
    fn new() -> Self {
        Self::with(timeline(0))
    }

    fn with(timeline: Arc<Timeline>) -> Self {
        let shared = shared();
        let mut intake = Intake::new(&shared, &[0, 1, 2], 1_000);
        intake.set_timeline(timeline);
        Self { shared, intake, out: Outbox::default(), offsets: BTreeMap::new() }
    }

    fn take_with(&mut self, part: u16, appended: i64, payload: Option<&str>, feed: Option<&str>) {
        let offset = self.offsets.entry(part).or_default();
        let feed = feed.map(str::as_bytes);
        let end = if payload.is_none() { feed } else { None };
        let payload = payload.map(str::as_bytes);
        let record = Record { feed, end, ..Record::plain(part, *offset, appended, payload) };
        *offset += 1;
        self.take_all(std::iter::once(record));
    }

    fn take_all<'a>(&mut self, records: impl Iterator<Item = Record<'a>>) {
        self.intake.take_known(&self.shared, records, i64::MAX, std::iter::empty(), &mut self.out);
    }

    /// Takes (offset, payload)s of one partition together.
    fn take_batch(&mut self, part: u16, appended: i64, batch: &[(i64, Vec<u8>)]) {
        self.take_all(
            batch.iter().map(|(offset, payload)| Record::plain(part, *offset, appended, Some(payload.as_slice()))),
        );
    }

    fn take(&mut self, part: u16, appended: i64, payload: &str) {
        self.take_with(part, appended, Some(payload), None);
    }

    fn observe(&mut self, appended: i64, source: &str, lon: Option<f64>, value: f64) {
        let position = lon.map_or(String::new(), |lon| format!(r#""position":{{"lon":{lon},"lat":0.5}},"#));
        let text =
            format!(r#"{{"source":"{source}","kind":"air","time":{appended},{position}"values":{{"t":{value}}}}}"#);
        self.take(0, appended, &text);
    }

    fn deltas(&mut self) -> Vec<Delta> {
        std::mem::take(&mut self.out.deltas)
    }

    fn partials(&mut self) -> Vec<Partial> {
        let mut partials = Vec::new();
        self.intake.drain_partials(|partial| partials.push(partial));
        partials
    }

    fn marks(&mut self) -> Vec<(u16, u8, i64)> {
        let mut marks = Vec::new();
        self.intake.marks(1, |mark: Mark| marks.push((mark.part, mark.domain, mark.watermark)));
        marks
    }

    fn count(&mut self, name: &str) -> u64 {
        self.intake.settle(&self.shared, "0");
        let metrics = &self.shared.metrics;
        let counter = match name {
            "read" => &metrics.read,
            "accepted" => &metrics.accepted,
            "late" => &metrics.late,
            "markers" => &metrics.markers,
            "duplicate" => &metrics.duplicate,
            "misrouted" => &metrics.misrouted,
            "too late" => &metrics.too_late_for_windows,
            "too late for order" => &metrics.too_late_for_order,
            "before their turn" => &metrics.before_their_turn,
            "stepped back" => &metrics.too_late_for_rules,
            "nowhere" => return metrics.nowhere.with_label_values(&["observations"]).get(),
            _ => return metrics.rejected.with_label_values(&[name]).get(),
        };
        counter.get()
    }

    /// What is handed out for windows, added up: by area, metric and pane the count and the sum.
    fn totals(&mut self) -> BTreeMap<(String, String, i64), (u64, i128)> {
        let (deltas, partials) = (self.deltas(), self.partials());
        let mut totals = BTreeMap::new();
        let mut add = |area, metric, time: i64, count, sum| {
            let names = &self.shared.lore.names;
            let metric = names.name(metric).expect("a metric").to_string();
            let total: &mut (u64, i128) = totals.entry((self.area(area), metric, pane_of(time))).or_default();
            *total = (total.0 + count, total.1 + sum);
        };
        for delta in deltas {
            for column in (0..WIDTH).filter(|column| delta.mask & (1 << column) != 0) {
                let metric = u32::from(delta.group) * WIDTH as u32 + column as u32;
                add(delta.area, metric, delta.time, 1, i128::from(delta.values[column]));
            }
        }
        for partial in partials {
            let metric = u32::from(partial.group) * WIDTH as u32 + u32::from(partial.column);
            let Share::Sum(sum) = partial.share else { panic!("nobody asked for sketches") };
            add(partial.area, metric, partial.pane, sum.count, sum.sum);
        }
        totals
    }

    fn area(&self, number: u32) -> String {
        self.shared.lore.views.names.with(|names| names[number as usize].code.to_string())
    }
}

fn sum(partial: &Partial) -> Option<&Aggregate> {
    match &partial.share {
        Share::Sum(sum) => Some(sum),
        Share::Sketch(_) => None,
    }
}

#[test]
fn an_observation_changes_its_cell_and_the_areas_above() {
    let mut desk = Desk::new();
    desk.observe(100_000, "s", Some(0.5), 21.5);
    desk.observe(101_000, "s", Some(1.5), 22.5);
    let deltas = desk.deltas();
    assert_eq!(deltas.iter().map(|delta| desk.area(delta.area)).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((deltas[0].values, deltas[0].mask), ([1_000_000, 21_500_000, 0, 0], 3));
    let partials = desk.partials();
    assert!(partials.iter().all(|partial| desk.area(partial.area) == "d"));
    let sums: BTreeMap<u8, &Aggregate> =
        partials.iter().filter_map(|partial| Some((partial.column, sum(partial)?))).collect();
    assert_eq!((sums[&0].count, sums[&1].sum, sums[&1].last), (2, 44_000_000, 22_500_000));
    assert!(desk.partials().is_empty());
}

#[test]
fn a_registered_sensor_needs_no_position_and_others_are_nowhere() {
    let mut desk = Desk::new();
    desk.observe(100_000, "fixed", None, 1.0);
    desk.observe(100_000, "loose", None, 1.0);
    desk.observe(100_000, "far", Some(5.0), 1.0);
    let deltas = desk.deltas();
    assert_eq!(deltas.len(), 1);
    assert_eq!(desk.area(deltas[0].area), "b");
    assert_eq!((desk.count("nowhere"), desk.count("accepted")), (2, 3));
}

#[test]
fn every_record_is_counted_once() {
    let mut desk = Desk::new();
    desk.observe(10 * DAY, "s", Some(0.5), 1.0);
    desk.take(0, 10 * DAY, "{");
    desk.take(0, 10 * DAY, r#"{"source":"s","kind":"air","time":1}"#);
    desk.take(0, 10 * DAY, &format!(r#"{{"source":"s","kind":"air","time":{}}}"#, 11 * DAY));
    desk.take_with(0, 10 * DAY, None, None);
    desk.take_with(0, 10 * DAY, None, Some("past"));
    for _ in 0..2 {
        let text = format!(r#"{{"id":"1","source":"s","kind":"air","time":{}}}"#, 10 * DAY);
        desk.take(0, 10 * DAY, &text);
    }
    let counts = ["read", "accepted", "duplicate", "late", "markers", "malformed", "future_time", "empty_payload"];
    assert_eq!(counts.map(|name| desk.count(name)), [8, 2, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_held_threshold_is_raised_before_the_record_that_shows_the_time_has_come() {
    let mut desk = Desk::new();
    desk.observe(100_000, "s", Some(0.5), 31.0);
    desk.observe(129_000, "t", Some(0.5), 1.0);
    assert!(desk.out.alerts.is_empty());
    desk.observe(130_000, "t", Some(0.5), 1.0);
    let alert = desk.out.alerts.pop().expect("raised");
    assert_eq!((alert.transition, alert.time, alert.cause.offset, alert.seq), (Transition::Raised, 120_000, 2, 1));
    assert_eq!((alert.value, alert.level, alert.simulated), (Some(31.0), Some(30.0), true));
    assert_eq!(alert.areas.iter().map(|area| area.code.as_str()).collect::<Vec<_>>(), ["a", "d"]);
    desk.observe(140_000, "s", Some(0.5), 29.0);
    let cleared = desk.out.alerts.pop().expect("cleared");
    assert_eq!((cleared.id, cleared.seq, cleared.transition), (alert.id, 2, Transition::Cleared));
}

#[test]
fn a_rule_is_in_force_from_its_time_on_and_its_end_clears() {
    let mut desk = Desk::new();
    desk.intake.set_timeline(timeline(150_000));
    desk.observe(100_000, "s", Some(0.5), 31.0);
    desk.observe(149_999, "s", Some(0.5), 31.0);
    assert!(desk.out.alerts.is_empty(), "not in force yet");
    desk.observe(150_000, "s", Some(0.5), 31.0);
    desk.observe(170_000, "s", Some(0.5), 31.0);
    assert_eq!(desk.out.alerts.len(), 1);
    desk.intake.set_timeline(timeline(10 * DAY));
    desk.observe(180_000, "t", Some(0.5), 1.0);
    let cleared = desk.out.alerts.pop().expect("cleared");
    assert_eq!((cleared.transition, cleared.cause.offset), (Transition::Cleared, 4));
}

#[test]
fn an_entity_on_a_second_partition_is_counted() {
    let mut desk = Desk::new();
    let text = r#"{"source":"s","kind":"air","time":100000}"#;
    for part in [0, 0, 1, 1] {
        desk.take(part, 100_000, text);
    }
    assert_eq!(desk.count("misrouted"), 2);
}

#[test]
fn reports_are_counted_by_class_where_they_lie() {
    let mut desk = Desk::new();
    desk.take(2, 100_000, &report("1", r#","position":{"lon":0.5,"lat":0.5}"#));
    desk.take(2, 100_000, &report("2", r#","area":"d""#));
    desk.take(2, 100_000, &report("3", ""));
    let deltas = desk.deltas();
    assert_eq!(deltas.iter().map(|delta| desk.area(delta.area)).collect::<Vec<_>>(), ["a", "d"]);
    let names: Vec<_> = (0..2).filter_map(|metric| desk.shared.lore.names.name(metric)).collect();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["reports", "reports.0301"]);
    assert_eq!((deltas[0].values[..2].to_vec(), deltas[0].mask), (vec![1_000_000, 1_000_000], 3));
    desk.intake.settle(&desk.shared, "0");
    assert_eq!(desk.shared.metrics.nowhere.with_label_values(&["reports"]).get(), 1);
}

#[test]
fn the_latest_state_is_by_time_then_place_in_the_log() {
    let mut desk = Desk::new();
    for (time, value) in [(100_000, 1), (102_000, 2), (101_000, 3)] {
        let text = format!(r#"{{"source":"s","kind":"air","time":{time},"values":{{"t":{value}}}}}"#);
        desk.take(0, 102_000, &text);
    }
    let mut rows = Vec::new();
    desk.intake.drain_entities(10, 1, &mut rows);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].time, rows[0].at.offset(), rows[0].values[0].1.0), (102_000, 1, 2_000_000));
    assert!(!desk.intake.has_dirty_entities());
}

#[test]
fn entities_beyond_what_is_remembered_are_counted_in_windows_only() {
    let rule = r#"{"id":"now","version":1,"title":{"en":"x"},"severity":"minor",
        "threshold":{"value":"t","side":"above","level":30}}"#;
    let mut desk = Desk::with(timeline_of(&[GRID], &[("now", Some(rule), 0)]));
    desk.intake = Intake::new(&desk.shared, &[0], 2);
    desk.intake.set_timeline(timeline_of(&[GRID], &[("now", Some(rule), 0)]));
    for source in ["one", "two", "three", "one"] {
        desk.observe(100_000, source, Some(0.5), 31.0);
    }
    assert_eq!((desk.deltas().len(), desk.out.alerts.len(), desk.count("accepted")), (4, 2, 4));
    assert_eq!(desk.shared.metrics.beyond_limits.with_label_values(&["entities"]).get(), 1);
    let mut rows = Vec::new();
    desk.intake.drain_entities(10, 1, &mut rows);
    assert_eq!(rows.len(), 2);
}
