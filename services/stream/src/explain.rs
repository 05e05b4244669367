//! `explain`: a single observation in; of every rule whether it looks at it, what it sees, or why not. Pure.

use crate::{
    intern::{MetricNames, Views},
    rules::{
        Book, Books, Limits, Ready, Who,
        explain::{Event, Finding, explain as look},
    },
};
use gridwarden_domain::{
    control::{RuleSet, Timeline},
    locate::Places,
    observation::{ObservationRef, Position},
    rule::State,
    value::Fixed,
};
use jiff::tz::TimeZone;
use serde::Serialize;
use std::sync::Arc;

/// What a rule makes of an observation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// The rule.
    pub rule: String,
    /// Its version.
    pub version: u32,
    /// Its kind.
    pub kind: &'static str,
    /// Whether it looks at the observation.
    pub looks: bool,
    /// Whether the observation offends under it, or counts.
    pub matches: bool,
    /// What it sees, or why it does not look.
    pub why: String,
}

impl Explained {
    /// `+` where it matches, `-` where it is looked at and does not, else a space.
    pub fn sign(&self) -> char {
        match (self.matches, self.looks) {
            (true, _) => '+',
            (false, true) => '-',
            (false, false) => ' ',
        }
    }
}

/// Why one looks at nothing; a draft is explained as if it were in force.
const RETIRED: &str = "the rule is retired";

/// What rules make of an observation, with layers and registry as they are at the end of a timeline. Memory of the index of fences: so
/// many MiB.
pub fn explain(
    observation: &ObservationRef<'_>,
    rules: &Arc<RuleSet>,
    (timeline, zone): (&Timeline, &TimeZone),
    fences_mib: usize,
) -> Vec<Explained> {
    let (views, names) = (Views::default(), MetricNames::default());
    let books = Books::restored(Limits { shapes_mib: fences_mib }, &[]).in_zone(zone.clone());
    let view = views.of(timeline.layers_at(i64::MAX));
    let book = books.of(rules, &view, (&views, &names));
    let position = observation.position.or_else(|| registered(timeline, &observation.source));
    let mut places = Places::new();
    if let Some(Position { lon, lat, .. }) = position {
        view.set.locate(lon, lat, observation.time_ms, &mut places);
    }
    let areas: Vec<u32> = places.iter().flat_map(|place| view.chain(view.place(*place)).iter().copied()).collect();
    let values: Vec<(&str, Fixed)> = observation.values.iter().map(|(name, value)| (&**name, *value)).collect();
    let event = Event {
        // A kind no rule could be told apart by is one that none selects.
        who: Who {
            source: &observation.source,
            kind: names.kind(&observation.kind).unwrap_or(u16::MAX),
            areas: &areas,
        },
        time: observation.time_ms,
        position,
        values: &values,
    };
    let explained = |(book, slot, ready): (&Book, u32, &Ready)| {
        let (looks, matches, why) = match look(book, (slot, ready), &event) {
            _ if ready.rule.state == State::Retired => (false, false, RETIRED.to_owned()),
            Finding::Out(out) => (false, false, out.words().to_owned()),
            Finding::In(why) => (true, true, why),
            Finding::Not(why) => (true, false, why),
        };
        let (rule, kind) = (&ready.rule, ready.rule.condition.kind());
        Explained { rule: rule.id.clone(), version: rule.version, kind, looks, matches, why }
    };
    let mut all: Vec<Explained> = book.all().map(explained).collect();
    all.sort_by(|one, other| one.rule.cmp(&other.rule));
    all
}

fn registered(timeline: &Timeline, source: &str) -> Option<Position> {
    timeline.entity_at(source, i64::MAX)?.position
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::{control::Fold, decode::Decoder, rule};

    const RULES: [(&str, &str); 8] = [
        ("hot", r#""threshold":{"value":"t","side":"above","level":30}"#),
        ("cold", r#""threshold":{"value":"t","side":"below","level":-5}"#),
        ("wet", r#""threshold":{"value":"h","side":"above","level":90}"#),
        ("of-noise", r#""select":{"kinds":["noise"]},"threshold":{"value":"t","side":"above","level":30}"#),
        ("of-another", r#""select":{"sources":["s-2"]},"silence":{"after_s":60}"#),
        (
            "at-night",
            r#""schedule":{"periods":[{"from":"22:00","to":"05:00"}]},"threshold":{"value":"t","side":"above","level":30}"#,
        ),
        ("near", r#""fence":{"shape":{"circle":{"centre":[0.5,0.5],"radius_m":1000}},"on":"enter"}"#),
        ("many", r#""density":{"place":{"circle":{"centre":[0.5,0.5],"radius_m":50000}},"at_least":3,"within_s":60}"#),
    ];

    fn told(observation: &str) -> Vec<String> {
        let mut fold = Fold::new();
        for (id, condition) in RULES {
            let rule = format!(r#"{{"id":"{id}","version":1,"title":{{"en":"x"}},"severity":"minor",{condition}}}"#);
            fold.rule(id.as_bytes(), Some(rule.as_bytes()), 0).expect("a rule");
        }
        let timeline = fold.timeline();
        let decoder = Decoder::observations();
        let observation = decoder.observation(observation.as_bytes()).expect("an observation");
        let explained = explain(&observation, timeline.rules_at(i64::MAX), (&timeline, &TimeZone::UTC), 1);
        let words = |one: &Explained| format!("{}{}: {}", one.sign(), one.rule, one.why);
        explained.iter().map(words).collect()
    }

    #[test]
    fn every_rule_says_what_it_sees_or_why_it_does_not_look() {
        let warm = r#"{"source":"s-1","kind":"air","time":"2026-01-01T12:00:00Z","position":{"lon":0.55,"lat":0.5},"values":{"t":31}}"#;
        assert_eq!(
            told(warm),
            [
                " at-night: it lies outside the hours in which the rule looks",
                "-cold: t = 31 is not below -5",
                "+hot: t = 31 is above 30",
                "+many: it counts: it lies in a place of the rule",
                "-near: it is 4560 m outside",
                " of-another: the rule selects other entities",
                " of-noise: the rule selects other kinds",
                " wet: it does not have the value the rule looks at",
            ]
        );
        let nowhere = r#"{"source":"s-2","kind":"air","time":"2026-01-01T23:00:00Z","values":{"t":31}}"#;
        let told = told(nowhere);
        assert_eq!(told[0], "+at-night: t = 31 is above 30");
        assert_eq!(told[4], " near: it does not say where it is, and the registry does not know");
        assert_eq!(told[5], "-of-another: it spoke: it is silent if nothing follows within 60 s");
    }

    #[test]
    fn a_retired_rule_looks_at_nothing_and_a_draft_as_if_it_were_in_force() {
        let rule = |state: &str| {
            let text = format!(
                r#"{{"id":"{state}","version":1,"title":{{"en":"x"}},"severity":"minor","state":"{state}","threshold":{{"value":"t","side":"above","level":30}}}}"#
            );
            Arc::new(rule::read(text.as_bytes()).expect("a rule"))
        };
        let rules = Arc::new(RuleSet { revision: 1, rules: vec![rule("draft"), rule("retired")] });
        let text = r#"{"source":"s","kind":"air","time":"2026-01-01T12:00:00Z","values":{"t":31}}"#;
        let decoder = Decoder::observations();
        let observation = decoder.observation(text.as_bytes()).expect("an observation");
        let explained = explain(&observation, &rules, (&Timeline::default(), &TimeZone::UTC), 1);
        let said: Vec<_> = explained.iter().map(|one| (one.sign(), one.why.as_str())).collect();
        assert_eq!(said, [('+', "t = 31 is above 30"), (' ', RETIRED)]);
    }
}
