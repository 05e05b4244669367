//! Rules over several entities behind the way of records (`TOG-1`, `TOG-3`): whatever comes in whatever order from whichever partition,
//! and whatever is restarted in between, they say the same.

use super::{
    saved::{copy, restart},
    *,
};
use crate::{
    checkpoint::{Section, read},
    restored::Restored,
    together::{InForce, Together},
    windows::Marks,
};
use gridwarden_domain::alert::Alert;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A desk with rules over several entities behind it, which wait for some partitions.
pub(super) struct Crowd {
    desk: Desk,
    together: Together,
    parts: BTreeSet<u16>,
    marks: Marks,
    /// All that was said.
    pub(super) alerts: Vec<Alert>,
}

impl Crowd {
    pub(super) fn new(timeline: Arc<Timeline>, parts: BTreeSet<u16>) -> Self {
        let (desk, together) = (Desk::with(timeline), Together::new(0, 1));
        Self { desk, together, parts, marks: Marks::default(), alerts: Vec::new() }
    }

    pub(super) fn take(&mut self, part: u16, appended: i64, message: &str) {
        self.desk.take(part, appended, message);
        self.alerts.append(&mut self.desk.out.alerts);
        for (_, sighting) in self.desk.out.sightings.drain(..) {
            assert!(self.together.take(sighting), "in time");
        }
        self.desk.intake.marks(1, |mark| self.marks.set(mark.domain, mark.part, mark.watermark));
        if let Some(watermark) = self.marks.watermark(LIVE, self.parts.len()) {
            self.advance(watermark);
        }
    }

    /// Nothing before a moment will come any more.
    pub(super) fn advance(&mut self, watermark: i64) {
        let in_force = InForce { timeline: Arc::clone(&self.desk.intake.mind.timeline), known_until: i64::MAX };
        self.together.advance((LIVE, watermark), &in_force, &self.desk.shared, &mut self.alerts);
    }

    /// As it is after a restart from a checkpoint of this moment.
    pub(super) fn restarted(mut self) -> Self {
        let timeline = Arc::clone(&self.desk.intake.mind.timeline);
        let mut state = copy(&mut self.desk, 0..0, |_, _| ());
        for (section, body) in self.together.pieces() {
            match section {
                Section::Together(shard) => state.together.push((shard, read("rules", &body).expect("read"))),
                Section::Waiting(_) => state.waiting.append(&mut read("sightings", &body).expect("read")),
                other => panic!("{other:?} is not of rules over several entities"),
            }
        }
        let open: BTreeSet<u128> = self.together.open_alerts().into_iter().collect();
        let (rules, waiting) = (std::mem::take(&mut state.together), std::mem::take(&mut state.waiting));
        let desk = restart(state, timeline);
        let again = crate::checkpoint::State { together: rules, waiting, names: names(&desk), ..Default::default() };
        let restored = Restored::new(again, &desk.shared.world);
        let mut together = Together::new(0, 1);
        restored.fill_together(|_| true, &mut together);
        assert_eq!(together.open_alerts().into_iter().collect::<BTreeSet<u128>>(), open, "what was open is");
        Self { desk, together, ..self }
    }
}

fn names(desk: &Desk) -> crate::checkpoint::Names {
    crate::restored::names(&desk.shared)
}

const RULES: [(&str, &str); 4] = [
    (
        "crowd",
        r#"{"id":"crowd","version":1,"title":{"en":"x"},"severity":"minor","select":{"kinds":["person"]},
            "density":{"place":{"circle":{"centre":[0.5,0.5],"radius_m":40000}},"at_least":3,"clear_below":2,"hold_s":4,"within_s":20}}"#,
    ),
    (
        "cells",
        r#"{"id":"cells","version":1,"title":{"en":"x"},"severity":"minor",
            "density":{"place":{"each":"grid"},"at_least":4,"within_s":15}}"#,
    ),
    (
        "near",
        r#"{"id":"near","version":1,"title":{"en":"x"},"severity":"minor","select":{"kinds":["truck"]},
            "proximity":{"to":{"kinds":["person"]},"within_m":9000,"clear_m":10000,"hold_s":2,"within_s":12}}"#,
    ),
    (
        "spots",
        r#"{"id":"spots","version":1,"title":{"en":"x"},"severity":"minor",
            "cluster":{"at_least":3,"within_m":9999,"within_s":25,"reports":[],"when":{"value":"t","side":"above","level":5}}}"#,
    ),
];

fn rules() -> Arc<Timeline> {
    let rules: Vec<(&str, Option<&str>, i64)> = RULES.iter().map(|(id, rule)| (*id, Some(*rule), 0)).collect();
    timeline_of(&[GRID], &rules)
}

/// What is sent: event time in seconds, who, of which kind, where.
#[derive(Clone, Debug)]
struct Sent {
    time: i64,
    who: u8,
    lon: f64,
    lat: f64,
    value: u8,
    lag: i64,
}

fn sent() -> impl Strategy<Value = Sent> {
    (0i64..120, 0u8..9, 0u8..20, 0u8..12, 0u8..10, 0i64..9).prop_map(|(time, who, east, north, value, lag)| Sent {
        time,
        who,
        lon: 0.3 + f64::from(east) * 0.05,
        lat: 0.3 + f64::from(north) * 0.05,
        value,
        lag,
    })
}

impl Sent {
    /// Each entity in a partition of its own choice, always the same.
    fn part(&self) -> u16 {
        if self.who == 8 { 2 } else { u16::from(self.who % 2) }
    }

    fn appended(&self) -> i64 {
        BASE + (self.time + self.lag) * 1000
    }

    fn message(&self, number: usize) -> String {
        let Self { who, lon, lat, value, .. } = self;
        let (time, at) = (BASE + self.time * 1000, format!(r#""position":{{"lon":{lon},"lat":{lat}}}"#));
        if *who == 8 {
            let class = r#"{"catalogue":"c","kind":"event","code":"0301"}"#;
            return format!(r#"{{"id":"r{number}","channel":"hotline","class":{class},"time":{time},{at}}}"#);
        }
        let kind = if *who < 3 { "truck" } else { "person" };
        format!(r#"{{"source":"{kind}-{who}","kind":"{kind}","time":{time},{at},"values":{{"t":{value}}}}}"#)
    }
}

const BASE: i64 = 1_000 * DAY;

/// The records of each partition, in the order of their append times.
fn logs(sent: &[Sent]) -> Vec<Vec<(i64, String)>> {
    let mut logs = vec![Vec::new(); 3];
    for (number, one) in sent.iter().enumerate() {
        logs[usize::from(one.part())].push((one.appended(), one.message(number)));
    }
    logs.iter_mut().for_each(|log| log.sort_by_key(|(appended, _)| *appended));
    logs
}

/// What is said when partitions are read in turns as `order` has it, with restarts where it is divisible by `restart`.
fn said(logs: &[Vec<(i64, String)>], order: &[u8], restart: usize) -> Vec<String> {
    let mut crowd = Crowd::new(rules(), (0..3).collect());
    let mut next = [0usize; 3];
    let mut take = |crowd: &mut Crowd, part: usize| {
        if let Some((appended, message)) = logs[part].get(next[part]) {
            next[part] += 1;
            crowd.take(part as u16, *appended, message);
        }
    };
    let rest = (0..3usize).cycle().take(3 * logs.iter().map(Vec::len).max().unwrap_or(0));
    let mut crowd_now = crowd;
    for (step, part) in order.iter().map(|part| usize::from(*part % 3)).chain(rest).enumerate() {
        take(&mut crowd_now, part);
        if restart > 0 && step % restart == 0 {
            crowd_now = crowd_now.restarted();
        }
    }
    crowd = crowd_now;
    crowd.advance(i64::MAX);
    crowd.alerts.sort_by(|one, other| (&one.id, one.seq).cmp(&(&other.id, other.seq)));
    crowd.alerts.iter().map(|alert| serde_json::to_string(alert).expect("json")).collect()
}

fn same(said: &[String], plain: &[String], how: &str) -> Result<(), TestCaseError> {
    let other = said.iter().zip(plain).find(|(one, other)| one != other);
    prop_assert_eq!(other, None, "{}", how);
    prop_assert_eq!(said.len(), plain.len(), "{}", how);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn order_between_partitions_and_restarts_change_nothing(
        sent in prop::collection::vec(sent(), 1..150),
        orders in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 2),
        restart in 1usize..20,
    ) {
        let logs = logs(&sent);
        let plain = said(&logs, &[], 0);
        same(&said(&logs, &orders[0], 0), &plain, "in another order")?;
        same(&said(&logs, &orders[1], restart), &plain, "with restarts")?;
        let raised = plain.iter().filter(|alert| alert.contains("\"raised\"")).count();
        prop_assert_eq!(raised * 2, plain.len(), "all that was raised is cleared at the end of time");
    }
}

#[test]
fn there_is_something_to_say() {
    let mut kinds = BTreeSet::new();
    let sent: Vec<Sent> = (0..400i64)
        .map(|number| Sent {
            time: number / 4,
            who: (number * 7 % 9) as u8,
            lon: 0.3 + (number % 5) as f64 * 0.05,
            lat: 0.3 + (number % 3) as f64 * 0.05,
            value: (number % 10) as u8,
            lag: number % 4,
        })
        .collect();
    for alert in said(&logs(&sent), &[], 7) {
        let alert: Alert = serde_json::from_str(&alert).expect("an alert");
        kinds.insert((alert.rule, alert.subject.named().0));
    }
    let kinds: Vec<String> = kinds.iter().map(|(rule, subject)| format!("{rule}: {subject}")).collect();
    assert_eq!(kinds, ["cells: area", "crowd: place", "near: pair", "spots: place"]);
}

/// `TOG-4`.
#[test]
fn a_rule_that_changes_ends_what_it_had_open_and_one_with_another_title_goes_on() {
    let crowd = |version: u32, at_least: u32| {
        format!(
            r#"{{"id":"crowd","version":{version},"title":{{"en":"x"}},"severity":"minor",
                "density":{{"place":{{"circle":{{"centre":[0.5,0.5],"radius_m":40000}}}},"at_least":{at_least},"within_s":600}}}}"#
        )
    };
    let cells = |version: u32, title: &str| {
        format!(
            r#"{{"id":"cells","version":{version},"title":{{"en":"{title}"}},"severity":"minor",
                "density":{{"place":{{"each":"grid"}},"at_least":3,"within_s":600}}}}"#
        )
    };
    let change = BASE + 60_000;
    let [first, second, early, late] = [crowd(1, 3), crowd(2, 2), cells(1, "early"), cells(2, "late")];
    let rules = [
        ("crowd", Some(first.as_str()), 0),
        ("cells", Some(early.as_str()), 0),
        ("crowd", Some(second.as_str()), change),
        ("cells", Some(late.as_str()), change),
    ];
    let mut crowd = Crowd::new(timeline_of(&[GRID], &rules), [0].into());
    let mut say = |who: &str, time: i64, appended: i64| {
        let message = format!(
            r#"{{"source":"{who}","kind":"person","time":{},"position":{{"lon":0.5,"lat":0.5}}}}"#,
            BASE + time * 1000
        );
        crowd.take(0, BASE + appended * 1000, &message);
    };
    say("a", 0, 0);
    say("b", 1, 1);
    say("c", 2, 2);
    // Ahead of its append time, and of the change: the rule it was seen by is gone by then.
    say("d", 62, 59);
    say("a", 65, 65);
    say("b", 66, 66);
    say("z", 90, 90);
    crowd.advance(BASE + 1_000_000);
    let words = |alert: &Alert| {
        let seconds = (alert.time - BASE) / 1000;
        format!("{seconds} {} {} {} {}", alert.rule, alert.rule_version, alert.transition.as_str(), alert.title.en)
    };
    let said: Vec<String> = crowd.alerts.iter().map(words).collect();
    let expected = [
        "2 cells 1 raised early",
        "2 crowd 1 raised x",
        "60 crowd 1 cleared x",
        "66 crowd 2 raised x",
        "665 cells 2 cleared late",
        "666 crowd 2 cleared x",
    ];
    let mut sorted = said.clone();
    sorted.sort_by_key(|line| (line.split(' ').next().and_then(|time| time.parse::<i64>().ok()), line.clone()));
    assert_eq!(sorted, expected, "as it was said: {said:?}");
}

fn person(who: &str, time: i64, lon: f64) -> String {
    format!(r#"{{"source":"{who}","kind":"person","time":{time},"position":{{"lon":{lon},"lat":0.5}}}}"#)
}

/// `TOG-4`, `TOG-3`: who left a place and is elsewhere is not shown to the rule, after a restart no more than before it.
#[test]
fn a_rule_that_goes_names_the_same_record_after_a_restart() {
    const PAIR: &str = r#"{"id":"pair","version":1,"title":{"en":"x"},"severity":"minor",
        "density":{"place":{"circle":{"centre":[0.5,0.5],"radius_m":10000}},"at_least":2,"within_s":600}}"#;
    let timeline = timeline_of(&[GRID], &[("pair", Some(PAIR), 0), ("pair", None, BASE + 60_000)]);
    let causes = |is_restarted: bool| {
        let mut crowd = Crowd::new(Arc::clone(&timeline), [0].into());
        let say = |crowd: &mut Crowd, who: &str, second: i64, lon: f64| {
            let time = BASE + second * 1000;
            crowd.take(0, time, &person(who, time, lon));
        };
        for (second, who, lon) in [(0, "a", 0.5), (1, "b", 0.5), (2, "c", 0.5), (3, "a", 0.9)] {
            say(&mut crowd, who, second, lon);
        }
        crowd.advance(BASE + 10_000);
        if is_restarted {
            crowd = crowd.restarted();
        }
        say(&mut crowd, "a", 20, 0.9);
        crowd.advance(i64::MAX);
        crowd.alerts.iter().map(|alert| (alert.transition.as_str(), alert.cause.offset)).collect::<Vec<_>>()
    };
    assert_eq!(causes(false), [("raised", 1), ("cleared", 3)]);
    assert_eq!(causes(true), causes(false));
}

/// `TOG-3`, `TOG-4`: who left a place is not shown to the rule again, though the rule that comes after it has seen him there by then:
/// what is appended later may have happened earlier.
#[test]
fn who_left_is_not_shown_to_a_rule_because_the_one_after_it_knows_him() {
    let pair = |at_least: u32| {
        format!(
            r#"{{"id":"pair","version":{at_least},"title":{{"en":"x"}},"severity":"minor",
            "density":{{"place":{{"circle":{{"centre":[0.5,0.5],"radius_m":10000}}}},"at_least":{at_least},"within_s":600}}}}"#
        )
    };
    let (before, after) = (pair(2), pair(9));
    let changes = BASE + 3_000;
    let timeline = timeline_of(&[GRID], &[("pair", Some(&before), 0), ("pair", Some(&after), changes)]);
    let mut crowd = Crowd::new(timeline, [0, 1].into());
    let (here, elsewhere) = (0.5, 0.9);
    let messages = [
        ("a", 0, 0, here),
        ("b", 1_000, 1_000, here),
        ("c", 2_000, 2_000, here),
        ("d", 2_100, 2_100, here),
        ("d", 2_500, 2_500, elsewhere),
        ("d", 2_700, 2_700, elsewhere),
        ("d", 2_200, 3_500, here),
    ];
    for (who, time, appended, lon) in messages {
        crowd.take(0, BASE + appended, &person(who, BASE + time, lon));
    }
    crowd.advance(i64::MAX);
    let said: Vec<_> = crowd.alerts.iter().map(|alert| (alert.transition.as_str(), alert.cause.offset)).collect();
    assert_eq!(said, [("raised", 1), ("cleared", 4)], "when it goes, by what it was shown last");
}
