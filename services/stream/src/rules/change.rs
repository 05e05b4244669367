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
}

/// A transition of an alert.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The rule.
    pub(crate) rule: Arc<Rule>,
    /// The alert, after the transition.
    pub(crate) alert: Open,
    /// Raised or cleared.
    pub(crate) transition: Transition,
    /// Event time of the transition.
    pub(crate) time: i64,
    /// For thresholds and speeds: the value seen, if one was.
    pub(crate) value: Option<Fixed>,
    /// Of a raise: the records that show it, oldest first.
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
    fn an_id_never_changes() {
        let first = RecordId { topic_id: TopicId(0xabc), partition: 3, offset: 77 };
        let text = "too-hot\nentity:s-1\n00000000000000000000000000000abc/3/77";
        let expected = hex::encode(Sha256::digest(text));
        let open = Open { id: alert_id("too-hot", "s-1", first), seq: 1, raised_at: 0 };
        assert_eq!(Some(open.id_text().as_str()), expected.get(..32));
    }
}
