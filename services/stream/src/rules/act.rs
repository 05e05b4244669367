//! What a record does to one entity under one rule.

use super::{
    Change, EntityRules, Open, Phase, Seen, alert_id,
    book::Book,
    fence::{Before, Border},
    hold::{self, Sign, Step},
    ready::{Body, Ready},
    silence,
    timers::{Timer, Timers},
};
use crate::{intern::MetricNames, windows::At};
use gridwarden_domain::{alert::Transition, value::Fixed};
use smallvec::SmallVec;
use std::sync::Arc;

/// The alert at its next transition.
fn next(open: Open) -> Open {
    Open { seq: open.seq + 1, ..open }
}

/// The end of an alert. No alert ends before it began, whatever the event time of what ended it.
pub(super) fn cleared(ready: &Ready, open: Open, time: i64, value: Option<Fixed>) -> Change {
    let time = time.max(open.raised_at);
    let (rule, alert) = (Arc::clone(&ready.rule), next(open));
    Change { rule, alert, transition: Transition::Cleared, time, value, evidence: SmallVec::new() }
}

/// A raise, with the record the offence began with.
pub(super) fn raised(ready: &Ready, open: Open, first: At, value: Option<Fixed>) -> Change {
    let (rule, evidence) = (Arc::clone(&ready.rule), SmallVec::from_iter([first]));
    Change { rule, alert: open, transition: Transition::Raised, time: open.raised_at, value, evidence }
}

/// How an alert stands, by a record.
fn updated(ready: &Ready, open: Open, (seen, value): (&Seen<'_>, Option<Fixed>)) -> Change {
    let (rule, evidence) = (Arc::clone(&ready.rule), SmallVec::from_iter([seen.at]));
    Change { rule, alert: open, transition: Transition::Updated, time: seen.time, value, evidence }
}

/// An alert that a record shows to have been raised, told anew by it if that is long ago: as if the clock had shown the raise before.
fn told_anew(
    (ready, open): (&Ready, Open),
    moment: i64,
    shown: (&Seen<'_>, Option<Fixed>),
    out: &mut Vec<Change>,
) -> Open {
    let Some(told) = open.updated(moment, ready.rule.update_s) else { return open };
    out.push(updated(ready, told, shown));
    told
}

/// The value of this name in a record.
pub(super) fn value_named(name: &str, seen: &Seen<'_>, names: &MetricNames) -> Option<Fixed> {
    let metric = names.value(seen.who.kind, name)?;
    seen.values.iter().find(|(number, _)| *number == metric).map(|(_, value)| *value)
}

/// What remembers: the partition's timers, the entity's state.
pub(super) type Memory<'m> = (&'m mut Timers, &'m mut EntityRules);

/// A value against a threshold.
pub(super) fn weigh(rule: (u32, &Ready), value: Fixed, seen: &Seen<'_>, memory: Memory<'_>, out: &mut Vec<Change>) {
    let Body::Threshold(_, levels) = &rule.1.body else { return };
    tell(rule, levels.sign(value, seen.time, seen.at), (seen, Some(value)), memory, out);
}

/// A position against a fence: `inside` is where the entity is taken to be with it.
pub(super) fn cross(
    rule: (u32, &Ready),
    (before, inside): (Before, bool),
    seen: &Seen<'_>,
    memory: Memory<'_>,
    out: &mut Vec<Change>,
) {
    let (slot, ready) = rule;
    let Body::Fence(border) = &ready.body else { return };
    let held = memory.1.phase(slot).is_some();
    // An exit fence asks about entities it does not concern only when it is new.
    if !held && !before.inside && !ready.concerns(&seen.who) {
        return;
    }
    // What was over with its hours does not go on, whether the clock has shown it or not.
    let goes_on = memory.1.phase(slot).is_some_and(|phase| ready.hold.over(phase, seen.time).is_none());
    tell(rule, border.sign(goes_on, before, inside, (seen.time, seen.at)), (seen, None), memory, out);
}

/// An entity's speed under a rule about it: `inside` is where it is taken to be.
pub(super) fn pace(
    (slot, ready, border): (u32, &Ready, &Border),
    (inside, kmh): (bool, Option<Fixed>),
    seen: &Seen<'_>,
    memory: Memory<'_>,
    out: &mut Vec<Change>,
) {
    if inside && kmh.is_none() {
        // What does not say how fast it was says nothing.
        return;
    }
    let sign = border.sign_of_speed(inside, kmh, (seen.time, seen.at));
    tell((slot, ready), sign, (seen, kmh), memory, out);
}

/// A message under a rule on silence.
pub(super) fn hear(rule: (u32, &Ready), seen: &Seen<'_>, (timers, state): Memory<'_>, out: &mut Vec<Change>) {
    let (slot, ready) = rule;
    if !matches!(ready.body, Body::Silence) {
        return;
    }
    let Some(step) = silence::hear(&ready.hold, state.phase(slot), seen.time) else { return };
    // Else its timer was taken out when the alert was raised, or there was none.
    let has_timer = matches!(state.phase(slot), Some(Phase::Pending { .. }));
    act(rule, step, (seen, seen.time, None), (&mut *timers, &mut *state), out);
    if !has_timer && let Some(due) = silence::due(&ready.hold, seen.time) {
        timers.push(seen.domain, Timer { due, entity: seen.entity, slot });
    }
    state.set(slot, Some(Phase::Pending { since: seen.time, first: seen.at }));
}

/// What a record says of an offence, in the rule's hours; before it, what was over with them.
pub(super) fn tell(
    rule: (u32, &Ready),
    sign: Sign,
    (seen, value): (&Seen<'_>, Option<Fixed>),
    (timers, state): Memory<'_>,
    out: &mut Vec<Change>,
) {
    let (slot, Ready { hold, .. }) = rule;
    if let Some((end, step)) = state.phase(slot).and_then(|phase| hold.over(phase, sign.time)) {
        act(rule, step, (seen, end, None), (&mut *timers, &mut *state), out);
    }
    if hold.looks_at(sign.time) {
        let step = hold::step((hold.ms, rule.1.rule.update_s), state.phase(slot), sign);
        act(rule, step, (seen, sign.time, value), (timers, state), out);
    }
}

fn act(
    (slot, ready): (u32, &Ready),
    step: Step,
    (seen, moment, value): (&Seen<'_>, i64, Option<Fixed>),
    (timers, state): Memory<'_>,
    out: &mut Vec<Change>,
) {
    let phase = match step {
        Step::Stay => return,
        Step::Hold => Some(Phase::Pending { since: moment, first: seen.at }),
        Step::Drop => None,
        Step::Raise { time, first, and_clear } => {
            let id = alert_id(&ready.rule.id, seen.who.source, (seen.identity)(first));
            let open = Open::raised(id, time);
            let mut change = raised(ready, open, first, value);
            // What showed it is evidence as well, if it offended itself.
            if !and_clear && seen.at != first {
                change.evidence.push(seen.at);
            }
            out.push(change);
            if and_clear {
                out.push(cleared(ready, open, moment, value));
                None
            } else {
                Some(Phase::Open(told_anew((ready, open), moment, (seen, value), out)))
            }
        }
        Step::Update(open) => {
            out.push(updated(ready, open, (seen, value)));
            // What waits for its end waits on.
            return state.set(slot, Some(Phase::Open(open)));
        }
        Step::Clear(open) => {
            out.push(cleared(ready, open, moment, value));
            None
        }
    };
    if let Some((due, _)) = phase.as_ref().and_then(|phase| ready.falls(phase)) {
        timers.push(seen.domain, Timer { due, entity: seen.entity, slot });
    }
    state.set(slot, phase);
}

/// A threshold or a silence limited to areas has nothing more to say about an entity that left them.
pub(super) fn end_outside_areas(book: &Book, seen: &Seen<'_>, state: &mut EntityRules, out: &mut Vec<Change>) {
    state.held.retain(|held| {
        let Some(ready) = book.rule(held.slot) else { return true };
        let left = matches!(ready.body, Body::Threshold(..) | Body::Silence)
            && ready.is_limited_to_areas()
            && !ready.is_in_areas(seen.who.areas);
        if left && let Phase::Open(open) = &held.phase {
            out.push(cleared(ready, *open, seen.time, None));
        }
        !left
    });
}
