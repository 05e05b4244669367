//! Rules over single entities: `threshold`, `fence` and `silence`; over several in [`together`]. Pure: records go in, in partition order; changes come out.
//!
//! A [`Book`] is a rule set made ready for one version of the layers: what an event costs depends on the rules that concern
//! it (by kind and value, by source, by area, by a spatial index), not on how many there are. [`EntityRules`] is what is
//! remembered per entity; [`PartRules`] what belongs to a partition, which moves from book to book at its own append times.
//!
//! * `RUL-1` what happens is a function of the partition's records and the control topics alone.
//! * `RUL-2` a rule whose condition and selection did not change keeps its state over a reload; one that was removed or
//!   changed clears its open alerts with the first record it is no longer in force for.
//! * `RUL-3` what is in force goes with the partition's highest append time: it never goes back when a broker's clock does.

mod act;
mod binder;
mod book;
mod books;
mod change;
pub(crate) mod explain;
mod fence;
mod gone;
mod hold;
mod ordered;
mod part;
mod ready;
mod rest;
mod shapes;
mod silence;
mod threshold;
mod timers;
pub(crate) mod together;
mod ways;

pub(crate) use book::Book;
pub(crate) use books::{Books, Limits};
pub(crate) use change::{Change, Open, alert_id};
pub(crate) use gone::Gone;
pub(crate) use ordered::{Due, Kept, Lane, Ordered, Turn};
pub(crate) use part::{PartRules, SavedRules, Seen};
pub(crate) use ready::{Body, Gathering, Ready, Who};

use crate::{
    checkpoint::{HeldForm, PhaseForm, StateForm},
    windows::At,
};
use gridwarden_geo::ahead::ask_for_item;
use thin_vec::ThinVec;

/// What rules remember of an entity.
#[derive(Clone, Default, Debug, PartialEq)]
pub(crate) struct EntityRules {
    /// The partition's count of reloads when the entity's last position was looked at; 0: never.
    pub(crate) seen: u32,
    /// Fences it is inside of, by slot, rising.
    pub(crate) inside: ThinVec<u32>,
    /// Offences and open alerts; nearly always empty.
    pub(crate) held: ThinVec<Held>,
}

/// What a rule holds against an entity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    /// The rule.
    pub(crate) slot: u32,
    /// How far it has come.
    pub(crate) phase: Phase,
}

/// How far an offence has come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Phase {
    /// The value offends, not yet for long enough.
    Pending {
        /// Event time at which it began.
        since: i64,
        /// The record with which it began.
        first: At,
    },
    /// The alert is raised.
    Open(Open),
    /// Under [`WAYS`]: where the entity was.
    Way(Fix),
    /// Under [`ORDERED`]: what rules in the order of event time remember, by how long they wait, in seconds.
    Ordered(ThinVec<(u32, EntityRules)>),
}

/// Where an entity was when, for rules about ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fix {
    /// Event time.
    pub(crate) time: i64,
    /// `[lon, lat]`.
    pub(crate) position: [f64; 2],
    /// Metres of error, as claimed.
    pub(crate) accuracy_m: Option<f32>,
}

/// In place of a slot: what is held for all rules about ways together. No rule has it.
pub(crate) const WAYS: u32 = u32::MAX;

/// In place of a slot: what is remembered for rules in the order of event time. No rule has it.
pub(crate) const ORDERED: u32 = u32::MAX - 1;

impl Phase {
    /// As it is written down.
    pub(crate) fn form(&self) -> PhaseForm {
        match self {
            Self::Pending { since, first } => PhaseForm::Pending(*since, first.0),
            Self::Open(Open { id, seq, raised_at, told_s: 0 }) => PhaseForm::Open(*id, *seq, *raised_at),
            Self::Open(Open { id, seq, raised_at, told_s }) => PhaseForm::Told(*id, *seq, *raised_at, *told_s),
            Self::Way(Fix { time, position, accuracy_m }) => {
                PhaseForm::Way(*time, position.map(f64::to_bits), accuracy_m.map(f32::to_bits))
            }
            Self::Ordered(lanes) => {
                PhaseForm::Ordered(lanes.iter().map(|(reorder_s, state)| (*reorder_s, state.form())).collect())
            }
        }
    }

    /// As it was written down, in the numbers of this process.
    pub(crate) fn of(form: PhaseForm) -> Self {
        match form {
            PhaseForm::Pending(since, first) => Self::Pending { since, first: At(first) },
            PhaseForm::Open(id, seq, raised_at) => Self::Open(Open { id, seq, raised_at, told_s: 0 }),
            PhaseForm::Told(id, seq, raised_at, told_s) => Self::Open(Open { id, seq, raised_at, told_s }),
            PhaseForm::Way(time, position, accuracy_m) => Self::Way(Fix {
                time,
                position: position.map(f64::from_bits),
                accuracy_m: accuracy_m.map(f32::from_bits),
            }),
            PhaseForm::Ordered(lanes) => {
                let lanes = lanes.into_iter().map(|(reorder_s, form)| (reorder_s, EntityRules::of(form)));
                Self::Ordered(lanes.collect())
            }
        }
    }
}

impl EntityRules {
    /// Its open alerts, of all rules.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Open> {
        let in_order = self.held.iter().filter_map(|held| match &held.phase {
            Phase::Ordered(lanes) => Some(lanes.iter().flat_map(|(_, state)| &state.held)),
            _ => None,
        });
        self.held.iter().chain(in_order.flatten()).filter_map(|held| match &held.phase {
            Phase::Open(open) => Some(open),
            _ => None,
        })
    }

    /// As it is written down.
    pub(crate) fn form(&self) -> StateForm {
        StateForm { seen: self.seen, inside: self.inside.iter().copied().collect(), held: self.held_form() }
    }

    /// What rules hold against it, as it is written down.
    pub(crate) fn held_form(&self) -> Vec<HeldForm> {
        self.held.iter().map(|held| HeldForm { slot: held.slot, phase: held.phase.form() }).collect()
    }

    /// As it was written down, in the numbers of this process.
    pub(crate) fn of(StateForm { seen, inside, held }: StateForm) -> Self {
        let held = held.into_iter().map(|held| Held { slot: held.slot, phase: Phase::of(held.phase) });
        Self { seen, inside: inside.into_iter().collect(), held: held.collect() }
    }

    /// Where it was last, for rules about ways.
    pub(crate) fn last_fix(&self) -> Option<Fix> {
        match self.phase(WAYS)? {
            Phase::Way(fix) => Some(*fix),
            _ => None,
        }
    }

    /// Asks for what stands apart from it, if anything does.
    #[inline]
    pub(crate) fn ask(&self) {
        ask_for_item(&self.inside, 0);
        ask_for_item(&self.held, 0);
    }

    fn position(&self, slot: u32) -> Option<usize> {
        self.held.iter().position(|held| held.slot == slot)
    }

    pub(crate) fn phase(&self, slot: u32) -> Option<&Phase> {
        self.held.iter().find(|held| held.slot == slot).map(|held| &held.phase)
    }

    fn set(&mut self, slot: u32, phase: Option<Phase>) {
        match (self.position(slot), phase) {
            (Some(at), Some(phase)) => {
                if let Some(held) = self.held.get_mut(at) {
                    held.phase = phase;
                }
            }
            (Some(at), None) => {
                self.held.swap_remove(at);
            }
            (None, Some(phase)) => self.held.push(Held { slot, phase }),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
