//! Which alerts are known and which are open: the fold of `alerts.v1`. Pure.
//!
//! `DSP-1`: a (id, seq) is taken once, however often it stands in the topic (a restarted stream writes its history again),
//! and an alert's state is that of its highest `seq`, in whatever order the transitions come.

use crate::ledger::AlertKey;
use gridwarden_domain::alert::Alert;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Which `seq`s of an alert were seen: the highest, and the 64 below it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    highest: u32,
    below: u64,
}

/// What a transition is to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// Not seen before.
    New {
        /// Highest `seq` known of this alert, this one included.
        highest_seq: u32,
    },
    /// Seen before, or too far below the highest to tell.
    Known,
}

/// The fold.
#[derive(Default, Debug)]
pub struct Alerts {
    seen: HashMap<AlertKey, Seen>,
    /// By (raised at, id), so that a listing is in the order of the raise.
    open: BTreeMap<(i64, String), Arc<Alert>>,
    raised_at: HashMap<AlertKey, i64>,
}

impl Alerts {
    /// Takes a transition.
    pub fn admit(&mut self, alert: &Arc<Alert>) -> Admission {
        let key = AlertKey::of(&alert.id);
        let fresh = Seen { highest: alert.seq, below: 0 };
        let before = self.seen.get(&key).copied();
        let after = match before {
            None => Some(fresh),
            Some(seen) => with(seen, alert.seq),
        };
        let Some(after) = after else { return Admission::Known };
        self.seen.insert(key, after);
        if after.highest == alert.seq {
            self.set(key, alert);
        }
        Admission::New { highest_seq: after.highest }
    }

    fn set(&mut self, key: AlertKey, alert: &Arc<Alert>) {
        if let Some(raised_at) = self.raised_at.remove(&key) {
            self.open.remove(&(raised_at, alert.id.clone()));
        }
        if alert.transition.is_open() {
            self.raised_at.insert(key, alert.raised_at);
            self.open.insert((alert.raised_at, alert.id.clone()), Arc::clone(alert));
        }
    }

    /// Open alerts, newest raise first.
    pub fn open(&self) -> impl Iterator<Item = &Arc<Alert>> {
        self.open.values().rev()
    }

    /// How many are open.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// How many alerts are known.
    pub fn known_count(&self) -> usize {
        self.seen.len()
    }
}

/// `seen` with one more `seq`; `None` when it holds it already.
fn with(seen: Seen, seq: u32) -> Option<Seen> {
    if seq > seen.highest {
        let up = seq - seen.highest;
        let below = if up > 64 { 0 } else { seen.below.checked_shl(up).unwrap_or(0) | 1 << (up - 1) };
        return Some(Seen { highest: seq, below });
    }
    let down = seen.highest - seq;
    let bit = 1u64.checked_shl(down.checked_sub(1)?)?;
    (seen.below & bit == 0).then_some(Seen { below: seen.below | bit, ..seen })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use gridwarden_domain::alert::Transition;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_known_seq_is_not_taken_again() {
        let mut alerts = Alerts::default();
        let raised = Arc::new(sample::alert(1));
        assert_eq!(alerts.admit(&raised), Admission::New { highest_seq: 1 });
        assert_eq!(alerts.admit(&raised), Admission::Known);
        assert_eq!(alerts.open_count(), 1);
        alerts.admit(&Arc::new(sample::alert(2)));
        assert_eq!(alerts.open_count(), 0);
        assert_eq!(alerts.admit(&raised), Admission::Known);
        assert_eq!(alerts.open_count(), 0);
    }

    #[test]
    fn an_alert_that_is_told_anew_stays_open_as_it_stands_now() {
        let mut alerts = Alerts::default();
        alerts.admit(&Arc::new(sample::alert(1)));
        alerts.admit(&Arc::new(Alert { transition: Transition::Updated, value: Some(7.5), ..sample::alert(2) }));
        assert_eq!(alerts.open().map(|alert| (alert.seq, alert.value)).collect::<Vec<_>>(), [(2, Some(7.5))]);
        alerts.admit(&Arc::new(Alert { seq: 3, ..sample::alert(2) }));
        assert_eq!(alerts.open_count(), 0);
    }

    #[test]
    fn a_late_raise_does_not_open_what_was_cleared() {
        let mut alerts = Alerts::default();
        alerts.admit(&Arc::new(sample::alert(2)));
        assert_eq!(alerts.admit(&Arc::new(sample::alert(1))), Admission::New { highest_seq: 2 });
        assert_eq!(alerts.open_count(), 0);
    }

    proptest! {
        #[test]
        fn each_seq_once_in_any_order(seqs in prop::collection::vec(1u32..70, 1..120)) {
            let (mut alerts, mut model) = (Alerts::default(), BTreeSet::new());
            for seq in seqs {
                let highest = model.last().copied().unwrap_or(0).max(seq);
                let admission = alerts.admit(&Arc::new(sample::alert(seq)));
                if highest - seq <= 64 {
                    let new = model.insert(seq);
                    prop_assert_eq!(admission, if new { Admission::New { highest_seq: highest } } else { Admission::Known });
                } else {
                    prop_assert_eq!(admission, Admission::Known);
                }
            }
            let open = model.last().is_some_and(|seq| seq % 2 == 1);
            prop_assert_eq!(alerts.open_count(), usize::from(open));
        }
    }
}
