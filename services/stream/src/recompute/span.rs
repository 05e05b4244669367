//! Which windows are counted again, and with whose boundaries. Pure.
//!
//! `REC-4` a minute is dirty when a record that windows did not take any more came for it after it was counted last. That is a
//! function of the archive and of the notes of earlier recomputes: nobody has to remember it.

use crate::windows::KEEP_MS;
use gridwarden_domain::city::Limits;
use gridwarden_store::read::{LateMinute, Recomputed};
use std::collections::{BTreeMap, BTreeSet};

/// Counted at once: ten minutes.
const PIECE_S: u32 = 600;
const MINUTE_S: u32 = 60;
/// Most that is counted again in one go.
const MOST_DAYS: i64 = 366;
/// A record this much less than too late is taken as too late: brokers' clocks step back, and counting once more does no harm.
const MARGIN_MS: i64 = 60_000;

/// The age every record has.
pub(super) const ANY_AGE: i64 = -10_000_000_000_000;

/// What is to be counted again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Windows that begin in a span, of one layer or all, with the boundaries of today.
    Span {
        /// First moment, epoch ms.
        from_ms: i64,
        /// The moment after the last, epoch ms.
        until_ms: i64,
        /// Only this layer.
        layer: Option<String>,
    },
    /// Whatever came too late, with the boundaries it was counted with before.
    Dirty,
}

/// Why a span is not counted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Nothing in it.
    #[error("the span ends before it begins, or lies outside 1970 to 2105")]
    Empty,
    /// Too much at once.
    #[error("the span is longer than {MOST_DAYS} days; count it year by year")]
    Long,
    /// `REC-1`.
    #[error("windows are changed by the stream up to {0} (epoch ms); what begins later cannot be counted again yet")]
    Fresh(i64),
}

/// Neighbouring minutes that are counted again alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// First, epoch seconds, a whole minute.
    pub from_s: u32,
    /// The one after the last.
    pub until_s: u32,
    layer: String,
    /// By layer (empty: all others): with the layers in force for records appended then, if later than the record.
    layers_of: BTreeMap<String, i64>,
}

impl Span {
    /// The only layer; empty: all.
    pub fn layer(&self) -> &str {
        &self.layer
    }

    /// Layers that have boundaries of their own moment.
    pub(super) fn own_moments(&self) -> impl Iterator<Item = (&str, i64)> {
        self.layers_of.iter().filter(|(layer, _)| !layer.is_empty()).map(|(layer, moment)| (layer.as_str(), *moment))
    }

    /// The moment whose boundaries a layer has, epoch ms; 0: those of the record's own append.
    pub(super) fn layers_of(&self, layer: &str) -> i64 {
        let own = self.layers_of.get(layer).copied().unwrap_or(0);
        own.max(self.layers_of.get("").copied().unwrap_or(0))
    }

    /// In pieces that fit into memory.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (u32, u32)> {
        let until = self.until_s;
        (self.from_s..until).step_by(PIECE_S as usize).map(move |from| (from, until.min(from.saturating_add(PIECE_S))))
    }
}

/// A span somebody asks for, whole minutes of it. `quiet_ms`: no stream changes windows that end before; `now_ms`: with
/// today's boundaries.
pub(super) fn asked_for(
    from_ms: i64,
    until_ms: i64,
    layer: Option<String>,
    (quiet_ms, now_ms): (i64, i64),
) -> Result<Vec<Span>, Refusal> {
    let minute_ms = i64::from(MINUTE_S) * 1000;
    let (from, until) = (from_ms.div_euclid(minute_ms), until_ms.saturating_add(minute_ms - 1).div_euclid(minute_ms));
    if from >= until {
        return Err(Refusal::Empty);
    }
    if (until - from) > MOST_DAYS * 1440 {
        return Err(Refusal::Long);
    }
    if until * minute_ms > quiet_ms {
        return Err(Refusal::Fresh(quiet_ms));
    }
    let seconds = |minute: i64| u32::try_from(minute * i64::from(MINUTE_S)).map_err(|_| Refusal::Empty);
    let layer = layer.unwrap_or_default();
    let layers_of = BTreeMap::from([(layer.clone(), now_ms)]);
    Ok(vec![Span { from_s: seconds(from)?, until_s: seconds(until)?, layer, layers_of }])
}

/// Age at its append from which on a live record may have been too late for windows.
pub(super) fn late_after(limits: &Limits) -> i64 {
    i64::from(limits.lateness_s) * 1000 + KEEP_MS - MARGIN_MS
}

/// What is dirty (`REC-4`): minutes for which live records came too late, and minutes counted again for which records of feeds
/// that play the `past` came since. Those a stream may still change wait.
pub(super) fn dirty(late: &[LateMinute], past: &[LateMinute], done: &[Recomputed], quiet_ms: i64) -> Vec<Span> {
    let covers = |done: &Recomputed, minute: u32| (done.first_s..done.end_s).contains(&minute);
    // A recompute of one layer leaves the others as they were.
    let counted = |minute: u32| {
        let whole = done.iter().filter(|done| done.layer.is_empty() && covers(done, minute));
        whole.map(|done| done.archived_ms).max()
    };
    let mut minutes = BTreeSet::new();
    for minute in late {
        if counted(minute.start_s).is_none_or(|archived| archived <= minute.last_ms) {
            minutes.insert(minute.start_s);
        }
    }
    for minute in past {
        if done.iter().any(|done| covers(done, minute.start_s) && done.archived_ms <= minute.last_ms) {
            minutes.insert(minute.start_s);
        }
    }
    minutes.retain(|minute| i64::from(minute + MINUTE_S) * 1000 <= quiet_ms);
    join(&minutes, done)
}

fn join(minutes: &BTreeSet<u32>, done: &[Recomputed]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for minute in minutes {
        let mut layers_of = BTreeMap::new();
        for done in done.iter().filter(|done| done.layers_of_ms > 0 && (done.first_s..done.end_s).contains(minute)) {
            let moment: &mut i64 = layers_of.entry(done.layer.clone()).or_default();
            *moment = done.layers_of_ms.max(*moment);
        }
        match spans.last_mut() {
            Some(last) if last.until_s == *minute && last.layers_of == layers_of => last.until_s += MINUTE_S,
            _ => spans.push(Span { from_s: *minute, until_s: minute + MINUTE_S, layer: String::new(), layers_of }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from_s: u32, until_s: u32, layers_of: &[(&str, i64)]) -> Span {
        let layers_of = layers_of.iter().map(|(layer, moment)| ((*layer).to_owned(), *moment)).collect();
        Span { from_s, until_s, layer: String::new(), layers_of }
    }

    fn late(minute: u32, last_ms: i64) -> LateMinute {
        LateMinute { start_s: minute * 60, last_ms, records: 1 }
    }

    fn done(minutes: std::ops::Range<u32>, layer: &str, moments: (i64, i64)) -> Recomputed {
        let (layers_of_ms, archived_ms) = moments;
        let (first_s, end_s) = (minutes.start * 60, minutes.end * 60);
        Recomputed { generation: 1, first_s, end_s, layer: layer.to_owned(), layers_of_ms, archived_ms }
    }

    #[test]
    fn whole_minutes_are_counted_and_not_those_that_still_change() {
        let ask = |from, until, quiet| asked_for(from, until, None, (quiet, 7));
        assert_eq!(ask(61_000, 119_000, 120_000), Ok(vec![span(60, 120, &[("", 7)])]));
        assert_eq!(ask(61_000, 121_000, 179_999), Err(Refusal::Fresh(179_999)));
        assert_eq!(ask(60_000, 60_000, 1 << 40), Err(Refusal::Empty));
        assert_eq!(ask(-60_000, 60_000, 1 << 40), Err(Refusal::Empty));
        assert_eq!(ask(0, 367 * 86_400_000, 1 << 50), Err(Refusal::Long));
        let pieces: Vec<_> = span(60, 1_320, &[]).pieces().collect();
        assert_eq!(pieces, [(60, 660), (660, 1_260), (1_260, 1_320)]);
    }

    #[test]
    fn what_came_late_is_dirty_until_it_is_counted_and_again_when_more_comes() {
        let minutes = [late(1, 500), late(2, 900), late(9, 500)];
        let never = dirty(&minutes, &[], &[], 1 << 40);
        assert_eq!(never, [span(60, 180, &[]), span(540, 600, &[])]);
        let counted = [done(0..5, "", (0, 700))];
        assert_eq!(dirty(&minutes, &[], &counted, 1 << 40), [span(120, 180, &[]), span(540, 600, &[])]);
        // Of one layer only: the others still lack it.
        let one_layer = [done(0..5, "grid", (0, 700))];
        assert_eq!(dirty(&minutes, &[], &one_layer, 1 << 40), never);
        assert_eq!(dirty(&minutes, &[], &[], 180_000), [span(60, 180, &[])], "later ones may still change");
    }

    #[test]
    fn the_past_played_again_is_dirty_where_it_was_counted() {
        let past = [late(1, 500), late(2, 900)];
        assert_eq!(dirty(&[], &past, &[], 1 << 40), []);
        assert_eq!(dirty(&[], &past, &[done(0..5, "grid", (0, 700))], 1 << 40), [span(120, 180, &[])]);
    }

    #[test]
    fn boundaries_of_a_redraw_stay() {
        let redrawn = [done(0..2, "grid", (40, 100)), done(0..9, "", (30, 100))];
        let spans = dirty(&[late(1, 500), late(2, 500)], &[], &redrawn, 1 << 40);
        assert_eq!(spans, [span(60, 120, &[("", 30), ("grid", 40)]), span(120, 180, &[("", 30)])]);
        let [first, ..] = spans.as_slice() else { panic!("two") };
        assert_eq!((first.layers_of("grid"), first.layers_of("beats")), (40, 30));
    }
}
