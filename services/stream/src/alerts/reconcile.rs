//! After a restart: which alerts stand open in `alerts.v1` that the state does not know. Pure.
//!
//! `ALR-3` everything that decides is a function of the logs; what a restart cannot decide again (the log no longer has the
//! record an alert began with, a checkpoint is of no use) is reconciled. Once every partition has been read past the end it
//! had at the fence, an alert that is open in the topic and not in the state is retracted: a note that nobody watches over
//! it any more, not a statement that its condition ended.

use super::Teller;
use gridwarden_domain::alert::{Alert, Transition};
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeSet;

/// Alerts open in the topic at the start, on the way to being known or retracted.
#[derive(Default)]
pub(crate) struct Reconcile {
    open: HashMap<u128, Alert>,
    held: HashSet<u128>,
    awaited: BTreeSet<Teller>,
}

impl Reconcile {
    /// Before the topic is read; the tellers of so many workers will report.
    pub(crate) fn new(workers: usize) -> Self {
        let tellers = |worker| [Teller::Reading(worker), Teller::Together(worker)];
        Self { awaited: (0..workers).flat_map(tellers).collect(), ..Self::default() }
    }

    /// A transition stands in the topic, or is on its way to it.
    pub(crate) fn note(&mut self, id: u128, alert: &Alert) {
        // One that is raised now is of the state; what was open before may have ended.
        let known = self.open.get(&id).map_or(0, |open| open.seq);
        if alert.seq > known && self.open.remove(&id).is_some() {
            tracing::debug!(alert = alert.id, "an alert that was open at the start has moved on");
        }
    }

    /// The topic, as it is read at the start.
    pub(crate) fn read(&mut self, id: u128, alert: Alert) {
        match alert.transition {
            Transition::Raised | Transition::Updated => {
                let known = self.open.get(&id).map_or(0, |open| open.seq);
                if alert.seq > known {
                    self.open.insert(id, alert);
                }
            }
            Transition::Cleared | Transition::Retracted => self.note(id, &alert),
        }
    }

    /// Whether all have reported.
    pub(crate) fn is_done(&self) -> bool {
        self.awaited.is_empty()
    }

    /// A teller has come past the fence and holds these open. The alerts to retract, once all have.
    pub(crate) fn report(&mut self, teller: Teller, held: &[u128], now_ms: i64) -> Vec<Alert> {
        if !self.awaited.remove(&teller) {
            return Vec::new();
        }
        self.held.extend(held);
        if !self.awaited.is_empty() {
            return Vec::new();
        }
        let (held, open) = (std::mem::take(&mut self.held), std::mem::take(&mut self.open));
        let gone = open.into_iter().filter(|(id, _)| !held.contains(id));
        let mut retracted: Vec<Alert> = gone.map(|(_, alert)| retract(alert, now_ms)).collect();
        retracted.sort_unstable_by(|one, other| (one.raised_at, &one.id).cmp(&(other.raised_at, &other.id)));
        retracted
    }
}

fn retract(alert: Alert, now_ms: i64) -> Alert {
    Alert { seq: alert.seq.saturating_add(1), transition: Transition::Retracted, appended_at: now_ms, ..alert }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use gridwarden_domain::{
        alert::Subject,
        identity::{RecordId, TopicId},
        rule::{Certainty, Severity, Urgency},
        text::Text,
    };

    /// An alert for tests.
    pub(crate) fn alert(id: u128, seq: u32, transition: Transition) -> Alert {
        Alert {
            id: format!("{id:032x}"),
            seq,
            transition,
            generation: 1,
            rule: "r".to_owned(),
            rule_version: 1,
            kind: "fence".to_owned(),
            severity: Severity::Minor,
            urgency: Urgency::default(),
            certainty: Certainty::default(),
            title: Text::default(),
            subject: Subject::Entity("s".to_owned()),
            time: 5,
            raised_at: 5,
            appended_at: 5,
            cause: RecordId { topic_id: TopicId(1), partition: 0, offset: 0 },
            position: None,
            areas: Vec::new(),
            metric: None,
            value: None,
            level: None,
            evidence: Vec::new(),
            storm_per_minute: None,
            simulated: false,
        }
    }

    fn retracted(alerts: &[Alert]) -> Vec<(&str, u32, Transition)> {
        alerts.iter().map(|alert| (alert.id.trim_start_matches('0'), alert.seq, alert.transition)).collect()
    }

    #[test]
    fn what_is_open_in_the_topic_and_in_no_state_is_retracted_once_all_have_reported() {
        let mut reconcile = Reconcile::new(2);
        for (id, seq, transition) in [
            (1, 1, Transition::Raised),
            (2, 1, Transition::Raised),
            (2, 2, Transition::Cleared),
            (3, 1, Transition::Raised),
            (4, 1, Transition::Raised),
            (5, 1, Transition::Raised),
            (5, 2, Transition::Retracted),
        ] {
            reconcile.read(id, alert(id, seq, transition));
        }
        // While the log is read again, 4 ends; 3 is raised again as it was.
        reconcile.note(4, &alert(4, 2, Transition::Cleared));
        reconcile.note(3, &alert(3, 1, Transition::Raised));
        let all = [Teller::Together(0), Teller::Reading(0), Teller::Together(1), Teller::Reading(1)];
        assert_eq!(reconcile.report(all[0], &[3], 9), []);
        assert_eq!(reconcile.report(all[0], &[], 9), [], "once");
        assert_eq!((reconcile.report(all[1], &[], 9), reconcile.report(all[2], &[], 9)), (vec![], vec![]));
        let last = all[3];
        let all = reconcile.report(last, &[], 9);
        assert_eq!(retracted(&all), [("1", 2, Transition::Retracted)]);
        assert_eq!(all.first().map(|alert| (alert.time, alert.appended_at)), Some((5, 9)));
        assert_eq!(reconcile.report(last, &[], 9), [], "nothing twice");
    }
}
