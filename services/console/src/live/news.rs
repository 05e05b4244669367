//! Which alerts are news: what was heard of each before. Pure.

use gridwarden_store::read::AlertState;
use std::collections::HashMap;

/// Alerts remembered; beyond that the oldest by raise are forgotten.
const KEEP: usize = 50_000;
/// Append times up to this far below the newest are looked at again: partitions of the log do not go in step.
pub(super) const OVERLAP_MS: i64 = 120_000;

/// What was heard.
#[derive(Default)]
pub(super) struct News {
    heard: HashMap<String, (u32, i64)>,
    newest_appended: i64,
    transitions: u64,
    primed: bool,
}

/// What a look brought.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    /// Alerts that changed.
    pub fresh: Vec<AlertState>,
    /// There are more transitions than those told of.
    pub gap: bool,
}

impl News {
    /// From which append time on to look.
    pub(super) fn since(&self) -> i64 {
        self.newest_appended - OVERLAP_MS
    }

    /// Takes in the states found and the number of transitions there are. The first look is no news.
    pub(super) fn take(&mut self, states: Vec<AlertState>, transitions: u64) -> Heard {
        let mut heard = Heard::default();
        let mut told = 0;
        for state in states {
            self.newest_appended = self.newest_appended.max(state.appended_ms);
            let old = self.heard.insert(state.id.clone(), (state.seq, state.raised_ms)).map_or(0, |(seq, _)| seq);
            if state.seq > old {
                told += u64::from(state.seq - old);
                heard.fresh.push(state);
            }
        }
        heard.gap = self.primed && transitions > self.transitions + told;
        self.transitions = transitions;
        if !self.primed {
            heard.fresh.clear();
        }
        self.primed = true;
        self.forget();
        heard
    }

    fn forget(&mut self) {
        if self.heard.len() > KEEP {
            let mut raised: Vec<i64> = self.heard.values().map(|(_, raised)| *raised).collect();
            raised.sort_unstable();
            let border = raised.get(KEEP / 2).copied().unwrap_or_default();
            self.heard.retain(|_, (_, raised)| *raised >= border);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::live) fn state(id: &str, seq: u32, appended_ms: i64) -> AlertState {
        AlertState {
            id: id.into(),
            seq,
            transition: "raised".into(),
            rule: String::new(),
            kind: String::new(),
            severity: "minor".into(),
            title_en: String::new(),
            title_zh: String::new(),
            subject_kind: "entity".into(),
            subject: String::new(),
            time_ms: appended_ms,
            raised_ms: appended_ms,
            appended_ms,
            lon: None,
            lat: None,
            area_layers: Vec::new(),
            area_codes: Vec::new(),
            metric: String::new(),
            value: None,
            level: None,
            simulated: false,
            urgency: "immediate".into(),
            certainty: "observed".into(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn only_higher_transitions_are_news() {
        let mut news = News::default();
        assert_eq!(news.take(vec![state("a", 1, 1_000_000)], 1), Heard::default());
        assert_eq!(news.since(), 1_000_000 - OVERLAP_MS);
        assert_eq!(news.take(vec![state("a", 1, 1_000_000)], 1), Heard::default());
        let heard = news.take(vec![state("a", 2, 1_000_100), state("b", 1, 1_000_200)], 3);
        assert_eq!((heard.fresh.len(), heard.gap), (2, false));
    }

    #[test]
    fn transitions_nobody_told_of_are_a_gap() {
        let mut news = News::default();
        news.take(Vec::new(), 5);
        // One alert raised and cleared between two looks counts for both of its transitions.
        assert!(!news.take(vec![state("a", 2, 10)], 7).gap);
        assert!(news.take(vec![state("b", 1, 20)], 12).gap);
    }
}
