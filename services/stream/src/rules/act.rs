//! What a record does to one entity under one rule.

use super::{
    Change, EntityRules, Open, Phase, Seen, alert_id,
    book::Book,
    fence::Before,
    hold::Step,
    ready::{Body, Ready},
    silence,
    timers::{Timer, Timers},
};
use crate::intern::MetricNames;
use gridwarden_domain::{alert::Transition, value::Fixed};
use std::sync::Arc;

/// The alert at its next transition.
pub(super) fn next(open: Open) -> Open {
    Open { seq: open.seq + 1, ..open }
}

/// A transition. No alert ends before it began, whatever the event time of what ended it.
pub(super) fn said(ready: &Ready, alert: Open, transition: Transition, time: i64, value: Option<Fixed>) -> Change {
    let time = time.max(alert.raised_at);
    Change { rule: Arc::clone(&ready.rule), alert, transition, time, value }
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
    let step = levels.step(memory.1.phase(rule.0), value, seen.time, seen.at);
    act(rule, step, (seen, Some(value)), memory, out);
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
    let phase = memory.1.phase(slot);
    // An exit fence asks about entities it does not concern only when it is new.
    if phase.is_none() && !before.inside && !ready.concerns(&seen.who) {
        return;
    }
    let step = border.step(phase, before, inside, (seen.time, seen.at));
    act(rule, step, (seen, None), memory, out);
}

/// A message under a rule on silence.
pub(super) fn hear(rule: (u32, &Ready), seen: &Seen<'_>, (timers, state): Memory<'_>, out: &mut Vec<Change>) {
    let (slot, ready) = rule;
    let Body::Silence(after_ms) = ready.body else { return };
    let Some(step) = silence::hear(after_ms, state.phase(slot), seen.time) else { return };
    // Else its timer was taken out when the alert was raised, or there was none.
    let has_timer = matches!(state.phase(slot), Some(Phase::Pending { .. }));
    act(rule, step, (seen, None), (&mut *timers, &mut *state), out);
    if !has_timer {
        timers.push(seen.domain, Timer { due: seen.time.saturating_add(after_ms), entity: seen.entity, slot });
    }
    state.set(slot, Some(Phase::Pending { since: seen.time, first: seen.at }));
}

fn act(
    (slot, ready): (u32, &Ready),
    step: Step,
    (seen, value): (&Seen<'_>, Option<Fixed>),
    (timers, state): Memory<'_>,
    out: &mut Vec<Change>,
) {
    match step {
        Step::Stay => {}
        Step::Hold { due } => {
            state.set(slot, Some(Phase::Pending { since: seen.time, first: seen.at }));
            timers.push(seen.domain, Timer { due, entity: seen.entity, slot });
        }
        Step::Drop => state.set(slot, None),
        Step::Raise { time, first, and_clear } => {
            let id = alert_id(&ready.rule.id, seen.who.source, (seen.identity)(first));
            let open = Open { id, seq: 1, raised_at: time };
            out.push(said(ready, open, Transition::Raised, time, value));
            if and_clear {
                out.push(said(ready, next(open), Transition::Cleared, seen.time, value));
            }
            state.set(slot, (!and_clear).then_some(Phase::Open(open)));
        }
        Step::Clear(open) => {
            state.set(slot, None);
            out.push(said(ready, next(open), Transition::Cleared, seen.time, value));
        }
    }
}

/// A threshold or a silence limited to areas has nothing more to say about an entity that left them.
pub(super) fn end_outside_areas(book: &Book, seen: &Seen<'_>, state: &mut EntityRules, out: &mut Vec<Change>) {
    state.held.retain(|held| {
        let Some(ready) = book.rule(held.slot) else { return true };
        let left = matches!(ready.body, Body::Threshold(..) | Body::Silence(_))
            && ready.is_limited_to_areas()
            && !ready.is_in_areas(seen.who.areas);
        if left && let Phase::Open(open) = &held.phase {
            out.push(said(ready, next(*open), Transition::Cleared, seen.time, None));
        }
        !left
    });
}
