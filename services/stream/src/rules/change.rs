//! What rules say: an alert was raised or cleared.

use crate::windows::At;
use gridwarden_domain::{alert::Transition, identity::RecordId, rule::Rule, value::Fixed};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use std::sync::Arc;

/// A raised alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    /// Its id (`ALR-1`).
    pub(crate) id: u128,
    /// The transition it is at (`ALR-2`).
    pub(crate) seq: u32,
    /// Event time of the raise.
    pub(crate) raised_at: i64,
    /// How long after the raise it was told of last, in seconds.
    pub(crate) told_s: u32,
}

/// A transition of an alert.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The rule.
    pub(crate) rule: Arc<Rule>,
    /// The alert, after the transition.
    pub(crate) alert: Open,
    /// What became of it.
    pub(crate) transition: Transition,
    /// Event time of the transition.
    pub(crate) time: i64,
    /// For thresholds and speeds: the value seen, if one was.
    pub(crate) value: Option<Fixed>,
    /// The records that show it, oldest first; none of an end.
    pub(crate) evidence: SmallVec<[At; 2]>,
}

/// The id of an alert (`ALR-1`): a function of rule, subject and first offending record.
pub(crate) fn alert_id(rule: &str, entity: &str, first: RecordId) -> u128 {
    subject_id(rule, ("entity", entity), first)
}

/// The same of a subject of any kind: kind, name.
pub(crate) fn subject_id(rule: &str, (kind, name): (&str, &str), first: RecordId) -> u128 {
    let text = format!("{rule}\n{kind}:{name}\n{}/{}/{}", first.topic_id, first.partition, first.offset);
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).fold(0, |id, byte| (id << 8) | u128::from(*byte))
}

impl Open {
    /// An alert that is raised.
    pub(crate) fn raised(id: u128, raised_at: i64) -> Self {
        Self { id, seq: 1, raised_at, told_s: 0 }
    }

    /// Seconds from the raise to an event time.
    pub(crate) fn since_s(&self, time: i64) -> u32 {
        u32::try_from(time.saturating_sub(self.raised_at).div_euclid(1000)).unwrap_or(0)
    }

    /// The alert told anew at an event time, if it is time for that: once in each `update_s` seconds since the raise (`ALR-3`).
    pub(crate) fn updated(self, time: i64, update_s: u32) -> Option<Self> {
        let told_s = self.since_s(time);
        let is_time = told_s.checked_div(update_s)? > self.told_s.checked_div(update_s)?;
        is_time.then_some(Self { seq: self.seq + 1, told_s, ..self })
    }

    /// The id as it stands in alerts.
    pub(crate) fn id_text(&self) -> String {
        format!("{:032x}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::identity::TopicId;

    #[test]
    fn it_is_told_anew_once_in_each_so_many_seconds() {
        let open = Open::raised(5, 100_500);
        assert_eq!(open.updated(1_000_000, 0), None, "nobody asks for it");
        assert_eq!(open.updated(110_499, 10), None);
        assert_eq!(open.updated(99_000, 10), None, "older than the raise");
        let told = open.updated(119_000, 10).expect("10 s are over");
        assert_eq!((told.seq, told.told_s, told.raised_at), (2, 18, 100_500));
        assert_eq!(told.updated(120_499, 10), None);
        assert_eq!(told.updated(120_500, 10).map(|told| told.seq), Some(3), "20 s after the raise");
        assert_eq!(told.updated(500_000, 3600), None, "now once an hour");
    }

    #[test]
    fn an_id_never_changes() {
        let first = RecordId { topic_id: TopicId(0xabc), partition: 3, offset: 77 };
        let text = "too-hot\nentity:s-1\n00000000000000000000000000000abc/3/77";
        let expected = hex::encode(Sha256::digest(text));
        let open = Open { id: alert_id("too-hot", "s-1", first), seq: 1, raised_at: 0, told_s: 0 };
        assert_eq!(Some(open.id_text().as_str()), expected.get(..32));
    }
}
