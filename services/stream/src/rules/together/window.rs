//! Window: what the observations or reports of a place come to in a span of time, span by span.
//!
//! A window is looked at once, at its end, when nothing of it can come any more. One with too few values says nothing for an alert,
//! and ends one that is open: what nobody sees any more is not claimed any more.

use super::{
    About, Spot, Verdict, Verdicts, evidence,
    offences::{Turn, cleared},
};
use crate::{rules::change::Open, windows::At};
use gridwarden_domain::{
    alert::{MOST_EVIDENCE, Transition},
    rule::{
        Hours, Side,
        together::{Statistic, Window as Document},
    },
    value::{Fixed, SCALE},
};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the rule asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Terms {
    statistic: Statistic,
    side: Side,
    level: i128,
    clear: i128,
    length_ms: i64,
    /// So many values a window must hold.
    at_least: u64,
    /// So many windows in a row.
    windows: u32,
}

/// In millionths, as values are.
fn fixed(number: f64) -> i128 {
    Fixed::from_f64(number).map_or(i128::MAX, |fixed| i128::from(fixed.0))
}

impl Terms {
    pub(crate) fn of(document: &Document) -> Self {
        let clear = document.clear.unwrap_or(document.level);
        Self {
            statistic: document.statistic,
            side: document.side,
            level: fixed(document.level),
            clear: fixed(clear),
            length_ms: i64::from(document.window_s) * 1000,
            at_least: u64::from(document.at_least.unwrap_or(1)),
            windows: document.windows.unwrap_or(1),
        }
    }

    /// The end of the window a moment lies in.
    fn end_of(&self, time: i64) -> i64 {
        time.div_euclid(self.length_ms).saturating_add(1).saturating_mul(self.length_ms)
    }

    /// Whether a window's statistic offends, whether it clears; and what it is, in millionths.
    fn judge(&self, sum: &Sum) -> (bool, bool, Option<i128>) {
        let counts = self.statistic == Statistic::Count;
        if !counts && sum.count < self.at_least {
            return (false, true, None);
        }
        let value = match self.statistic {
            Statistic::Count => i128::from(sum.count) * i128::from(SCALE),
            Statistic::Sum => sum.sum,
            Statistic::Mean => sum.sum / i128::from(sum.count.max(1)),
            Statistic::Min => i128::from(sum.min),
            Statistic::Max => i128::from(sum.max),
        };
        (self.side.is_beyond(value, self.level), !self.side.is_beyond(value, self.clear), Some(value))
    }
}

/// What a window holds of one place, in millionths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sum {
    count: u64,
    sum: i128,
    min: i64,
    max: i64,
    /// The newest records.
    records: SmallVec<[At; 1]>,
    /// What the newest of them saw; none when there is none.
    last: Option<Spot>,
}

impl Sum {
    const NONE: Self =
        Self { count: 0, sum: 0, min: i64::MAX, max: i64::MIN, records: SmallVec::new_const(), last: None };

    fn add(&mut self, value: i64, spot: Spot) {
        self.count += 1;
        self.sum += i128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if self.records.len() == MOST_EVIDENCE {
            self.records.remove(0);
        }
        self.records.push(spot.at);
        self.last = Some(spot);
    }

    /// Records in the numbers of another process.
    pub(super) fn renumber(&mut self, at: impl Fn(At) -> At) {
        self.records.iter_mut().for_each(|record| *record = at(*record));
        self.last = self.last.map(|spot| Spot { at: at(spot.at), ..spot });
    }
}

/// A place of which nothing was heard for so long has no windows any more.
const FORGOTTEN_MS: i64 = 24 * 3_600_000;

/// What is known of a place whose windows offend.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Streak {
    /// So many in a row, begun with this record.
    Begun(u32, At),
    /// The alert is open: id, number of its last transition, event time of the raise.
    Open(u128, u32, i64),
}

/// Windows by end and place.
pub(super) type Sums = BTreeMap<(i64, u32), Sum>;
/// By place, with what was seen there last.
pub(super) type Streaks = BTreeMap<u32, (Streak, Spot)>;

/// Windows that are not over, and places whose last ones offended.
#[derive(Debug)]
pub(crate) struct Window {
    terms: Terms,
    /// A window counts that begins in them.
    hours: Option<Arc<Hours>>,
    sums: Sums,
    streaks: Streaks,
    /// Windows of those places that are looked at though nothing may come.
    awaited: BTreeSet<(i64, u32)>,
}

impl Window {
    pub(super) fn new(terms: Terms, hours: Option<Arc<Hours>>) -> Self {
        Self { terms, hours, sums: Sums::new(), streaks: Streaks::new(), awaited: BTreeSet::new() }
    }

    /// A value in these places, in millionths.
    pub(super) fn see(&mut self, spot: Spot, places: &[u32], value: i64) {
        let end = self.terms.end_of(spot.time);
        if !self.counts(end) {
            return;
        }
        for place in places {
            self.sums.entry((end, *place)).or_insert(Sum::NONE).add(value, spot);
        }
    }

    /// Whether the window that ends at a moment is one the rule looks at.
    fn counts(&self, end: i64) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.hold(end.saturating_sub(self.terms.length_ms)))
    }

    /// When the next window is over: nothing before its end will come then.
    pub(super) fn next_due(&self) -> Option<i64> {
        let held = self.sums.first_key_value().map(|((end, _), _)| *end);
        let awaited = self.awaited.first().map(|(end, _)| *end);
        held.into_iter().chain(awaited).min().map(|end| end - 1)
    }

    /// Looks at the first window that is over.
    pub(super) fn fall_due(&mut self, moment: i64, (about, out): (&About<'_>, &mut Verdicts)) {
        let held = self.sums.first_key_value().map(|(key, _)| *key);
        let next = held.into_iter().chain(self.awaited.first().copied()).min();
        let Some((end, place)) = next.filter(|(end, _)| *end - 1 <= moment) else { return };
        self.awaited.remove(&(end, place));
        let sum = self.sums.remove(&(end, place)).unwrap_or(Sum::NONE);
        let before = self.streaks.remove(&place);
        let Some(last) = sum.last.or(before.map(|(_, last)| last)) else { return };
        let (offends, clears, value) = match self.terms.judge(&sum) {
            // What began in its hours ends with them.
            _ if !self.counts(end) => (false, true, None),
            (.., value) if end.saturating_sub(last.time) > FORGOTTEN_MS => (false, true, value),
            judged => judged,
        };
        let streak = match before.map(|(streak, _)| streak) {
            Some(Streak::Open(id, seq, raised_at)) if clears => {
                let turn = cleared(Open { id, seq, raised_at, told_s: 0 }, end);
                out.push(self.verdict(about, place, turn, (last, value, &sum)));
                None
            }
            Some(Streak::Open(id, seq, raised_at)) => {
                let open = Open { id, seq, raised_at, told_s: 0 };
                // Every window since the raise was looked at: the one before is when it could be told last.
                let before = Open { told_s: open.since_s(end.saturating_sub(self.terms.length_ms)), ..open };
                let updated = before.updated(end, about.rule.update_s);
                if let Some(open) = updated {
                    let turn = Turn { transition: Transition::Updated, open, time: end };
                    out.push(self.verdict(about, place, turn, (last, value, &sum)));
                }
                Some(Streak::Open(id, updated.map_or(seq, |open| open.seq), raised_at))
            }
            None if offends => Some(Streak::Begun(1, last.at)),
            Some(Streak::Begun(count, first)) if offends => Some(Streak::Begun(count + 1, first)),
            _ => None,
        };
        let streak = match streak {
            Some(Streak::Begun(count, first)) if count >= self.terms.windows => {
                let open = Open::raised(about.id(&about.place(place), first), end);
                let turn = Turn { transition: Transition::Raised, open, time: end };
                out.push(self.verdict(about, place, turn, (last, value, &sum)));
                Some(Streak::Open(open.id, open.seq, open.raised_at))
            }
            other => other,
        };
        if let Some(streak) = streak {
            self.streaks.insert(place, (streak, last));
            self.awaited.insert((end.saturating_add(self.terms.length_ms), place));
        }
    }

    fn verdict(
        &self,
        about: &About<'_>,
        place: u32,
        turn: Turn,
        (cause, value, sum): (Spot, Option<i128>, &Sum),
    ) -> Verdict {
        let value = value.map(|value| value as f64 / SCALE as f64);
        let evidence = evidence(turn.transition, sum.records.iter().copied());
        Verdict { subject: about.place(place), turn, cause, value, evidence }
    }

    /// Ends what is open.
    pub(super) fn end(&mut self, time: i64, (about, out): (&About<'_>, &mut Verdicts)) {
        for (place, (streak, last)) in std::mem::take(&mut self.streaks) {
            if let Streak::Open(id, seq, raised_at) = streak {
                let turn = cleared(Open { id, seq, raised_at, told_s: 0 }, time);
                out.push(self.verdict(about, place, turn, (last, None, &Sum::NONE)));
            }
        }
    }

    /// For saving: windows by end and place, streaks, windows of places that offended.
    pub(super) fn saved(&self) -> (&Sums, &Streaks, &BTreeSet<(i64, u32)>) {
        (&self.sums, &self.streaks, &self.awaited)
    }

    pub(super) fn restored(
        (terms, hours): (Terms, Option<Arc<Hours>>),
        sums: Sums,
        streaks: Streaks,
        awaited: BTreeSet<(i64, u32)>,
    ) -> Self {
        Self { terms, hours, sums, streaks, awaited }
    }

    pub(super) fn len(&self) -> usize {
        self.sums.len() + self.streaks.len()
    }
}
