//! The delivery ledger in memory: the fold of `deliveries.v1`, one small line per (alert, seq, endpoint).
//!
//! Pure. `DSP-2`: a line that says delivered, failed or skipped is final; no later record can open it again. `DSP-3`: an
//! endpoint with a failed delivery of status 410 is gone for good; to use it again it gets a new id in `city.toml`.
//! Lines are kept for all of the topic, about 60 bytes each: a million deliveries are 60 MB.

use gridwarden_domain::delivery::{Delivery, State};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The status by which an endpoint says that it is gone.
pub const GONE: u16 = 410;

/// An alert's id as a number: its 32 hex digits, or a hash of what else an id may be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AlertKey(u128);

impl AlertKey {
    /// The key of an alert id.
    pub fn of(id: &str) -> Self {
        let plain = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = if plain { u128::from_str_radix(id, 16).ok() } else { None };
        Self(number.unwrap_or_else(|| {
            let digest = Sha256::digest(id.as_bytes());
            digest.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
        }))
    }
}

/// Where one delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// Tried without success, tried again at `next_at`.
    Waiting {
        /// Attempts made.
        attempts: u32,
        /// When it was first taken up, epoch milliseconds.
        first_at: i64,
        /// When it is tried next, epoch milliseconds.
        next_at: i64,
    },
    /// Delivered, failed or skipped.
    Final(State),
}

/// The fold.
#[derive(Default, Debug)]
pub struct Ledger {
    lines: HashMap<(AlertKey, u32, u16), Line>,
    endpoints: Vec<String>,
    /// When each endpoint was first used, epoch milliseconds.
    since: Vec<i64>,
    gone: Vec<u16>,
    unreadable: u64,
}

impl Ledger {
    /// Takes a record of the topic. A record without value (a tombstone) forgets nothing: who delivered, delivered.
    pub fn record(&mut self, payload: Option<&[u8]>) {
        let Some(payload) = payload else { return };
        match serde_json::from_slice::<Delivery>(payload) {
            Ok(delivery) => self.note(&delivery),
            Err(_) => self.unreadable += 1,
        }
    }

    /// Takes a delivery.
    pub fn note(&mut self, delivery: &Delivery) {
        let endpoint = self.intern(&delivery.endpoint, delivery.first_at);
        if delivery.state == State::Failed && delivery.status == GONE && !self.gone.contains(&endpoint) {
            self.gone.push(endpoint);
        }
        let line = match delivery.state {
            State::Waiting => Line::Waiting {
                attempts: delivery.attempts,
                first_at: delivery.first_at,
                next_at: delivery.next_at.unwrap_or(delivery.last_at),
            },
            state => Line::Final(state),
        };
        let key = (AlertKey::of(&delivery.alert), delivery.seq, endpoint);
        let known = self.lines.entry(key).or_insert(line);
        if !matches!(known, Line::Final(_)) {
            *known = line;
        }
    }

    fn intern(&mut self, endpoint: &str, first_at: i64) -> u16 {
        let index = self.endpoints.iter().position(|known| known == endpoint).unwrap_or_else(|| {
            self.endpoints.push(endpoint.to_owned());
            self.since.push(first_at);
            self.endpoints.len() - 1
        });
        if let Some(since) = self.since.get_mut(index) {
            *since = first_at.min(*since);
        }
        u16::try_from(index).unwrap_or(u16::MAX)
    }

    fn index(&self, endpoint: &str) -> Option<u16> {
        self.endpoints.iter().position(|known| known == endpoint).and_then(|index| u16::try_from(index).ok())
    }

    /// Where a delivery stands; `None` when nothing was written about it.
    pub fn line(&self, alert: AlertKey, seq: u32, endpoint: &str) -> Option<Line> {
        self.lines.get(&(alert, seq, self.index(endpoint)?)).copied()
    }

    /// When the endpoint was first used; `None` when it is new.
    pub fn since(&self, endpoint: &str) -> Option<i64> {
        self.since.get(usize::from(self.index(endpoint)?)).copied()
    }

    /// Whether the endpoint said that it is gone (`DSP-3`).
    pub fn is_gone(&self, endpoint: &str) -> bool {
        self.index(endpoint).is_some_and(|index| self.gone.contains(&index))
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing was ever delivered.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Records that could not be read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delivery(seq: u32, state: State, attempts: u32, status: u16) -> Delivery {
        Delivery {
            alert: format!("{:032x}", 7),
            seq,
            endpoint: "desk".into(),
            state,
            attempts,
            status,
            detail: String::new(),
            first_at: 1,
            last_at: 2,
            next_at: (state == State::Waiting).then_some(9),
        }
    }

    #[test]
    fn the_newest_word_counts_until_one_is_final() {
        let mut ledger = Ledger::default();
        let alert = AlertKey::of(&format!("{:032x}", 7));
        assert_eq!(ledger.line(alert, 1, "desk"), None);
        ledger.note(&delivery(1, State::Waiting, 1, 500));
        ledger.note(&delivery(1, State::Waiting, 2, 500));
        assert_eq!(ledger.line(alert, 1, "desk"), Some(Line::Waiting { attempts: 2, first_at: 1, next_at: 9 }));
        ledger.note(&delivery(1, State::Delivered, 3, 200));
        ledger.note(&delivery(1, State::Waiting, 4, 500));
        assert_eq!(ledger.line(alert, 1, "desk"), Some(Line::Final(State::Delivered)));
        assert_eq!(ledger.line(alert, 2, "desk"), None);
        assert_eq!(ledger.line(alert, 1, "other"), None);
    }

    #[test]
    fn only_a_failed_410_means_gone() {
        let mut ledger = Ledger::default();
        ledger.note(&delivery(1, State::Failed, 12, 500));
        ledger.note(&delivery(2, State::Waiting, 1, 410));
        assert!(!ledger.is_gone("desk"));
        ledger.note(&delivery(3, State::Failed, 1, 410));
        assert!(ledger.is_gone("desk") && !ledger.is_gone("other"));
    }

    #[test]
    fn an_endpoint_is_as_old_as_its_first_line() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.since("desk"), None);
        for (seq, first_at) in [(1, 9), (2, 3), (3, 5)] {
            ledger.note(&Delivery { first_at, ..delivery(seq, State::Skipped, 0, 0) });
        }
        assert_eq!((ledger.since("desk"), ledger.since("other")), (Some(3), None));
    }

    #[test]
    fn tombstones_and_rubbish_change_nothing() {
        let mut ledger = Ledger::default();
        ledger.record(None);
        ledger.record(Some(b"{"));
        assert!(ledger.is_empty());
        assert_eq!(ledger.unreadable(), 1);
    }

    #[test]
    fn ids_that_are_not_32_hex_digits_have_keys_of_their_own() {
        let ids = ["", "a", "A", &"0".repeat(32), &"0".repeat(33), &"F".repeat(32), &"f".repeat(32), "+f"];
        for (i, a) in ids.iter().enumerate() {
            assert!(ids[i + 1..].iter().all(|b| AlertKey::of(a) != AlertKey::of(b)), "{a}");
        }
    }

    proptest! {
        #[test]
        fn reading_the_compacted_topic_gives_the_same_as_the_whole(
            steps in prop::collection::vec((1u32..4, 0usize..4, 1u32..5, 0usize..3), 0..40)
        ) {
            let states = [State::Waiting, State::Delivered, State::Failed, State::Skipped];
            // The writer never writes after a final record of a key; compaction keeps each key's last record.
            let mut closed = std::collections::BTreeSet::new();
            let mut all = Vec::new();
            for (seq, state, attempts, status) in steps {
                if closed.contains(&seq) { continue; }
                if state > 0 { closed.insert(seq); }
                all.push(delivery(seq, states[state], attempts, [0, 410, 500][status]));
            }
            let last: std::collections::BTreeMap<_, _> = all.iter().map(|d| (d.key(), d)).collect();
            let (mut whole, mut compacted) = (Ledger::default(), Ledger::default());
            all.iter().for_each(|d| whole.note(d));
            last.values().for_each(|d| compacted.note(d));
            prop_assert_eq!(whole.is_gone("desk"), compacted.is_gone("desk"));
            let alert = AlertKey::of(&format!("{:032x}", 7));
            for seq in 1..4 {
                prop_assert_eq!(whole.line(alert, seq, "desk"), compacted.line(alert, seq, "desk"));
            }
        }
    }
}
