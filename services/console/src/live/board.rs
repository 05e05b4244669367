//! The alerts as last seen: every open one and the newest cleared ones, so that they can be told while ClickHouse is away.
//! Pure.

use gridwarden_store::read::{AlertFilter, AlertState};
use std::collections::HashMap;

/// Open alerts kept; more are counted only.
pub const MOST_OPEN: u32 = 2_000;
/// Cleared alerts kept.
pub const MOST_CLEARED: u32 = 300;

/// The board.
#[derive(Default)]
pub struct Board {
    alerts: HashMap<String, AlertState>,
    begun: bool,
}

impl Board {
    /// Whether anything was ever put on it, be it a calm city.
    pub fn is_begun(&self) -> bool {
        self.begun
    }

    /// Begins anew with what stands in ClickHouse.
    pub fn begin(&mut self, states: Vec<AlertState>) {
        self.alerts.clear();
        self.begun = true;
        self.take(states);
    }

    /// Takes transitions in; an older one never replaces a newer one. The oldest cleared ones are forgotten.
    pub fn take(&mut self, states: Vec<AlertState>) {
        for state in states {
            match self.alerts.get_mut(&state.id) {
                Some(old) if old.seq >= state.seq => {}
                // The raise alone tells what raised it.
                Some(old) if state.evidence.is_empty() => {
                    *old = AlertState { evidence: std::mem::take(&mut old.evidence), ..state };
                }
                _ => drop(self.alerts.insert(state.id.clone(), state)),
            }
        }
        let mut cleared: Vec<i64> =
            self.alerts.values().filter(|one| !one.is_open()).map(|one| one.raised_ms).collect();
        if cleared.len() > 2 * MOST_CLEARED as usize {
            cleared.sort_unstable_by(|a, b| b.cmp(a));
            let border = cleared.get(MOST_CLEARED as usize).copied().unwrap_or_default();
            self.alerts.retain(|_, one| one.is_open() || one.raised_ms > border);
        }
    }

    /// Those that pass the filter, newest raise first, and how many pass it in all.
    pub fn list(&self, filter: &AlertFilter, limit: usize) -> (Vec<AlertState>, u64) {
        let passes = |one: &&AlertState| {
            filter.open.is_none_or(|open| open == one.is_open())
                && (filter.severities.is_empty() || filter.severities.contains(&one.severity))
                && one.raised_ms >= filter.since_ms
        };
        let mut found: Vec<&AlertState> = self.alerts.values().filter(passes).collect();
        found.sort_unstable_by(|a, b| b.raised_ms.cmp(&a.raised_ms).then_with(|| a.id.cmp(&b.id)));
        let total = found.len() as u64;
        (found.into_iter().take(limit).cloned().collect(), total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::news::tests::state;

    fn cleared(id: &str, seq: u32, raised_ms: i64) -> AlertState {
        AlertState { transition: "cleared".into(), ..state(id, seq, raised_ms) }
    }

    fn ids(board: &Board, open: Option<bool>) -> Vec<String> {
        let filter = AlertFilter { open, ..AlertFilter::default() };
        board.list(&filter, 10).0.into_iter().map(|one| one.id).collect()
    }

    #[test]
    fn what_raised_an_alert_stays_known_when_it_is_cleared() {
        let mut board = Board::default();
        board.begin(vec![AlertState { evidence: vec!["t/0/7".into()], ..state("a", 1, 10) }]);
        board.take(vec![cleared("a", 2, 10)]);
        let (found, _) = board.list(&AlertFilter::default(), 1);
        assert_eq!((found[0].seq, found[0].evidence.as_slice()), (2, ["t/0/7".to_owned()].as_slice()));
    }

    #[test]
    fn newest_raise_first_and_a_clear_replaces_its_raise() {
        let mut board = Board::default();
        assert!(!board.is_begun());
        board.begin(vec![state("a", 1, 10), state("b", 1, 20)]);
        board.take(vec![cleared("a", 2, 10), state("c", 1, 30)]);
        board.take(vec![state("a", 1, 10)]);
        assert_eq!(ids(&board, Some(true)), ["c", "b"]);
        assert_eq!(ids(&board, None), ["c", "b", "a"]);
        let filter = AlertFilter { severities: vec!["critical".into()], ..AlertFilter::default() };
        assert_eq!(board.list(&filter, 10).1, 0);
        assert_eq!(board.list(&AlertFilter { since_ms: 20, ..AlertFilter::default() }, 1).1, 2);
    }

    #[test]
    fn open_ones_are_kept_however_many_were_cleared() {
        let mut board = Board::default();
        board.begin(vec![state("old", 1, 1)]);
        for n in 0..2_000 {
            board.take(vec![cleared(&format!("x{n}"), 2, 100 + n)]);
        }
        assert_eq!(ids(&board, Some(true)), ["old"]);
        let kept = board.list(&AlertFilter { open: Some(false), ..AlertFilter::default() }, 10);
        assert!(kept.1 >= u64::from(MOST_CLEARED) && kept.1 <= 2 * u64::from(MOST_CLEARED), "{}", kept.1);
        assert_eq!(kept.0.first().map(|one| one.id.as_str()), Some("x1999"));
    }
}
