//! The storm brake: a rule that raises more alerts in a minute than people can look at is one storm to those who are told, not a thousand
//! alerts. Pure.
//!
//! Nothing is lost: every alert stands in `alerts.v1`, in the tables and in the list of open ones; what was held back is counted, and
//! written to the ledger with its reason. A storm is an alert of its own: raised when its first minute goes beyond the limit, cleared when a
//! whole minute stayed within it. Minutes beyond the limit that follow each other are one storm.
//!
//! * `DSP-10` minutes are those in which alerts were appended, and each is counted by itself: history read again brakes as it did, in
//!   whatever order its partitions come. Of history nothing is told before all of it is read.
//! * `DSP-11` a storm's id is a function of rule and first minute, so that the ledger knows who was told of it, and the table has one row.

use gridwarden_domain::alert::{Alert, Subject, Transition};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

const MINUTE_MS: i64 = 60_000;
/// Minutes that are still counted once they are over: partitions of a log do not go in step.
const KEPT: i64 = 5;

/// What kind of alert a storm is.
pub const KIND: &str = "storm";

/// How often each rule raises.
#[derive(Debug)]
pub struct Storms {
    /// Raises a minute, for rules that say nothing of it.
    limit: u32,
    rules: HashMap<String, Rule>,
}

/// A rule's minutes, and its storm.
#[derive(Debug, Default)]
struct Rule {
    minutes: BTreeMap<i64, Minute>,
    storm: Option<Storm>,
    /// Newest minute of the last storm that is over.
    over: Option<i64>,
}

/// The raises of a minute.
#[derive(Debug, Default)]
struct Minute {
    raised: u32,
    /// So many are told; the highest that any of its alerts says.
    limit: u32,
    /// The storm that would begin with this minute, once it is beyond the limit.
    storm: Option<Box<Alert>>,
}

#[derive(Debug)]
struct Storm {
    /// As it was raised.
    alert: Alert,
    /// The newest minute beyond the limit.
    last: i64,
    /// Held back in minutes that are not counted any more.
    settled: u64,
    held_back: u64,
}

/// A storm as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Stand {
    /// As it was raised.
    pub alert: Alert,
    /// When it was over, epoch ms.
    pub until_ms: Option<i64>,
    /// Alerts held back so far.
    pub held_back: u64,
}

/// What a look at the storms brought.
#[derive(Debug, Default, PartialEq)]
pub struct Look {
    /// Storms that began or ended.
    pub notices: Vec<Alert>,
    /// Storms of which something is new.
    pub stands: Vec<Stand>,
}

impl Storms {
    /// No storm yet; rules that do not say otherwise may raise so many alerts a minute.
    pub fn new(limit: u32) -> Self {
        Self { limit, rules: HashMap::new() }
    }

    /// Counts a transition that is new, appended at a moment: whether it is held back.
    pub fn count(&mut self, alert: &Alert, appended_ms: i64) -> bool {
        if alert.transition != Transition::Raised {
            return false;
        }
        let number = appended_ms.div_euclid(MINUTE_MS);
        let rule = self.rules.entry(alert.rule.clone()).or_default();
        let minute = rule.minutes.entry(number).or_default();
        minute.raised = minute.raised.saturating_add(1);
        minute.limit = minute.limit.max(alert.storm_per_minute.unwrap_or(self.limit));
        let held_back = minute.held_back() > 0;
        if held_back && minute.storm.is_none() {
            minute.storm = Some(Box::new(begun(alert, number, (minute.raised, minute.limit))));
        }
        held_back
    }

    /// What began, grew and ended by a moment. To be asked once all that was appended some seconds before it is counted.
    pub fn look(&mut self, now_ms: i64) -> Look {
        let (now, mut look) = (now_ms.div_euclid(MINUTE_MS), Look::default());
        self.rules.values_mut().for_each(|rule| rule.look(now, &mut look));
        self.rules.retain(|_, rule| rule.storm.is_some() || !rule.minutes.is_empty());
        look
    }

    /// How many rules are in a storm.
    pub fn going_on(&self) -> usize {
        self.rules.values().filter(|rule| rule.storm.is_some()).count()
    }
}

impl Minute {
    fn held_back(&self) -> u64 {
        u64::from(self.raised.saturating_sub(self.limit))
    }
}

impl Rule {
    fn look(&mut self, now: i64, look: &mut Look) {
        let before = self.storm.as_ref().map(|storm| storm.held_back);
        if let Some(storm) = &mut self.storm {
            storm.held_back = storm.settled;
        }
        let over = self.over.unwrap_or(i64::MIN);
        for (number, minute) in self.minutes.iter().filter(|(number, _)| **number > over) {
            let Some(begun) = minute.storm.as_ref().filter(|_| minute.held_back() > 0) else { continue };
            if self.storm.as_ref().is_some_and(|storm| storm.last < number - 1) {
                self.over = self.storm.take().map(|storm| storm.end(look));
            }
            let storm = self.storm.get_or_insert_with(|| {
                look.notices.push(Alert::clone(begun));
                Storm { alert: Alert::clone(begun), last: *number, settled: 0, held_back: 0 }
            });
            storm.last = storm.last.max(*number);
            storm.held_back += minute.held_back();
        }
        // The minute after its last one stayed within the limit.
        if let Some(storm) = self.storm.take_if(|storm| storm.last < now - 1) {
            self.over = Some(storm.end(look));
        }
        if let Some(storm) = &self.storm
            && before != Some(storm.held_back)
        {
            look.stands.push(storm.stand(None));
        }
        self.settle(now - KEPT);
    }

    /// Minutes before this one are counted no more.
    fn settle(&mut self, first: i64) {
        let kept = self.minutes.split_off(&first);
        let settled = std::mem::replace(&mut self.minutes, kept);
        let over = self.over.unwrap_or(i64::MIN);
        if let Some(storm) = &mut self.storm {
            storm.settled += settled.range(over.saturating_add(1)..).map(|(_, minute)| minute.held_back()).sum::<u64>();
        }
    }
}

impl Storm {
    fn stand(&self, until_ms: Option<i64>) -> Stand {
        Stand { alert: self.alert.clone(), until_ms, held_back: self.held_back }
    }

    /// Tells of its end; its last minute.
    fn end(self, look: &mut Look) -> i64 {
        let until = (self.last + 1) * MINUTE_MS;
        look.stands.push(self.stand(Some(until)));
        look.notices.push(Alert {
            seq: 2,
            transition: Transition::Cleared,
            time: until.max(self.alert.raised_at),
            value: Some(self.held_back as f64),
            ..self.alert
        });
        self.last
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

    type Said = (Transition, u32, Option<f64>);

    fn said(look: &Look) -> Vec<Said> {
        look.notices.iter().map(|notice| (notice.transition, notice.seq, notice.value)).collect()
    }

    fn stood(look: &Look) -> Vec<(Option<i64>, u64)> {
        let minute = |until: i64| (until - BEGIN) / MINUTE_MS;
        look.stands.iter().map(|stand| (stand.until_ms.map(minute), stand.held_back)).collect()
    }

    /// So many raises in a minute: how many were held back, and what a look at its end brought.
    fn minute(storms: &mut Storms, alert: &Alert, number: i64, count: u32) -> (u32, Look) {
        let at = BEGIN + number * MINUTE_MS;
        let held = (0..count).map(|_| u32::from(storms.count(alert, at))).sum();
        (held, storms.look(at + MINUTE_MS - 1))
    }

    #[test]
    fn beyond_the_limit_is_one_storm_until_a_minute_is_calm() {
        let (mut storms, alert) = (Storms::new(10), raised("hot", None));
        let mut next = |number, count| {
            let (held, look) = minute(&mut storms, &alert, number, count);
            (held, said(&look), stood(&look))
        };
        assert_eq!(next(0, 10), (0, vec![], vec![]));
        assert_eq!(next(1, 15), (5, vec![(Transition::Raised, 1, Some(11.0))], vec![(None, 5)]));
        assert_eq!(next(2, 30), (20, vec![], vec![(None, 25)]), "it goes on");
        assert_eq!(next(3, 4), (0, vec![], vec![]), "the minute before was no calm one");
        assert_eq!(next(4, 1), (0, vec![(Transition::Cleared, 2, Some(25.0))], vec![(Some(3), 25)]));
        assert_eq!(storms.going_on(), 0);
    }

    #[test]
    fn a_storm_that_lasts_counts_all_its_minutes() {
        let (mut storms, alert) = (Storms::new(1), raised("hot", None));
        let looks: Vec<Look> = (0..20).map(|number| minute(&mut storms, &alert, number, 3).1).collect();
        assert_eq!(looks.iter().map(|look| look.notices.len()).sum::<usize>(), 1);
        assert_eq!(stood(&looks[19]), [(None, 40)]);
        let over = storms.look(BEGIN + 21 * MINUTE_MS);
        assert_eq!((said(&over), stood(&over)), (vec![(Transition::Cleared, 2, Some(40.0))], vec![(Some(20), 40)]));
        assert_eq!(storms.look(BEGIN + 99 * MINUTE_MS), Look::default());
        assert!(storms.rules.is_empty(), "nothing is remembered of a rule that is calm");
    }

    #[test]
    fn a_storm_ends_though_nothing_comes() {
        let mut storms = Storms::new(2);
        minute(&mut storms, &raised("hot", None), 0, 5);
        assert_eq!(storms.look(BEGIN + 2 * MINUTE_MS - 1), Look::default());
        let over = storms.look(BEGIN + 2 * MINUTE_MS).notices;
        assert_eq!((over.len(), over[0].value, over[0].time), (1, Some(3.0), BEGIN + MINUTE_MS));
        assert_eq!(storms.look(BEGIN + 9 * MINUTE_MS), Look::default());
    }

    #[test]
    fn each_rule_has_its_own_limit_and_its_own_storm() {
        let mut storms = Storms::new(3);
        let (held, look) = minute(&mut storms, &raised("few", Some(1)), 0, 3);
        let storm = look.notices.first().map(|alert| (alert.rule.as_str(), alert.kind.as_str()));
        assert_eq!((held, storm, storms.going_on()), (2, Some(("few", KIND)), 1));
        assert_eq!(minute(&mut storms, &raised("many", Some(100)), 0, 50), (0, Look::default()));
        assert_eq!(minute(&mut storms, &raised("other", None), 0, 3), (0, Look::default()));
        // Ends of alerts are no alerts.
        let cleared = Alert { transition: Transition::Cleared, ..raised("few", Some(1)) };
        assert_eq!(minute(&mut storms, &cleared, 0, 9), (0, Look::default()));
    }

    /// One partition may be read to its end before another is begun.
    #[test]
    fn history_brakes_as_it_did_in_whatever_order_its_partitions_come() {
        let minutes: [(i64, u32); 5] = [(0, 4), (1, 5), (3, 1), (4, 2), (7, 3)];
        let read = |partitions: &[u32]| {
            let (mut storms, alert) = (Storms::new(2), raised("hot", None));
            for partition in partitions {
                for (number, count) in minutes {
                    for _ in (0..count).filter(|one| one % 2 == *partition) {
                        storms.count(&alert, BEGIN + number * MINUTE_MS);
                    }
                }
            }
            storms.look(BEGIN + 20 * MINUTE_MS)
        };
        let look = read(&[0, 1]);
        assert_eq!(look, read(&[1, 0]));
        assert_eq!(stood(&look), [(Some(2), 5), (Some(8), 1)]);
        let mut live = (Storms::new(2), Look::default());
        for (number, count) in minutes {
            let look = minute(&mut live.0, &raised("hot", None), number, count).1;
            live.1.notices.extend(look.notices);
        }
        live.1.notices.extend(live.0.look(BEGIN + 20 * MINUTE_MS).notices);
        assert_eq!(look.notices, live.1.notices, "what was told while it happened");
    }
}
