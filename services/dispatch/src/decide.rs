//! Whether a transition of an alert goes to an endpoint, and if not, why not.
//!
//! Pure: (alert, endpoint, ledger, time) → [`Decision`]. When in doubt it sends: a missed alert is worse than a repeated one.
//! Whatever is not sent has a reason that is counted; reasons that hold for good are written to the ledger.

use crate::ledger::{AlertKey, Ledger, Line};
use gridwarden_domain::alert::{Alert, Transition};
use gridwarden_domain::delivery::State;
use gridwarden_domain::rule::Severity;

/// How far above a transition later ones are looked for, and how far below earlier ones.
const LOOK_AHEAD: u32 = 64;

/// Which alerts an endpoint wants.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    /// Least severity; any when missing.
    pub min_severity: Option<Severity>,
    /// Rules; all when empty.
    pub rules: Vec<String>,
    /// Not how alerts stand while they are open: their raise and their end alone.
    pub no_updates: bool,
}

/// Why a transition is not sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Skip {
    /// Less severe than the endpoint wants.
    Severity,
    /// Of a rule the endpoint does not want.
    Rule,
    /// An alert told anew, which the endpoint does not want.
    Update,
    /// The endpoint said 410.
    Gone,
    /// Older than `deliver_max_age` when the endpoint was first used: history.
    TooOld,
    /// A later transition of the same alert was delivered already; this one would turn the receiver's picture back.
    Overtaken,
    /// The endpoint's queue is full.
    QueueFull,
    /// Its rule raises more than people can look at; the storm is told of instead.
    Storm,
    /// The raise was not told of, so there is no end to tell of.
    Untold,
}

impl Skip {
    /// Its name in metrics and the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Rule => "rule",
            Self::Update => "update",
            Self::Gone => "endpoint_gone",
            Self::TooOld => "too_old",
            Self::Overtaken => "overtaken",
            Self::QueueFull => "queue_full",
            Self::Storm => "storm",
            Self::Untold => "untold",
        }
    }

    /// Whether it holds for good and is written to the ledger. The others are functions of `city.toml` and of the
    /// endpoint's state, and are looked at again after a restart.
    pub fn is_written(self) -> bool {
        matches!(self, Self::TooOld | Self::Overtaken | Self::QueueFull | Self::Storm | Self::Untold)
    }
}

/// What to do with a transition at an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Send it.
    Send {
        /// Attempts made before (by an earlier process).
        attempts: u32,
        /// When it was first taken up; `None` = now.
        first_at: Option<i64>,
        /// Not before this time, epoch milliseconds.
        not_before: i64,
    },
    /// Do not send it.
    Skip(Skip),
    /// The ledger says it is done.
    Done,
}

/// A transition as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// What the rule said.
    pub alert: &'a Alert,
    /// When the broker appended it first, epoch milliseconds.
    pub appended_ms: i64,
    /// Highest `seq` known of this alert.
    pub highest_seq: u32,
    /// Whether its rule's storm holds it back.
    pub held_back: bool,
}

/// Times the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Now, epoch milliseconds.
    pub now_ms: i64,
    /// Age before an endpoint's first day beyond which history is left alone.
    pub max_age_ms: i64,
}

/// The decision.
pub fn decide(arrived: &Arrived<'_>, endpoint: &str, wants: &Wants, ledger: &Ledger, times: Times) -> Decision {
    let alert = arrived.alert;
    let key = AlertKey::of(&alert.id);
    let line = ledger.line(key, alert.seq, endpoint);
    if matches!(line, Some(Line::Final(_))) {
        return Decision::Done;
    }
    if ledger.is_gone(endpoint) {
        return Decision::Skip(Skip::Gone);
    }
    let delivered = |seq| ledger.line(key, seq, endpoint) == Some(Line::Final(State::Delivered));
    let last = arrived.highest_seq.min(alert.seq.saturating_add(LOOK_AHEAD));
    if (alert.seq.saturating_add(1)..=last).any(delivered) {
        return Decision::Skip(Skip::Overtaken);
    }
    // What was taken up is carried through, whatever its age and even if city.toml has changed since.
    if let Some(Line::Waiting { attempts, first_at, next_at }) = line {
        return Decision::Send { attempts, first_at: Some(first_at), not_before: next_at };
    }
    if wants.no_updates && alert.transition == Transition::Updated {
        return Decision::Skip(Skip::Update);
    }
    // Who is told of the raise is told of the clear, whatever its age and even if city.toml has changed in between.
    let first = alert.seq.saturating_sub(LOOK_AHEAD).max(1);
    let told =
        |seq| matches!(ledger.line(key, seq, endpoint), Some(Line::Waiting { .. } | Line::Final(State::Delivered)));
    if (first..alert.seq).any(told) {
        return Decision::Send { attempts: 0, first_at: None, not_before: times.now_ms };
    }
    if alert.seq > 1 && ledger.line(key, 1, endpoint) == Some(Line::Final(State::Skipped)) {
        return Decision::Skip(Skip::Untold);
    }
    if wants.min_severity.is_some_and(|least| alert.severity < least) {
        return Decision::Skip(Skip::Severity);
    }
    if !wants.rules.is_empty() && !wants.rules.contains(&alert.rule) {
        return Decision::Skip(Skip::Rule);
    }
    // History ends with an endpoint's first line: what came later is sent however long dispatch was away.
    let since = ledger.since(endpoint).unwrap_or(times.now_ms);
    if since.saturating_sub(arrived.appended_ms) > times.max_age_ms {
        return Decision::Skip(Skip::TooOld);
    }
    if arrived.held_back {
        return Decision::Skip(Skip::Storm);
    }
    Decision::Send { attempts: 0, first_at: None, not_before: times.now_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use gridwarden_domain::delivery::Delivery;

    const NOW: i64 = 1_800_000_000_000;
    const DAY: i64 = 86_400_000;
    const TIMES: Times = Times { now_ms: NOW, max_age_ms: DAY };

    fn line(seq: u32, state: State, status: u16) -> Delivery {
        Delivery {
            alert: sample::alert(seq).id,
            seq,
            endpoint: "desk".into(),
            state,
            attempts: 3,
            status,
            detail: String::new(),
            first_at: NOW - 10,
            last_at: NOW - 5,
            next_at: Some(NOW + 7),
        }
    }

    fn decided(seq: u32, highest_seq: u32, age_ms: i64, wants: &Wants, lines: &[Delivery]) -> Decision {
        let mut ledger = Ledger::default();
        lines.iter().for_each(|line| ledger.note(line));
        let alert = sample::alert(seq);
        let arrived = Arrived { alert: &alert, appended_ms: NOW - age_ms, highest_seq, held_back: false };
        decide(&arrived, "desk", wants, &ledger, TIMES)
    }

    #[test]
    fn what_is_new_is_sent_at_once() {
        let send = Decision::Send { attempts: 0, first_at: None, not_before: NOW };
        assert_eq!(decided(1, 1, 0, &Wants::default(), &[]), send);
        assert_eq!(decided(1, 1, DAY, &Wants::default(), &[]), send);
    }

    #[test]
    fn what_is_done_stays_done() {
        for state in [State::Delivered, State::Failed, State::Skipped] {
            assert_eq!(decided(1, 1, 0, &Wants::default(), &[line(1, state, 500)]), Decision::Done);
        }
    }

    #[test]
    fn what_was_taken_up_goes_on_where_it_stood_even_if_old_and_unwanted() {
        let wants = Wants { min_severity: Some(Severity::Critical), rules: vec!["other".into()], ..Wants::default() };
        let go_on = Decision::Send { attempts: 3, first_at: Some(NOW - 10), not_before: NOW + 7 };
        assert_eq!(decided(1, 1, 9 * DAY, &wants, &[line(1, State::Waiting, 500)]), go_on);
    }

    #[test]
    fn who_was_told_of_the_raise_is_told_of_the_clear() {
        let wants = Wants { min_severity: Some(Severity::Critical), rules: vec!["other".into()], ..Wants::default() };
        let send = Decision::Send { attempts: 0, first_at: None, not_before: NOW };
        for state in [State::Delivered, State::Waiting] {
            assert_eq!(decided(2, 2, 9 * DAY, &wants, &[line(1, state, 200)]), send);
        }
        assert_eq!(decided(2, 2, 0, &wants, &[line(1, State::Failed, 500)]), Decision::Skip(Skip::Severity));
        // Who was never told of the raise is told of no end.
        let untold = Decision::Skip(Skip::Untold);
        assert_eq!(decided(2, 2, 0, &Wants::default(), &[line(1, State::Skipped, 0)]), untold);
    }

    #[test]
    fn what_came_while_dispatch_was_away_is_not_history() {
        let send = Decision::Send { attempts: 0, first_at: None, not_before: NOW };
        let other = Delivery { alert: "other".into(), first_at: NOW - 9 * DAY, ..line(1, State::Delivered, 200) };
        assert_eq!(decided(1, 1, 8 * DAY, &Wants::default(), std::slice::from_ref(&other)), send);
        let skip = Decision::Skip(Skip::TooOld);
        assert_eq!(decided(1, 1, 10 * DAY + 1, &Wants::default(), &[other]), skip);
    }

    #[test]
    fn history_is_left_alone_and_written() {
        let skip = Decision::Skip(Skip::TooOld);
        assert_eq!(decided(1, 1, DAY + 1, &Wants::default(), &[]), skip);
        assert!(Skip::TooOld.is_written() && !Skip::Severity.is_written() && !Skip::Gone.is_written());
    }

    #[test]
    fn wishes_are_kept() {
        let severe = Wants { min_severity: Some(Severity::Critical), ..Wants::default() };
        assert_eq!(decided(1, 1, 0, &severe, &[]), Decision::Skip(Skip::Severity));
        let other = Wants { rules: vec!["other".into()], ..Wants::default() };
        assert_eq!(decided(1, 1, 0, &other, &[]), Decision::Skip(Skip::Rule));
        let same =
            Wants { min_severity: Some(Severity::Major), rules: vec![sample::alert(1).rule], ..Wants::default() };
        assert!(matches!(decided(1, 1, 0, &same, &[]), Decision::Send { .. }));
    }

    #[test]
    fn how_an_alert_stands_is_told_to_those_who_want_it() {
        let alert = Alert { transition: Transition::Updated, ..sample::alert(2) };
        let arrived = Arrived { alert: &alert, appended_ms: NOW, highest_seq: 2, held_back: false };
        let mut ledger = Ledger::default();
        ledger.note(&line(1, State::Delivered, 200));
        let decided = |wants: &Wants| decide(&arrived, "desk", wants, &ledger, TIMES);
        assert!(matches!(decided(&Wants::default()), Decision::Send { .. }));
        let few = Wants { no_updates: true, ..Wants::default() };
        assert_eq!(decided(&few), Decision::Skip(Skip::Update));
        // The end is told all the same.
        assert!(matches!(
            decide(&Arrived { alert: &sample::alert(4), ..arrived }, "desk", &few, &ledger, TIMES),
            Decision::Send { .. }
        ));
    }

    #[test]
    fn what_a_storm_holds_back_is_not_sent_but_to_who_has_it_already() {
        let decided = |lines: &[Delivery], wants: &Wants| {
            let mut ledger = Ledger::default();
            lines.iter().for_each(|line| ledger.note(line));
            let alert = sample::alert(1);
            let arrived = Arrived { alert: &alert, appended_ms: NOW, highest_seq: 1, held_back: true };
            decide(&arrived, "desk", wants, &ledger, TIMES)
        };
        assert_eq!(decided(&[], &Wants::default()), Decision::Skip(Skip::Storm));
        let severe = Wants { min_severity: Some(Severity::Critical), ..Wants::default() };
        assert_eq!(decided(&[], &severe), Decision::Skip(Skip::Severity), "what is not wanted is not held back");
        assert!(matches!(decided(&[line(1, State::Waiting, 500)], &Wants::default()), Decision::Send { .. }));
        assert!(Skip::Storm.is_written() && Skip::Untold.is_written());
    }

    #[test]
    fn an_endpoint_that_is_gone_gets_nothing() {
        assert_eq!(decided(2, 2, 0, &Wants::default(), &[line(1, State::Failed, 410)]), Decision::Skip(Skip::Gone));
    }

    #[test]
    fn a_raise_never_follows_its_delivered_clear() {
        let cleared = [line(2, State::Delivered, 200)];
        assert_eq!(decided(1, 2, 0, &Wants::default(), &cleared), Decision::Skip(Skip::Overtaken));
        // A clear that failed for good tells the receiver nothing, so the raise may still go.
        assert!(matches!(decided(1, 2, 0, &Wants::default(), &[line(2, State::Failed, 500)]), Decision::Send { .. }));
    }
}
