//! `ORD-1`, `ORD-2`: what comes shuffled is seen in order, restarts or not, against an evaluator that sorts everything first.

use super::{
    saved::{copy, restart},
    *,
};
use crate::rules::tests::{Naive, Told, more_rules};
use gridwarden_domain::{
    alert::Alert,
    rule::{Condition, Rule},
};
use proptest::prelude::*;

/// The rules of the brute force, but for silences: order is nothing to them.
fn rules(reorder_s: u32) -> Vec<Rule> {
    let asks = |rule: &Rule| !matches!(rule.condition, Condition::Silence(_));
    let mut rules: Vec<Rule> = more_rules().into_iter().filter(asks).map(|rule| Rule { reorder_s, ..rule }).collect();
    for rule in &mut rules {
        // Documents allow no more than this.
        if let Condition::Fence(fence) = &mut rule.condition {
            fence.margin_m = fence.margin_m.map(|margin| margin.min(10_000.0));
        }
    }
    rules
}

fn in_force(rules: &[Rule]) -> Arc<Timeline> {
    let texts: Vec<String> = rules.iter().map(|rule| serde_json::to_string(rule).expect("json")).collect();
    let records: Vec<(&str, Option<&str>, i64)> =
        rules.iter().zip(&texts).map(|(rule, text)| (rule.id.as_str(), Some(text.as_str()), 0)).collect();
    timeline_of(&[GRID], &records)
}

/// What is sent, and how much later it comes.
#[derive(Clone, Debug)]
struct Sent {
    entity: u32,
    time: i64,
    lag: i64,
    lon: f64,
    accuracy_m: f32,
    value: f64,
}

impl Sent {
    fn kind(&self) -> &'static str {
        if self.entity.is_multiple_of(2) { "air" } else { "noise" }
    }

    fn message(&self) -> String {
        let Self { entity, time, lon, accuracy_m, value, .. } = self;
        let position = format!(r#"{{"lon":{lon},"lat":0,"accuracy_m":{accuracy_m}}}"#);
        let kind = self.kind();
        format!(
            r#"{{"source":"e{entity}","kind":"{kind}","time":{time},"position":{position},"values":{{"v":{value}}}}}"#
        )
    }

    fn told(&self) -> Told {
        Told { time: self.time, lon: self.lon, accuracy_m: self.accuracy_m, value: self.value }
    }
}

/// None comes later than `reorder_s`; in the order they come.
fn sent(reorder_s: u32) -> impl Strategy<Value = Vec<Sent>> {
    let lag = 0..=i64::from(reorder_s) * 1000;
    let one = (0u32..4, 0i64..900_000, lag, 0u8..20, 0u8..100, -12i32..16).prop_map(|sent| {
        let (entity, time, lag, lon, accuracy, value) = sent;
        let lon = (f64::from(lon) * 7.0 - 30.0) / 100.0;
        Sent { entity, time, lag, lon, accuracy_m: f32::from(accuracy), value: f64::from(value) }
    });
    prop::collection::vec(one, 1..90).prop_map(|mut sent| {
        sent.sort_by_key(|sent| sent.time + sent.lag);
        sent
    })
}

fn words(alert: &Alert) -> String {
    let sign = match alert.transition {
        Transition::Raised => '+',
        Transition::Updated => '~',
        _ => '-',
    };
    format!("{} {sign}{}@{}#{}", alert.subject.named().1, alert.rule, alert.time, alert.seq)
}

/// What is to be said, by the obvious way: all of an entity in order, rule by rule.
fn brute_force(sent: &[Sent], rules: &[Rule]) -> Vec<String> {
    let mut sorted: Vec<&Sent> = sent.iter().collect();
    sorted.sort_by_key(|sent| sent.time);
    let mut said = Vec::new();
    for rule in rules.iter().filter(|rule| rule.id != "other") {
        for entity in 0..4 {
            let mut naive = Naive::default();
            let looks = |sent: &&&Sent| {
                let kinds = &rule.select.kinds;
                sent.entity == entity && (kinds.is_empty() || kinds.iter().any(|kind| kind == sent.kind()))
            };
            let mut words: Vec<String> =
                sorted.iter().filter(looks).flat_map(|sent| naive.look(rule, sent.told())).collect();
            words.extend(naive.come(rule, i64::MAX / 2));
            said.extend(words.into_iter().map(|words| format!("e{entity} {words}")));
        }
    }
    said.sort();
    said
}

fn histories() -> impl Strategy<Value = (u32, Vec<Sent>)> {
    (1u32..40).prop_flat_map(|reorder_s| (Just(reorder_s), sent(reorder_s)))
}

/// Long after everything: all have their turn, all holds are due.
fn end(desk: &mut Desk) {
    desk.take(0, 100_000_000, r#"{"source":"clock","kind":"clock","time":100000000}"#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn what_comes_shuffled_is_seen_in_order((reorder_s, sent) in histories(), cut in 0usize..90) {
        let rules = rules(reorder_s);
        let mut desk = Desk::with(in_force(&rules));
        let mut said = Vec::new();
        for (number, sent) in sent.iter().enumerate() {
            if number == cut {
                said.extend(desk.out.alerts.drain(..).map(|alert| words(&alert)));
                let state = copy(&mut desk, 0..0, |_, _| ());
                desk = restart(state, in_force(&rules));
            }
            desk.take(0, sent.time + sent.lag, &sent.message());
        }
        end(&mut desk);
        said.extend(desk.out.alerts.iter().map(words));
        // The clock has no position, and no value but one nobody looks at.
        said.retain(|words| !words.contains("+other"));
        said.sort();
        prop_assert_eq!(said, brute_force(&sent, &rules));
        prop_assert_eq!(desk.count("too late for order"), 0);
    }
}

const STAYS: &str = r#"{"id":"over","version":1,"title":{"en":"x"},"severity":"minor","reorder_s":5,
    "threshold":{"value":"v","side":"above","level":10}}"#;

fn over(reorder_s: u32, version: u32) -> String {
    STAYS
        .replace(r#""reorder_s":5"#, &format!(r#""reorder_s":{reorder_s}"#))
        .replace(r#""version":1"#, &format!(r#""version":{version}"#))
}

fn tell(desk: &mut Desk, (time, appended): (i64, i64), value: f64) -> Vec<String> {
    let sent = Sent { entity: 0, time, lag: 0, lon: 0.5, accuracy_m: 1.0, value };
    desk.take(0, appended, &sent.message());
    desk.out.alerts.drain(..).map(|alert| words(&alert)).collect()
}

#[test]
fn what_comes_too_late_for_its_place_is_looked_at_as_it_comes() {
    let mut desk = Desk::with(timeline_of(&[GRID], &[("over", Some(STAYS), 0)]));
    assert_eq!(tell(&mut desk, (100_000, 100_000), 11.0), [""; 0], "it waits");
    assert_eq!(tell(&mut desk, (106_000, 106_000), 11.0), ["e0 +over@100000#1"]);
    assert_eq!(tell(&mut desk, (100_999, 106_000), 9.0), ["e0 -over@100999#2"], "5 s and a little late");
    assert_eq!(tell(&mut desk, (200_000, 200_000), 11.0), ["e0 +over@106000#1"]);
    assert_eq!((desk.count("too late for order"), desk.count("before their turn")), (1, 0));
}

#[test]
fn the_first_have_their_turn_early_when_too_many_wait() {
    let mut desk = Desk::with(timeline_of(&[GRID], &[("over", Some(STAYS), 0)]));
    desk.shared.world.remembered.reordered = 2;
    assert_eq!(tell(&mut desk, (101_000, 101_000), 11.0), [""; 0]);
    assert_eq!(tell(&mut desk, (100_000, 101_000), 9.0), [""; 0]);
    assert_eq!(tell(&mut desk, (102_000, 102_000), 12.0), [""; 0], "the first of the three says nothing");
    assert_eq!(tell(&mut desk, (103_000, 103_000), 9.0), ["e0 +over@101000#1"]);
    assert_eq!((desk.count("too late for order"), desk.count("before their turn")), (0, 2));
}

#[test]
fn a_rule_that_waits_longer_is_another_one_and_one_that_waits_as_long_is_not() {
    let (same, longer) = (over(5, 2), over(9, 3));
    let in_force = |until: usize| {
        let all = [
            ("over", Some(STAYS), 0),
            ("over", Some(same.as_str()), 150_000),
            ("over", Some(longer.as_str()), 200_000),
            ("over", None, 250_000),
        ];
        timeline_of(&[GRID], &all[..until])
    };
    let mut desk = Desk::with(in_force(4));
    tell(&mut desk, (100_000, 100_000), 11.0);
    assert_eq!(tell(&mut desk, (120_000, 120_000), 11.0), ["e0 +over@100000#1"]);
    assert_eq!(tell(&mut desk, (160_000, 160_000), 11.0), [""; 0], "a new version that asks the same");
    assert_eq!(
        tell(&mut desk, (201_000, 201_000), 11.0),
        ["e0 -over@201000#2", "e0 +over@160000#1"],
        "another rule, which looks at what waited"
    );
    let state = copy(&mut desk, 0..0, |_, _| ());
    let mut again = restart(state, in_force(4));
    for desk in [&mut desk, &mut again] {
        assert_eq!(tell(desk, (210_000, 210_000), 11.0), [""; 0], "it is open");
        assert_eq!(tell(desk, (260_000, 260_000), 11.0), ["e0 -over@260000#2"], "removed");
        assert_eq!(tell(desk, (270_000, 270_000), 11.0), [""; 0]);
    }
}
