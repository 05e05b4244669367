//! Rules against a naive oracle that asks every rule about every event, and reloads.
#![allow(clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::intern::{MetricNames, Views};
use book::Who;
use gridwarden_domain::{
    alert::Transition,
    control::RuleSet,
    identity::{RecordId, TopicId},
    locate::LayerSet,
    observation::Position,
    rule::{Condition, Crossing, Fence, Rule, Select, Severity, Shape, Side, Threshold},
    text::Text,
    value::Fixed,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn rule(id: &str, kinds: &[&str], condition: Condition) -> Rule {
    let select = Select { kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(), ..Select::default() };
    let title = Text { en: id.to_owned(), zh: String::new() };
    Rule { id: id.to_owned(), version: 1, title, severity: Severity::Minor, select, condition }
}

fn threshold(value: &str, side: Side, level: f64, clear: Option<f64>, hold_s: u32) -> Condition {
    Condition::Threshold(Threshold { value: value.to_owned(), side, level, clear, hold_s })
}

fn circle(lon: f64, radius_m: f64, on: Crossing, first_counts: bool) -> Condition {
    Condition::Fence(Fence {
        shape: Shape::Circle { centre: [lon, 0.0], radius_m },
        on,
        first_counts,
        hold_s: 0,
        margin_m: None,
        accuracy_m: None,
        crs: None,
    })
}

/// A partition with its rules.
struct Bench {
    views: Views,
    names: MetricNames,
    books: Books,
    layers: Arc<LayerSet>,
    part: PartRules,
    states: BTreeMap<u32, EntityRules>,
    offset: i64,
}

fn identity(at: At) -> RecordId {
    RecordId { topic_id: TopicId(7), partition: 0, offset: at.offset() }
}

impl Bench {
    fn new(rules: &[Rule]) -> Self {
        let (views, names, books) =
            (Views::default(), MetricNames::default(), Books::restored(Limits { shapes_mib: 1 }, &[]));
        let layers = Arc::new(LayerSet::default());
        let part = PartRules::new(books.of(&set(1, rules), &views.of(&layers), (&views, &names)));
        Self { views, names, books, layers, part, states: BTreeMap::new(), offset: 0 }
    }

    fn reload(&mut self, revision: u64, rules: &[Rule]) -> Vec<Change> {
        let view = self.views.of(&self.layers);
        let gone = self.part.switch(self.books.of(&set(revision, rules), &view, (&self.views, &self.names)));
        let mut out = Vec::new();
        for state in self.states.values_mut() {
            gone.release(0, state, &mut out);
        }
        out
    }

    fn look(&mut self, entity: u32, kind: &str, time: i64, lon: f64, value: f64) -> Vec<Change> {
        let kind = self.names.kind(kind).unwrap();
        let metric = self.names.value(kind, "v").unwrap();
        let mut out = Vec::new();
        let source = format!("e{entity}");
        let seen = Seen {
            who: Who { source: &source, kind, areas: &[] },
            entity,
            domain: 0,
            time,
            at: At::new(0, self.offset),
            position: Some(Position { lon, lat: 0.0, accuracy_m: None }),
            values: &[(metric, Fixed::from_f64(value).unwrap())],
            identity: &identity,
        };
        self.part.look(&seen, &self.names, self.states.entry(entity).or_default(), &mut out);
        self.offset += 1;
        out
    }

    fn clock(&mut self, clock: i64) -> Vec<Change> {
        let mut out = Vec::new();
        while let Some(timer) = self.part.due(0, clock) {
            let state = self.states.entry(timer.entity).or_default();
            self.part.fire(timer, &format!("e{}", timer.entity), &identity, state, &mut out);
        }
        out
    }
}

fn set(revision: u64, rules: &[Rule]) -> Arc<RuleSet> {
    Arc::new(RuleSet { revision, rules: rules.iter().cloned().map(Arc::new).collect() })
}

fn said(changes: &[Change]) -> Vec<String> {
    let word = |change: &Change| {
        let sign = if change.transition == Transition::Raised { '+' } else { '-' };
        format!("{sign}{}@{}#{}", change.rule.id, change.time, change.alert.seq)
    };
    let mut words: Vec<String> = changes.iter().map(word).collect();
    words.sort();
    words
}

/// One rule and one entity, step by step, in the words of the contract.
#[derive(Default)]
struct Naive {
    since: Option<i64>,
    open: bool,
    inside: Option<bool>,
}

impl Naive {
    /// The clock comes to a moment: what has offended for long enough is raised.
    fn come(&mut self, rule: &Rule, clock: i64) -> Option<String> {
        let Condition::Threshold(t) = &rule.condition else { return None };
        let due = self.since? + i64::from(t.hold_s) * 1000;
        if due > clock {
            return None;
        }
        (self.open, self.since) = (true, None);
        Some(format!("+{}@{due}#1", rule.id))
    }

    fn look(&mut self, rule: &Rule, time: i64, lon: f64, value: f64) -> Vec<String> {
        let before = self.open;
        let mut words = Vec::new();
        match &rule.condition {
            Condition::Threshold(t) => {
                let above = t.side == Side::Above;
                let beyond = |level: f64| if above { value > level } else { value < level };
                if let Some(since) = self.since
                    && time >= since + i64::from(t.hold_s) * 1000
                {
                    words.push(format!("+{}@{}#1", rule.id, since + i64::from(t.hold_s) * 1000));
                    self.open = true;
                    self.since = None;
                }
                if self.open {
                    self.open = beyond(t.clear.unwrap_or(t.level));
                    if !self.open {
                        words.push(format!("-{}@{time}#2", rule.id));
                    }
                } else if !before && beyond(t.level) {
                    if t.hold_s == 0 {
                        self.open = true;
                        words.push(format!("+{}@{time}#1", rule.id));
                    } else {
                        self.since = self.since.or(Some(time));
                    }
                } else {
                    self.since = None;
                }
            }
            Condition::Fence(f) => {
                let Shape::Circle { centre, radius_m } = f.shape else { unreachable!() };
                let inside = gridwarden_geo::distance_m(centre, [lon, 0.0]) <= radius_m;
                let offends = inside == (f.on == Crossing::Enter);
                let was = self.inside.replace(inside);
                if self.open && !offends {
                    self.open = false;
                    words.push(format!("-{}@{time}#2", rule.id));
                } else if !self.open && offends && was.map_or(f.first_counts, |was| was != inside) {
                    self.open = true;
                    words.push(format!("+{}@{time}#1", rule.id));
                }
            }
        }
        words
    }
}

fn rules() -> Vec<Rule> {
    vec![
        rule("above", &[], threshold("v", Side::Above, 10.0, Some(5.0), 0)),
        rule("below", &["air"], threshold("v", Side::Below, -5.0, None, 0)),
        rule("held", &["air", "noise"], threshold("v", Side::Above, 3.0, Some(2.0), 20)),
        rule("other", &[], threshold("w", Side::Above, -1e9, None, 0)),
        rule("in", &["noise"], circle(0.0, 50_000.0, Crossing::Enter, false)),
        rule("in-first", &[], circle(0.5, 40_000.0, Crossing::Enter, true)),
        rule("out", &[], circle(0.2, 30_000.0, Crossing::Exit, false)),
        rule("out-first", &["air"], circle(0.7, 30_000.0, Crossing::Exit, true)),
    ]
}

proptest! {
    #[test]
    fn every_change_is_the_naive_ones(
        events in prop::collection::vec((0u32..4, 0i64..15_000, 0u8..20, -12i32..16), 1..120),
        lateness in 0i64..60_000,
    ) {
        let rules = rules();
        let mut bench = Bench::new(&rules);
        let mut naive: BTreeMap<(u32, &str), Naive> = BTreeMap::new();
        let mut time = 0;
        for (entity, step, lon, value) in events {
            time += step;
            let kind = ["air", "noise"][entity as usize % 2];
            let (lon, value) = (f64::from(lon) * 0.07 - 0.3, f64::from(value));
            // Before each record the holds that are due by the partition's clock.
            let rule_of = |id: &str| rules.iter().find(|rule| rule.id == id).expect("a rule");
            let states = naive.iter_mut();
            let mut due: Vec<String> =
                states.filter_map(|((_, id), state)| state.come(rule_of(id), time - lateness)).collect();
            due.sort();
            prop_assert_eq!(said(&bench.clock(time - lateness)), due);
            let mut expected = Vec::new();
            for rule in &rules {
                let looks = rule.select.kinds.is_empty() || rule.select.kinds.iter().any(|named| named == kind);
                if looks && rule.id != "other" {
                    let state = naive.entry((entity, rule.id.as_str())).or_default();
                    expected.extend(state.look(rule, time, lon, value));
                }
            }
            expected.sort();
            let changes = bench.look(entity, kind, time, lon, value);
            prop_assert_eq!(said(&changes), expected);
        }
    }
}

#[test]
fn a_hold_is_raised_by_the_partitions_clock_when_the_entity_falls_silent() {
    let mut bench = Bench::new(&rules());
    assert_eq!(said(&bench.look(0, "air", 1_000, 9.0, 4.0)), ["+out-first@1000#1"]);
    assert!(bench.clock(20_999).is_empty());
    let raised = bench.clock(21_000);
    assert_eq!(said(&raised), ["+held@21000#1"]);
    assert_eq!(raised[0].alert.id, alert_id("held", "e0", identity(At::new(0, 0))), "named after the first offence");
    assert!(bench.clock(90_000).is_empty());
    assert_eq!(said(&bench.look(0, "air", 30_000, 9.0, 2.0)), ["-held@30000#2"]);
}

#[test]
fn an_offence_that_ends_before_its_time_is_forgotten() {
    let mut bench = Bench::new(&rules());
    bench.look(1, "noise", 1_000, 9.0, 4.0);
    bench.look(1, "noise", 2_000, 9.0, 3.0);
    bench.look(1, "noise", 5_000, 9.0, 4.0);
    assert!(bench.clock(24_999).is_empty(), "the first offence's timer is void");
    assert_eq!(said(&bench.clock(25_000)), ["+held@25000#1"]);
}

#[test]
fn a_reload_keeps_what_did_not_change_and_clears_what_did() {
    let mut all = rules();
    let mut bench = Bench::new(&all);
    let raised = bench.look(0, "air", 1_000, 0.5, 11.0);
    assert_eq!(said(&raised), ["+above@1000#1", "+in-first@1000#1"]);
    // A new title and severity: the same rule.
    all[0].title.en = "new".to_owned();
    all[0].version = 2;
    assert!(bench.reload(2, &all).is_empty());
    assert!(bench.look(0, "air", 2_000, 0.5, 11.0).is_empty());
    // Another level: another rule, its state goes.
    all[0].condition = threshold("v", Side::Above, 8.0, None, 0);
    assert_eq!(said(&bench.reload(3, &all)), ["-above@1000#2"]);
    assert_eq!(said(&bench.look(0, "air", 3_000, 0.5, 11.0)), ["+above@3000#1"]);
    // Removed.
    all.retain(|rule| rule.id != "in-first");
    assert_eq!(said(&bench.reload(4, &all)), ["-in-first@1000#2"]);
    assert!(bench.look(0, "air", 4_000, 0.5, 11.0).is_empty());
}

#[test]
fn a_fence_that_comes_later_has_its_own_first_position() {
    let mut all = rules();
    let late = all.split_off(5);
    let mut bench = Bench::new(&all);
    bench.look(0, "air", 1_000, 0.5, 0.0);
    all.extend(late);
    assert!(bench.reload(2, &all).is_empty());
    assert_eq!(said(&bench.look(0, "air", 2_000, 0.5, 0.0)), ["+in-first@2000#1"]);
    bench.look(0, "air", 3_000, 0.2, 0.0);
    assert_eq!(said(&bench.look(0, "air", 4_000, 9.0, 0.0)), ["+out@4000#1", "-in-first@4000#2"]);
}

#[test]
fn sources_and_other_kinds_are_left_alone() {
    let mut only = rule("only", &["air"], threshold("v", Side::Above, 0.0, None, 0));
    only.select.sources = vec!["e3".to_owned()];
    let mut bench = Bench::new(&[only]);
    assert!(bench.look(0, "air", 1, 0.0, 5.0).is_empty());
    assert!(bench.look(3, "noise", 1, 0.0, 5.0).is_empty());
    assert_eq!(said(&bench.look(3, "air", 1, 0.0, 5.0)), ["+only@1#1"]);
    assert_eq!(said(&bench.look(3, "air", 2, 0.0, 0.0)), ["-only@2#2"]);
}

#[test]
fn a_value_that_swings_about_its_level_leaves_no_heap_of_timers() {
    let mut bench = Bench::new(&[rule("held", &[], threshold("v", Side::Above, 3.0, None, 3600))]);
    for step in 0..40_000 {
        assert!(bench.look(0, "air", step, 0.0, f64::from((step % 2) as i32 * 9)).is_empty());
        if bench.part.is_crowded() {
            let states = &bench.states;
            bench.part.thin(|entity| states.get(&entity));
        }
    }
    assert!(bench.part.timers.len() < 5_000, "{}", bench.part.timers.len());
    // The offence that goes on is still waited for.
    assert_eq!(said(&bench.clock(39_999 + 3_600_000)), ["+held@3639999#1"]);
}
