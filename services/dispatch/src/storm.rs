//! The storm brake: a rule that raises more alerts in a minute than people can look at is one storm to those who are told, not a thousand
//! alerts. Pure.
//!
//! Nothing is lost: every alert stands in `alerts.v1`, in the tables and in the list of open ones; what was held back is counted, and
//! written to the ledger with its reason. A storm is an alert of its own: raised when its first minute goes beyond the limit, cleared when a
//! whole minute stayed within it.
//!
//! * `DSP-10` minutes are those in which alerts were appended, so history read again brakes as it did.
//! * `DSP-11` a storm's id is a function of rule and first minute, so that the ledger knows who was told of it.

use gridwarden_domain::alert::{Alert, Subject, Transition};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

const MINUTE_MS: i64 = 60_000;

/// What kind of alert a storm is.
pub const KIND: &str = "storm";

/// How often each rule raises.
#[derive(Debug)]
pub struct Storms {
    /// Raises a minute, for rules that say nothing of it.
    limit: u32,
    rules: HashMap<String, Rule>,
}

/// A rule's newest minute, and its storm.
#[derive(Debug, Default)]
struct Rule {
    minute: i64,
    raised: u32,
    storm: Option<Storm>,
}

#[derive(Debug)]
struct Storm {
    /// As it was raised.
    alert: Alert,
    /// The newest minute beyond the limit.
    last: i64,
    held_back: u64,
}

/// What an alert means for its rule.
#[derive(Debug, Default, PartialEq)]
pub struct Counted {
    /// Whether it is held back.
    pub held_back: bool,
    /// Storms that begin or end with it.
    pub notices: Vec<Alert>,
}

impl Storms {
    /// No storm yet; rules that do not say otherwise may raise so many alerts a minute.
    pub fn new(limit: u32) -> Self {
        Self { limit, rules: HashMap::new() }
    }

    /// Counts a transition that is new, appended at a moment.
    pub fn count(&mut self, alert: &Alert, appended_ms: i64) -> Counted {
        if alert.transition != Transition::Raised {
            return Counted::default();
        }
        let limit = alert.storm_per_minute.unwrap_or(self.limit);
        let minute = appended_ms.div_euclid(MINUTE_MS);
        let rule = self.rules.entry(alert.rule.clone()).or_default();
        let mut notices = Vec::new();
        if minute > rule.minute {
            notices.extend(rule.end_before(minute));
            (rule.minute, rule.raised) = (minute, 0);
        }
        rule.raised = rule.raised.saturating_add(1);
        if rule.raised <= limit {
            return Counted { held_back: false, notices };
        }
        match &mut rule.storm {
            Some(storm) => {
                storm.last = storm.last.max(minute);
                storm.held_back += 1;
            }
            None => {
                let storm = begun(alert, rule.minute, (rule.raised, limit));
                notices.push(storm.clone());
                rule.storm = Some(Storm { alert: storm, last: minute, held_back: 1 });
            }
        }
        Counted { held_back: true, notices }
    }

    /// Storms that are over by a moment, though nothing came.
    pub fn over_by(&mut self, now_ms: i64) -> Vec<Alert> {
        let minute = now_ms.div_euclid(MINUTE_MS);
        self.rules.values_mut().filter_map(|rule| rule.end_before(minute)).collect()
    }

    /// Rules in a storm, each with how many alerts were held back.
    pub fn all(&self) -> impl Iterator<Item = (&Alert, u64)> {
        self.rules.values().filter_map(|rule| rule.storm.as_ref()).map(|storm| (&storm.alert, storm.held_back))
    }
}

impl Rule {
    /// Ends a storm when the minute before this one was calm.
    fn end_before(&mut self, minute: i64) -> Option<Alert> {
        let storm = self.storm.take_if(|storm| storm.last < minute - 1)?;
        let time = (storm.last + 1) * MINUTE_MS;
        Some(Alert {
            seq: 2,
            transition: Transition::Cleared,
            time: time.max(storm.alert.raised_at),
            value: Some(storm.held_back as f64),
            ..storm.alert
        })
    }
}

/// A storm, told by the alert that went beyond the limit.
fn begun(alert: &Alert, minute: i64, (raised, limit): (u32, u32)) -> Alert {
    let time = minute * MINUTE_MS;
    let digest = Sha256::digest(format!("storm\n{}\n{minute}", alert.rule));
    Alert {
        id: hex::encode(digest).get(..32).unwrap_or_default().to_owned(),
        seq: 1,
        transition: Transition::Raised,
        kind: KIND.to_owned(),
        subject: Subject::Place(alert.rule.clone()),
        time,
        raised_at: time,
        position: None,
        areas: Vec::new(),
        metric: None,
        value: Some(f64::from(raised)),
        level: Some(f64::from(limit)),
        evidence: Vec::new(),
        ..alert.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const BEGIN: i64 = 1_800_000_000_000;

    fn raised(rule: &str, limit: Option<u32>) -> Alert {
        Alert { rule: rule.to_owned(), storm_per_minute: limit, ..sample::alert(1) }
    }

    /// So many raises in a minute: how many were held back, and what was said of storms.
    fn minute(
        storms: &mut Storms,
        alert: &Alert,
        number: i64,
        count: u32,
    ) -> (u32, Vec<(Transition, u32, Option<f64>)>) {
        let (mut held, mut said) = (0, Vec::new());
        for _ in 0..count {
            let counted = storms.count(alert, BEGIN + number * MINUTE_MS);
            held += u32::from(counted.held_back);
            said.extend(counted.notices.iter().map(|notice| (notice.transition, notice.seq, notice.value)));
        }
        (held, said)
    }

    #[test]
    fn beyond_the_limit_is_one_storm_until_a_minute_is_calm() {
        let (mut storms, alert) = (Storms::new(10), raised("hot", None));
        assert_eq!(minute(&mut storms, &alert, 0, 10), (0, vec![]));
        assert_eq!(minute(&mut storms, &alert, 1, 15), (5, vec![(Transition::Raised, 1, Some(11.0))]));
        assert_eq!(minute(&mut storms, &alert, 2, 30), (20, vec![]), "it goes on");
        assert_eq!(minute(&mut storms, &alert, 3, 4), (0, vec![]), "the minute before was no calm one");
        assert_eq!(minute(&mut storms, &alert, 4, 1), (0, vec![(Transition::Cleared, 2, Some(25.0))]));
        assert_eq!(storms.all().count(), 0);
    }

    #[test]
    fn a_storm_ends_though_nothing_comes() {
        let mut storms = Storms::new(2);
        minute(&mut storms, &raised("hot", None), 0, 5);
        assert_eq!(storms.over_by(BEGIN + 2 * MINUTE_MS - 1), []);
        let over = storms.over_by(BEGIN + 2 * MINUTE_MS);
        assert_eq!((over.len(), over[0].value, over[0].time), (1, Some(3.0), BEGIN + MINUTE_MS));
        assert_eq!(storms.over_by(BEGIN + 9 * MINUTE_MS), []);
    }

    #[test]
    fn each_rule_has_its_own_limit_and_its_own_storm() {
        let mut storms = Storms::new(3);
        assert_eq!(minute(&mut storms, &raised("few", Some(1)), 0, 3).0, 2);
        assert_eq!(minute(&mut storms, &raised("many", Some(100)), 0, 50).0, 0);
        assert_eq!(minute(&mut storms, &raised("other", None), 0, 3).0, 0);
        let storm = storms.all().next().map(|(alert, held)| (alert.rule.clone(), alert.kind.clone(), held));
        assert_eq!(storm, Some(("few".to_owned(), KIND.to_owned(), 2)));
        // Ends of alerts are no alerts.
        let cleared = Alert { transition: Transition::Cleared, ..raised("few", Some(1)) };
        assert_eq!(minute(&mut storms, &cleared, 0, 9), (0, vec![]));
    }

    #[test]
    fn history_read_again_brakes_as_it_did() {
        let run = || {
            let (mut storms, alert) = (Storms::new(2), raised("hot", None));
            let mut said = Vec::new();
            for (number, count) in [(0, 4), (1, 5), (7, 3)] {
                for _ in 0..count {
                    let notices = storms.count(&alert, BEGIN + number * MINUTE_MS).notices;
                    said.extend(notices.into_iter().map(|notice| format!("{}.{}", notice.id, notice.seq)));
                }
            }
            said
        };
        let first = run();
        assert_eq!((first.len(), first == run()), (3, true), "{first:?}");
    }
}
