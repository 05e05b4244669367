//! Alerts of two sets, told apart.

use super::super::{
    Source,
    incidents::{Incident, Sign},
    sets::{Against, Candidates},
};
use super::*;
use gridwarden_domain::{
    control::RuleSet,
    identity::TopicId,
    rule::{self, Certainty, Rule, Urgency},
    text::Text,
};
use std::sync::Arc;

fn hot(id: &str, level: u32) -> Rule {
    let text = format!(
        r#"{{"id":"{id}","version":1,"title":{{"en":"x"}},"severity":"critical","threshold":{{"value":"t","side":"above","level":{level}}}}}"#
    );
    rule::read(text.as_bytes()).expect("a rule")
}

fn sets(active: &[Rule], tried: &[Rule], whole: bool, against: Against) -> Sets {
    let active = RuleSet { revision: 3, rules: active.iter().cloned().map(Arc::new).collect() };
    Sets::new(&Candidates { rules: tried.to_vec(), whole }, (against, &active)).expect("sets")
}

/// `name minute+ source` raises, `-` clears.
fn tally(sets: Sets, lines: &[&str]) -> Outcome {
    tally_from(0, sets, lines)
}

fn tally_from(from_ms: i64, sets: Sets, lines: &[&str]) -> Outcome {
    tally_with((from_ms, Vec::new()), sets, lines)
}

fn tally_with((from_ms, incidents): (i64, Vec<Incident>), sets: Sets, lines: &[&str]) -> Outcome {
    let mut tally = Tally::new(sets, from_ms);
    for (number, line) in lines.iter().enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, when, source] = words[..] else { panic!("{line}") };
        let (minute, sign) = when.split_at(when.len() - 1);
        let time = minute.parse::<i64>().expect("minutes") * 60_000;
        let transition = if sign == "+" { Transition::Raised } else { Transition::Cleared };
        let cause = RecordId { topic_id: TopicId(1), partition: 0, offset: number as i64 };
        tally.take(
            1,
            &[Alert {
                id: format!("{name}/{source}"),
                seq: 1,
                transition,
                generation: 0,
                rule: name.to_owned(),
                rule_version: 1,
                kind: "threshold".to_owned(),
                severity: Severity::Critical,
                urgency: Urgency::default(),
                certainty: Certainty::default(),
                title: Text::default(),
                subject: Subject::Entity(source.to_owned()),
                time,
                raised_at: time,
                appended_at: time,
                cause,
                position: Some(Position { lon: 0.0, lat: 0.0, accuracy_m: None }),
                areas: vec![AreaRef { layer: "grid".to_owned(), code: source.to_owned() }],
                metric: None,
                value: Some(1.0),
                level: None,
                evidence: Vec::new(),
                storm_per_minute: None,
                simulated: false,
            }],
        );
    }
    let candidates = Candidates { rules: Vec::new(), whole: true };
    let asked = Asked {
        candidates,
        against: Against::Active,
        source: Source::Archive,
        from_ms,
        to_ms: i64::MAX,
        incidents,
        warm_up_ms: 0,
    };
    tally.outcome(&asked, 1.0)
}

fn told(outcome: &Outcome) -> Vec<String> {
    let change = |change: &Change| {
        let Subject::Entity(source) = &change.episode.subject else { panic!("an entity") };
        let was = change.was.map_or(String::new(), |(raised, _)| format!(" was {}", raised / 60_000));
        format!("{:?} {} {source} {}{was}", change.what, change.episode.rule, change.episode.raised_at / 60_000)
    };
    outcome.changes.iter().map(change).collect()
}

#[test]
fn a_changed_rule_runs_twice_and_the_rest_once() {
    let sets = sets(&[hot("a", 30), hot("b", 1)], &[hot("a", 20), hot("c", 5)], false, Against::Active);
    let names: Vec<String> = sets.union().rules.iter().map(|rule| rule.id.clone()).collect();
    assert_eq!(names, ["a\u{1}", "a\u{2}", "b", "c\u{2}"]);
    let outcome = tally(sets, &[]);
    let states: Vec<(&str, &str)> = outcome.rules.iter().map(|of| (of.rule.as_str(), of.state)).collect();
    assert_eq!(states, [("a", "changed"), ("b", "same"), ("c", "new")]);
}

#[test]
fn a_whole_set_leaves_out_what_it_does_not_name_and_nothing_is_compared_with_nothing() {
    let of = |whole, against| {
        let outcome = tally(sets(&[hot("a", 30), hot("b", 1)], &[hot("a", 30)], whole, against), &[]);
        outcome.rules.iter().map(|of| format!("{} {}", of.rule, of.state)).collect::<Vec<_>>()
    };
    assert_eq!(of(true, Against::Active), ["a same", "b gone"]);
    assert_eq!(of(false, Against::Active), ["a same", "b same"]);
    assert_eq!(of(true, Against::Nothing), ["a new"]);
    let twice = Candidates { rules: vec![hot("a", 1), hot("a", 2)], whole: true };
    let error = Sets::new(&twice, (Against::Nothing, &RuleSet::default())).expect_err("twice");
    assert_eq!(error.to_string(), "rule a stands twice among those to try");
}

#[test]
fn alerts_that_overlap_are_one_and_the_rest_is_added_or_removed() {
    let sets = sets(&[hot("a", 30), hot("b", 1)], &[hot("a", 20)], false, Against::Active);
    let outcome = tally(
        sets,
        &[
            "a\u{2} 0+ s",
            "a\u{1} 2+ s",
            "a\u{1} 4- s",
            "a\u{2} 5- s",
            "a\u{2} 6+ t",
            "b 7+ s",
            "a\u{1} 8+ u",
            "a\u{1} 9- u",
            "a\u{2} 10+ u",
            "a\u{1} 70+ v",
            "a\u{2} 70+ v",
        ],
    );
    assert_eq!(told(&outcome), ["Changed a s 0 was 2", "Added a t 6", "Removed a u 8", "Added a u 10"]);
    assert_eq!((outcome.before.alerts, outcome.after.alerts), (4, 5));
    assert_eq!((outcome.before.worst_hour, outcome.after.worst_hour, outcome.after.worst_hour_at), (3, 4, Some(0)));
    assert_eq!(outcome.after.critical, 5);
    let count = Count { before: 3, after: 4, added: 2, removed: 1, changed: 1 };
    assert_eq!(outcome.rules[0], OfRule { rule: "a".to_owned(), state: "changed", count });
    assert_eq!(outcome.rules[1].count, Count { before: 1, after: 1, ..Count::default() });
    let of_t = outcome.areas.iter().find(|of| of.area.as_ref().is_some_and(|area| area.code == "t")).expect("t");
    assert_eq!(of_t.count, Count { after: 1, added: 1, ..Count::default() });
}

#[test]
fn what_was_raised_while_warming_up_does_not_count() {
    let lines = ["a\u{2} 5+ s", "a\u{2} 6+ t", "a\u{2} 7- s", "a\u{2} 8- t"];
    let of = |minute: i64| {
        let sets = sets(&[], &[hot("a", 1)], true, Against::Nothing);
        told(&tally_from(minute * 60_000, sets, &lines))
    };
    assert_eq!(of(5), ["Added a s 5", "Added a t 6"]);
    assert_eq!(of(6), ["Added a t 6"]);
}

#[test]
fn incidents_are_told_of_by_alerts_of_their_time_and_place() {
    let incident = |id: &str, minutes: (i64, i64), sign: Sign| Incident {
        id: id.to_owned(),
        from_ms: minutes.0 * 60_000,
        to_ms: minutes.1 * 60_000,
        signs: vec![Sign::Source("nobody".to_owned()), sign],
    };
    let source = |name: &str| Sign::Source(name.to_owned());
    let area = |code: &str| Sign::Area(AreaRef { layer: "grid".to_owned(), code: code.to_owned() });
    let incidents = vec![
        incident("kept", (1, 2), source("s")),
        incident("lost", (8, 9), area("u")),
        incident("won", (4, 5), source("s")),
        incident("too late", (30, 40), source("s")),
        incident("near", (8, 9), Sign::Near([0.001, 0.0], 112.0)),
        incident("far", (8, 9), Sign::Near([0.001, 0.0], 111.0)),
    ];
    let sets = sets(&[hot("a", 30)], &[hot("a", 20)], false, Against::Active);
    let lines = ["a\u{2} 0+ s", "a\u{1} 2+ s", "a\u{1} 3- s", "a\u{2} 5- s", "a\u{1} 8+ u", "a\u{1} 10- u"];
    let told = tally_with((0, incidents), sets, &lines).incidents;
    assert_eq!((told.given, told.before, told.after), (6, 3, 2));
    assert_eq!((told.lost, told.won), (vec!["lost".to_owned(), "near".to_owned()], vec!["won".to_owned()]));
    assert_eq!(told.missed, ["too late", "far"]);
}
