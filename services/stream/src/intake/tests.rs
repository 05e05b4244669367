//! The way of records, without Kafka and without timely.
#![allow(clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::{
    feeds::{Domains, Feeds},
    intern::{MetricNames, Views, Whereabouts},
    metrics::Metrics,
    rules::{Books, Limits},
    shared::{Lore, Part, Progress, Topic, World},
    windows::{Aggregate, Delta, Mark, Partial},
};
use gridwarden_domain::{
    alert::Transition,
    city::CityFile,
    control::Fold,
    decode::Decoder,
    identity::TopicId,
    layer::{Area, LayerHead, LayerRecord, version_of},
};
use prometheus::Registry;
use std::collections::BTreeMap;

const LATENESS: i64 = 10_000;
const DAY: i64 = 86_400_000;

fn city() -> CityFile {
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
    }
}

fn shared() -> Shared {
    let topic = |name: &str, id, decoder| Topic { name: name.to_owned(), id: TopicId(id), decoder };
    let world = World {
        topics: vec![topic("observations.v1", 1, Decoder::observations()), topic("reports.v1", 2, Decoder::reports())],
        parts: [(0, 0), (0, 1), (1, 0)].map(|(topic, partition)| Part { topic, partition }).to_vec(),
        feeds: Feeds::of(&city()),
        domains: Domains::new(vec![2, 1]),
        lateness_ms: LATENESS,
        max_age_ms: 7 * DAY,
        simulated: true,
    };
    let lore = Lore {
        names: Arc::new(MetricNames::default()),
        views: Views::default(),
        books: Books::new(Limits { shapes_mib: 1 }),
        whereabouts: Whereabouts::default(),
    };
    let metrics = Metrics::new(&Registry::new()).expect("metrics");
    Shared { world, lore, metrics, progress: vec![Progress::in_the_past()] }
}

/// A city of two cells under one district, from 0 to 2 degrees; a registered sensor; a rule in force from `rule_from` on.
fn timeline(rule_from: i64) -> Arc<Timeline> {
    let mut fold = Fold::new();
    let head: LayerHead =
        serde_json::from_str(r#"{"layer":"grid","levels":[{"id":"district"},{"id":"cell"}],"main":true}"#)
            .expect("head");
    let areas: Vec<Area> = serde_json::from_str(
        r#"[{"code":"d","level":0},
            {"code":"a","level":1,"parent":"d","polygons":[[[[0,0],[1,0],[1,1],[0,1],[0,0]]]]},
            {"code":"b","level":1,"parent":"d","polygons":[[[[1,0],[2,0],[2,1],[1,1],[1,0]]]]}]"#,
    )
    .expect("areas");
    let (version, hash) = version_of(&head, &areas);
    for area in &areas {
        let record = LayerRecord::Area { layer: "grid".to_owned(), version: version.clone(), area: area.clone() };
        let value = serde_json::to_vec(&record).expect("json");
        fold.layer(format!("grid/{version}/{}", area.code).as_bytes(), Some(&value), 0).expect("area");
    }
    let closing = LayerRecord::Closing { head, version: version.clone(), count: 3, hash };
    let value = serde_json::to_vec(&closing).expect("json");
    fold.layer(format!("grid/{version}").as_bytes(), Some(&value), 0).expect("closing");
    let sensor = br#"{"id":"fixed","kind":"air","position":{"lon":1.5,"lat":0.5}}"#;
    fold.registry(b"fixed", Some(sensor), 0).expect("entity");
    let rule = br#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"major",
        "threshold":{"value":"t","side":"above","level":30,"hold_s":20}}"#;
    fold.rule(b"hot", Some(rule), rule_from - 2_000).expect("rule");
    Arc::new(fold.timeline())
}

struct Desk {
    shared: Shared,
    intake: Intake,
    out: Outbox,
    offsets: BTreeMap<u16, i64>,
}

impl Desk {
    fn new() -> Self {
        let shared = shared();
        let mut intake = Intake::new(&shared, &[0, 1, 2], 1_000);
        intake.set_timeline(timeline(0));
        Self { shared, intake, out: Outbox::default(), offsets: BTreeMap::new() }
    }

    fn take_with(&mut self, part: u16, appended: i64, payload: Option<&str>, feed: Option<&str>) {
        let offset = self.offsets.entry(part).or_default();
        let feed = feed.map(str::as_bytes);
        let record = Record {
            part,
            offset: *offset,
            appended,
            payload: payload.map(str::as_bytes),
            feed,
            end: if payload.is_none() { feed } else { None },
            content_type: None,
            simulated: false,
        };
        self.intake.take(&self.shared, &record, &mut self.out);
        *offset += 1;
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
            "misrouted" => &metrics.misrouted,
            "too late" => &metrics.too_late_for_windows,
            "stepped back" => &metrics.too_late_for_rules,
            "nowhere" => return metrics.nowhere.with_label_values(&["observations"]).get(),
            _ => return metrics.rejected.with_label_values(&[name]).get(),
        };
        counter.get()
    }

    fn area(&self, number: u32) -> String {
        self.shared.lore.views.names.with(|names| names[number as usize].code.to_string())
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
    let sums: BTreeMap<u8, &Aggregate> = partials.iter().map(|partial| (partial.column, &partial.aggregate)).collect();
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
    let counts = ["read", "accepted", "late", "markers", "malformed", "future_time", "empty_payload"];
    assert_eq!(counts.map(|name| desk.count(name)), [6, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn what_is_too_late_for_windows_is_counted_and_left_out() {
    let mut desk = Desk::new();
    desk.observe(10 * DAY, "s", Some(0.5), 1.0);
    let old = 10 * DAY - LATENESS - KEEP_MS;
    for time in [old, old - 1] {
        let text = format!(
            r#"{{"source":"s","kind":"air","time":{time},"position":{{"lon":0.5,"lat":0.5}},"values":{{"t":1}}}}"#
        );
        desk.take(0, 10 * DAY, &text);
    }
    assert_eq!((desk.deltas().len(), desk.count("too late"), desk.count("accepted")), (2, 1, 3));
}

#[test]
fn a_stamp_that_steps_back_is_too_late_for_rules_but_not_for_windows() {
    let mut desk = Desk::new();
    desk.observe(200_000, "s", Some(0.5), 1.0);
    desk.observe(190_000, "s", Some(0.5), 99.0);
    assert_eq!((desk.count("stepped back"), desk.deltas().len()), (1, 2));
    desk.observe(500_000, "t", Some(0.5), 1.0);
    assert!(desk.out.alerts.is_empty());
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
    let report = |place: &str| {
        format!(
            r#"{{"id":"r","channel":"hotline","class":{{"catalogue":"c","kind":"event","code":"0301"}},"time":100000{place}}}"#
        )
    };
    desk.take(2, 100_000, &report(r#","position":{"lon":0.5,"lat":0.5}"#));
    desk.take(2, 100_000, &report(r#","area":"d""#));
    desk.take(2, 100_000, &report(""));
    let deltas = desk.deltas();
    assert_eq!(deltas.iter().map(|delta| desk.area(delta.area)).collect::<Vec<_>>(), ["a", "d"]);
    let names: Vec<_> = (0..2).filter_map(|metric| desk.shared.lore.names.name(metric)).collect();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["reports", "reports.0301"]);
    assert_eq!((deltas[0].values[..2].to_vec(), deltas[0].mask), (vec![1_000_000, 1_000_000], 3));
    desk.intake.settle(&desk.shared, "0");
    assert_eq!(desk.shared.metrics.nowhere.with_label_values(&["reports"]).get(), 1);
}

#[test]
fn a_historical_feed_has_its_own_clock_until_its_end() {
    let mut desk = Desk::new();
    let now = 1_000 * DAY;
    let text = |time: i64| {
        format!(r#"{{"source":"s","kind":"air","time":{time},"position":{{"lon":0.5,"lat":0.5}},"values":{{"t":1}}}}"#)
    };
    desk.take_with(0, now, Some(&text(50_000)), Some("past"));
    assert_eq!((desk.deltas().len(), desk.count("late")), (1, 0));
    let live = now - LATENESS;
    let marks = desk.marks();
    assert!(marks.contains(&(0, 1, 40_000)) && marks.contains(&(0, 0, live)), "{marks:?}");
    desk.take_with(0, now, None, Some("past"));
    assert_eq!(desk.marks(), [(0, 1, i64::MAX)], "only what changed");
    // Played once more: it begins anew.
    desk.take_with(0, now, Some(&text(20_000)), Some("past"));
    assert_eq!((desk.deltas().len(), desk.marks()), (1, vec![(0, 1, 10_000)]));
}

#[test]
fn the_latest_state_is_by_time_then_place_in_the_log() {
    let mut desk = Desk::new();
    for (time, value) in [(100_000, 1), (102_000, 2), (101_000, 3)] {
        let text = format!(r#"{{"source":"s","kind":"air","time":{time},"values":{{"t":{value}}}}}"#);
        desk.take(0, 102_000, &text);
    }
    let mut rows = Vec::new();
    desk.intake.drain_entities(10, &mut rows);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].time, rows[0].at.offset(), rows[0].values[0].1.0), (102_000, 1, 2_000_000));
    assert!(!desk.intake.has_dirty_entities());
}

#[test]
fn a_partition_read_to_its_end_counts_as_the_moment_of_asking() {
    let mut desk = Desk::new();
    desk.observe(100_000, "s", Some(0.5), 1.0);
    desk.marks();
    assert_eq!(desk.intake.end_known(0, 2, 500_000), 1, "one record is still to come");
    assert!(desk.marks().is_empty());
    assert_eq!(desk.intake.end_known(0, 1, 500_000), 0);
    assert_eq!(desk.marks(), [(0, 0, 500_000 - LATENESS)]);
    assert_eq!(desk.intake.end_known(1, 0, 600_000), 0, "an empty partition");
    desk.intake.end_reached(1, 0);
    desk.intake.end_known(1, 0, 700_000);
    assert_eq!(desk.marks(), [(1, 0, 700_000 - LATENESS)]);
}
