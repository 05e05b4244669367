//! The fence: where a position is taken to be, and what that does to an entity that was, or was not, inside before.
//!
//! A position counts as it is, but for two things a rule may ask for. Who is inside stays inside until he is farther outside than
//! the margin. And a position that says it is too inaccurate says nothing of a fence, but where an entity is first taken to be.

use super::{
    Phase,
    hold::{self, Sign, Step},
};
use crate::windows::At;
use gridwarden_domain::rule::{Crossing, Fence};
use std::ops::Range;

/// A fence, ready.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Border {
    on: Crossing,
    first_counts: bool,
    /// How long an entity must be on the side that offends, in milliseconds of event time.
    pub(crate) hold_ms: i64,
    margin_m: f64,
    accuracy_m: f64,
    /// Its shapes in the index; none when it is an area.
    pub(crate) shapes: Range<u32>,
}

/// What is known of an entity and a fence when a position comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// Whether it was inside.
    pub(crate) inside: bool,
    /// Whether this is the first position the rule sees of it.
    pub(crate) first: bool,
}

impl Border {
    pub(crate) fn of(fence: &Fence, shapes: Range<u32>) -> Self {
        Self {
            on: fence.on,
            first_counts: fence.first_counts,
            hold_ms: i64::from(fence.hold_s) * 1000,
            margin_m: fence.margin_m.unwrap_or(0.0),
            accuracy_m: fence.accuracy_m.unwrap_or(f64::INFINITY),
            shapes,
        }
    }

    /// Whether an entity's first position may raise by being outside, wherever that is.
    pub(crate) fn asks_first_outside(&self) -> bool {
        self.on == Crossing::Exit && self.first_counts
    }

    /// Whether a position that claims to be off by so many metres says anything.
    pub(crate) fn trusts(&self, accuracy_m: Option<f32>) -> bool {
        accuracy_m.is_none_or(|accuracy| f64::from(accuracy) <= self.accuracy_m)
    }

    /// Whether an entity is taken to be inside. `outside_m`: how far a position lies outside, asked only if it matters.
    pub(crate) fn holds(
        &self,
        before: Before,
        contained: bool,
        trusted: bool,
        outside_m: impl FnOnce() -> f64,
    ) -> bool {
        if !trusted && !before.first {
            return before.inside;
        }
        contained || before.inside && self.margin_m > 0.0 && outside_m() <= self.margin_m
    }

    /// What a trusted position does to an entity in a phase.
    pub(crate) fn step(&self, phase: Option<&Phase>, before: Before, inside: bool, (time, at): (i64, At)) -> Step {
        let offends = inside != (self.on == Crossing::Exit);
        let begins = match self.on {
            Crossing::Inside | Crossing::Dwell => true,
            Crossing::Enter | Crossing::Exit if before.first => self.first_counts,
            Crossing::Enter | Crossing::Exit => before.inside != inside,
        };
        let sign = Sign { offends: offends && (begins || phase.is_some()), clears: !offends, time, at };
        hold::step(self.hold_ms, phase, sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::change::Open;
    use gridwarden_domain::rule::Shape;

    fn border(on: Crossing, first_counts: bool) -> Border {
        let shape = Shape::Circle { centre: [0.0, 0.0], radius_m: 1.0 };
        let fence =
            Fence { shape, on, first_counts, hold_s: 0, margin_m: Some(10.0), accuracy_m: Some(50.0), crs: None };
        Border::of(&fence, 0..1)
    }

    /// What positions say: inside, outside, outside within the margin; each may be untrusted.
    fn run(border: &Border, positions: &str) -> String {
        let (mut before, mut phase) = (Before { inside: false, first: true }, None);
        let mut said = String::new();
        for position in positions.chars() {
            let trusted = position.is_uppercase();
            let (contained, outside_m) = match position.to_ascii_uppercase() {
                'I' => (true, 0.0),
                'M' => (false, 9.0),
                _ => (false, 100.0),
            };
            let inside = border.holds(before, contained, trusted, || outside_m);
            let step = border.step(phase.as_ref(), before, inside, (1_000, At::new(0, 1)));
            before = Before { inside, first: false };
            if !trusted {
                said.push('.');
                continue;
            }
            let open = Open { id: 1, seq: 1, raised_at: 0 };
            (phase, said) = match step {
                Step::Raise { .. } => (Some(Phase::Open(open)), said + "R"),
                Step::Clear(_) => (None, said + "C"),
                _ => (phase, said + "."),
            };
        }
        said
    }

    #[test]
    fn crossings_raise_and_the_way_back_clears() {
        let enter = border(Crossing::Enter, false);
        assert_eq!(run(&enter, "OIIOOI"), ".R.C.R");
        assert_eq!(run(&enter, "IOI"), "..R");
        assert_eq!(run(&border(Crossing::Enter, true), "IOI"), "RCR");
        assert_eq!(run(&border(Crossing::Exit, false), "IOOI"), ".R.C");
        assert_eq!(run(&border(Crossing::Exit, false), "OIO"), "..R");
        assert_eq!(run(&border(Crossing::Exit, true), "OIO"), "RCR");
        assert_eq!(run(&border(Crossing::Inside, false), "IOI"), "RCR");
    }

    #[test]
    fn who_is_inside_stays_so_within_the_margin() {
        assert_eq!(run(&border(Crossing::Enter, false), "OMIMIMO"), "..R...C");
        assert_eq!(run(&border(Crossing::Exit, false), "IMMOMI"), "...R.C");
    }

    #[test]
    fn what_is_too_inaccurate_says_only_where_an_entity_is_first_taken_to_be() {
        assert_eq!(run(&border(Crossing::Enter, false), "OiIoO"), "..R.C");
        assert_eq!(run(&border(Crossing::Enter, false), "iIOI"), "...R");
        assert_eq!(run(&border(Crossing::Inside, false), "iIoO"), ".R.C");
    }
}
