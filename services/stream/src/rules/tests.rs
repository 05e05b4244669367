//! Rules against a naive oracle that asks every rule about every event, and reloads.
#![allow(clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::intern::{MetricNames, Views};
use gridwarden_domain::{
    alert::Transition,
    control::RuleSet,
    identity::{RecordId, TopicId},
    locate::LayerSet,
    observation::Position,
    rule::{Condition, Crossing, Fence, Rule, Select, Severity, Shape, Side, Silence, Threshold},
    text::Text,
    value::Fixed,
};
use proptest::prelude::*;
use ready::Who;
use std::collections::BTreeMap;
use std::sync::Arc;

fn rule(id: &str, kinds: &[&str], condition: Condition) -> Rule {
    let select = Select { kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(), ..Select::default() };
    let title = Text { en: id.to_owned(), zh: String::new() };
    Rule { select, ..Rule::new(id, title, Severity::Minor, condition) }
}

fn threshold(value: &str, side: Side, level: f64, clear: Option<f64>, hold_s: u32) -> Condition {
    Condition::Threshold(Threshold { value: value.to_owned(), side, level, clear, hold_s })
}

fn circle(lon: f64, radius_m: f64, on: Crossing, first_counts: bool) -> Condition {
    Condition::Fence(Fence { first_counts, ..Fence::new(Shape::Circle { centre: [lon, 0.0], radius_m }, on) })
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
        self.tell(entity, kind, Told { time, lon, accuracy_m: 0.0, value })
    }

    fn tell(&mut self, entity: u32, kind: &str, told: Told) -> Vec<Change> {
        let Told { time, lon, accuracy_m, value } = told;
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
            position: Some(Position { lon, lat: 0.0, accuracy_m: Some(accuracy_m) }),
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
            self.part.fire((0, clock, timer), &format!("e{}", timer.entity), &identity, state, &mut out);
        }
        out
    }
}

fn set(revision: u64, rules: &[Rule]) -> Arc<RuleSet> {
    Arc::new(RuleSet { revision, rules: rules.iter().cloned().map(Arc::new).collect() })
}

fn said(changes: &[Change]) -> Vec<String> {
    let word = |change: &Change| {
        let sign = match change.transition {
            Transition::Raised => '+',
            Transition::Updated => '~',
            _ => '-',
        };
        format!("{sign}{}@{}#{}", change.rule.id, change.time, change.alert.seq)
    };
    let mut words: Vec<String> = changes.iter().map(word).collect();
    words.sort();
    words
}

/// One rule and one entity, step by step, in the words of the contract.
#[derive(Default)]
pub(crate) struct Naive {
    /// Since when it offends; under a rule on silence, when it spoke last.
    since: Option<i64>,
    /// When its alert was raised.
    open: Option<i64>,
    /// The number of its last transition, and in which of the periods of `update_s` that was.
    seq: u32,
    told: i64,
    inside: Option<bool>,
}

/// A record, as the contract speaks of it.
#[derive(Clone, Copy)]
pub(crate) struct Told {
    pub(crate) time: i64,
    pub(crate) lon: f64,
    pub(crate) accuracy_m: f32,
    pub(crate) value: f64,
}

fn hold_ms(rule: &Rule) -> i64 {
    1000 * i64::from(match &rule.condition {
        Condition::Threshold(t) => t.hold_s,
        Condition::Fence(f) => f.hold_s,
        Condition::Silence(s) => s.after_s,
        _ => 0,
    })
}

fn trusts(f: &Fence, told: Told) -> bool {
    f.accuracy_m.is_none_or(|most| f64::from(told.accuracy_m) <= most)
}

/// Four minutes in four of the first half hour.
fn hourly(mut rule: Rule) -> Rule {
    let period = |from: i64| format!(r#"{{"from":"00:{from:02}","to":"00:{:02}"}}"#, from + 4);
    let periods: Vec<String> = (0..4).map(|number| period(number * 8)).collect();
    rule.id += "-in-hours";
    rule.schedule = serde_json::from_str(&format!(r#"{{"periods":[{}]}}"#, periods.join(","))).expect("a schedule");
    rule
}

const PERIOD: i64 = 240_000;

fn in_hours(time: i64) -> bool {
    (0..7 * PERIOD).contains(&time) && time / PERIOD % 2 == 0
}

/// When the period ends in which this began, if the rule has any.
fn end_of(rule: &Rule, began: i64) -> i64 {
    if rule.schedule.is_some() { (began / PERIOD + 1) * PERIOD } else { i64::MAX }
}

impl Naive {
    /// Hours end before a moment.
    fn leave(&mut self, rule: &Rule, time: i64) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(since) = self.since
            && end_of(rule, since) <= time
        {
            if since + hold_ms(rule) < end_of(rule, since) {
                words.push(self.raise(rule, since + hold_ms(rule)));
            }
            self.since = None;
        }
        if let Some(raised) = self.open
            && end_of(rule, raised) <= time
        {
            words.push(self.clear(rule, end_of(rule, raised)));
        }
        words
    }

    /// The clock comes to a moment: what has offended for long enough is raised, what is over with its hours ends.
    pub(crate) fn come(&mut self, rule: &Rule, clock: i64) -> Vec<String> {
        if rule.schedule.is_none() {
            return self.fall(rule, clock).into_iter().collect();
        }
        let mut words = self.leave(rule, clock);
        words.extend(self.fall(rule, clock));
        words
    }

    fn fall(&mut self, rule: &Rule, clock: i64) -> Option<String> {
        let due = self.since? + hold_ms(rule);
        if due > clock {
            return None;
        }
        self.since = None;
        Some(self.raise(rule, due))
    }

    fn raise(&mut self, rule: &Rule, time: i64) -> String {
        (self.open, self.seq, self.told) = (Some(time), 1, 0);
        format!("+{}@{time}#1", rule.id)
    }

    fn clear(&mut self, rule: &Rule, time: i64) -> String {
        let raised = self.open.take().expect("open");
        format!("-{}@{}#{}", rule.id, time.max(raised), self.seq + 1)
    }

    /// It goes on: once in each so many seconds since the raise that is told.
    fn goes_on(&mut self, rule: &Rule, time: i64) -> Option<String> {
        let period = (time - self.open?).div_euclid(1000 * i64::from(rule.update_s.max(1)));
        if rule.update_s == 0 || period <= self.told {
            return None;
        }
        (self.seq, self.told) = (self.seq + 1, period);
        Some(format!("~{}@{time}#{}", rule.id, self.seq))
    }

    pub(crate) fn look(&mut self, rule: &Rule, told: Told) -> Vec<String> {
        let (time, hold) = (told.time, hold_ms(rule));
        let mut words = Vec::new();
        let looks = rule.schedule.is_none() || in_hours(time);
        let (offends, clears) = match &rule.condition {
            Condition::Threshold(t) => {
                let beyond = |level: f64| if t.side == Side::Above { told.value > level } else { told.value < level };
                (beyond(t.level), !beyond(t.clear.unwrap_or(t.level)))
            }
            Condition::Fence(f) => {
                if self.inside.is_some() && !trusts(f, told) {
                    return words;
                }
                // What was over with its hours does not go on.
                if rule.schedule.is_some() {
                    words.extend(self.leave(rule, time));
                }
                match self.sides(f, told) {
                    Some(sides) => sides,
                    None => return words,
                }
            }
            Condition::Silence(_) => {
                let silent = self.since.is_some_and(|last| time > last + hold);
                if silent {
                    words.push(self.raise(rule, self.since.unwrap() + hold));
                }
                if self.open.is_some() {
                    words.push(self.clear(rule, time));
                    self.since = None;
                }
                self.since = self.since.max(Some(time));
                return words;
            }
            other => panic!("{} looks at several", other.kind()),
        };
        if rule.schedule.is_some() {
            words.extend(self.leave(rule, time));
        }
        if !looks {
            return words;
        }
        if self.open.is_some() && !clears {
            words.extend(self.goes_on(rule, time));
        }
        if let Some(since) = self.since {
            if time >= since + hold {
                words.push(self.raise(rule, since + hold));
                if !clears {
                    words.extend(self.goes_on(rule, time));
                }
            }
            if time >= since + hold || !offends {
                self.since = None;
            }
        } else if self.open.is_none() && offends {
            if hold == 0 {
                words.push(self.raise(rule, time));
            } else {
                self.since = Some(time);
            }
        }
        if self.open.is_some() && clears {
            words.push(self.clear(rule, time));
        }
        words
    }

    /// Whether a position offends, and whether it clears; none when it is not looked at.
    fn sides(&mut self, f: &Fence, told: Told) -> Option<(bool, bool)> {
        let Shape::Circle { centre, radius_m } = f.shape else { unreachable!() };
        let (trusted, was) = (trusts(f, told), self.inside);
        let beyond_m = gridwarden_geo::distance_m(centre, [told.lon, 0.0]) - radius_m;
        let kept_m = if was == Some(true) { f.margin_m.unwrap_or(0.0) } else { 0.0 };
        let inside = beyond_m <= kept_m;
        self.inside = Some(inside);
        let offends = inside != (f.on == Crossing::Exit);
        let crossed = was.map_or(f.first_counts, |was| was != inside);
        let begins = crossed || matches!(f.on, Crossing::Inside | Crossing::Dwell);
        let goes_on = self.since.is_some() || self.open.is_some();
        trusted.then_some((offends && (begins || goes_on), !offends))
    }
}

fn fenced(lon: f64, radius_m: f64, on: Crossing, (hold_s, margin_m, accuracy_m): (u32, f64, f64)) -> Condition {
    let Condition::Fence(fence) = circle(lon, radius_m, on, false) else { unreachable!() };
    let some = |metres: f64| (metres > 0.0).then_some(metres);
    Condition::Fence(Fence { hold_s, margin_m: some(margin_m), accuracy_m: some(accuracy_m), ..fence })
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

pub(crate) fn more_rules() -> Vec<Rule> {
    let more = vec![
        rule("within", &[], fenced(0.4, 25_000.0, Crossing::Inside, (0, 9_000.0, 50.0))),
        rule("dwells", &["air"], fenced(0.1, 35_000.0, Crossing::Dwell, (25, 8_000.0, 0.0))),
        rule("away", &[], fenced(0.3, 45_000.0, Crossing::Exit, (15, 0.0, 70.0))),
        rule("stayed", &["noise"], fenced(0.6, 30_000.0, Crossing::Enter, (10, 16_000.0, 0.0))),
        rule("silent", &["air"], Condition::Silence(Silence { after_s: 30 })),
    ];
    let hourly = vec![
        hourly(rule("held", &["air", "noise"], threshold("v", Side::Above, 3.0, Some(2.0), 20))),
        hourly(rule("within", &[], fenced(0.4, 25_000.0, Crossing::Inside, (0, 9_000.0, 50.0)))),
        hourly(rule("stayed", &["noise"], fenced(0.6, 30_000.0, Crossing::Enter, (100, 16_000.0, 0.0)))),
    ];
    let told = [
        rule("above", &[], threshold("v", Side::Above, 10.0, Some(5.0), 0)),
        hourly[0].clone(),
        rule("away", &[], fenced(0.3, 45_000.0, Crossing::Exit, (15, 0.0, 70.0))),
    ];
    let told = told.map(|rule| Rule { id: format!("{}-told", rule.id), update_s: 7, ..rule });
    rules().into_iter().chain(more).chain(hourly).chain(told).collect()
}

proptest! {
    #[test]
    fn every_change_is_the_naive_ones(
        events in prop::collection::vec((0u32..4, 0i64..15_000, 0i64..20_000, 0u8..20, 0u8..100, -12i32..16), 1..120),
        lateness in 0i64..60_000,
    ) {
        let rules = more_rules();
        let mut bench = Bench::new(&rules);
        let mut naive: BTreeMap<(u32, &str), Naive> = BTreeMap::new();
        let mut appended = 0;
        for (entity, step, back, lon, accuracy, value) in events {
            appended += step;
            let kind = ["air", "noise"][entity as usize % 2];
            let told = Told {
                time: appended - back,
                lon: f64::from(lon) * 0.07 - 0.3,
                accuracy_m: f32::from(accuracy),
                value: f64::from(value),
            };
            // Before each record the holds that are due by the partition's clock.
            let rule_of = |id: &str| rules.iter().find(|rule| rule.id == id).expect("a rule");
            let states = naive.iter_mut();
            let mut due: Vec<String> =
                states.flat_map(|((_, id), state)| state.come(rule_of(id), appended - lateness)).collect();
            due.sort();
            prop_assert_eq!(said(&bench.clock(appended - lateness)), due);
            let mut expected = Vec::new();
            for rule in &rules {
                let looks = rule.select.kinds.is_empty() || rule.select.kinds.iter().any(|named| named == kind);
                if looks && rule.id != "other" {
                    let state = naive.entry((entity, rule.id.as_str())).or_default();
                    expected.extend(state.look(rule, told));
                }
            }
            expected.sort();
            let changes = bench.tell(entity, kind, told);
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
    assert_eq!(raised[0].evidence.as_slice(), [At::new(0, 0)]);
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
