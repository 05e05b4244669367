//! The fence: where a position is taken to be, and what that does to an entity that was, or was not, inside before.
//!
//! A position counts as it is, but for two things a rule may ask for. Who is inside stays inside until he is farther outside than
//! the margin. And a position that says it is too inaccurate says nothing of a fence, but where an entity is first taken to be.

use super::{hold::Sign, ways::Way};
use crate::windows::At;
use gridwarden_domain::{
    rule::{Crossing, Fence, Speed, USUAL_WAY_S},
    value::Fixed,
};
use std::ops::Range;

/// A fence, ready.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Border {
    on: Crossing,
    first_counts: bool,
    margin_m: f64,
    accuracy_m: f64,
    way_ms: i64,
    speed: Option<Pace>,
    /// Its shapes in the index; none when it is an area.
    pub(crate) shapes: Range<u32>,
}

/// How fast is too fast, in km/h.
#[derive(Clone, Debug, PartialEq)]
struct Pace {
    above: Fixed,
    clear: Fixed,
    value: Option<Box<str>>,
}

impl Pace {
    fn of(speed: &Speed) -> Option<Self> {
        let above = Fixed::from_f64(speed.above_kmh)?;
        let clear = speed.clear_kmh.map_or(Some(above), Fixed::from_f64)?;
        Some(Self { above, clear, value: speed.value.as_deref().map(Box::from) })
    }
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
            margin_m: fence.margin_m.unwrap_or(0.0),
            accuracy_m: fence.accuracy_m.unwrap_or(f64::INFINITY),
            way_ms: i64::from(fence.way_s.unwrap_or(USUAL_WAY_S)) * 1000,
            speed: fence.speed.as_ref().and_then(Pace::of),
            shapes,
        }
    }

    /// Whether it asks where ways lead, not where an entity is.
    pub(crate) fn is_crossed(&self) -> bool {
        self.on == Crossing::Cross
    }

    /// Whether it asks how fast an entity is.
    pub(crate) fn asks_speed(&self) -> bool {
        self.speed.is_some()
    }

    /// Whether nothing happens to who is inside, or outside, until he crosses it: but what waits to be raised.
    pub(super) fn rests(&self) -> bool {
        !self.is_crossed() && !self.asks_speed()
    }

    /// Whether who is outside offends.
    pub(super) fn offends_outside(&self) -> bool {
        self.on == Crossing::Exit
    }

    /// Whether an offence begins with a crossing only.
    pub(super) fn begins_by_crossing(&self) -> bool {
        matches!(self.on, Crossing::Enter | Crossing::Exit)
    }

    /// The value it asks for how fast an entity is.
    pub(crate) fn speed_value(&self) -> Option<&str> {
        self.speed.as_ref()?.value.as_deref()
    }

    /// How fast an entity was on its way, in km/h; none when the positions say nothing about that.
    pub(crate) fn pace(&self, way: Option<&Way>) -> Option<Fixed> {
        self.speed.as_ref()?;
        way.filter(|way| self.is_way(way)).and_then(|way| Fixed::from_f64(way.kmh()))
    }

    /// Whether two positions are near enough in time, and accurate enough, to be a way.
    fn is_way(&self, way: &Way) -> bool {
        way.took_ms() <= self.way_ms && self.trusts(way.from.accuracy_m) && self.trusts(way.to.accuracy_m)
    }

    /// What a way that leads in, out or through says, or one that does not.
    pub(crate) fn sign_of_way(&self, crosses: bool, way: Option<&Way>, (time, at): (i64, At)) -> Sign {
        let offends = crosses && way.is_some_and(|way| self.is_way(way));
        Sign { offends, clears: !offends, time, at }
    }

    /// What an entity's speed says, in km/h, if it is known.
    pub(crate) fn sign_of_speed(&self, inside: bool, kmh: Option<Fixed>, (time, at): (i64, At)) -> Sign {
        let beyond = |level: fn(&Pace) -> Fixed| kmh.zip(self.speed.as_ref()).map(|(kmh, pace)| kmh > level(pace));
        Sign {
            offends: inside && beyond(|pace| pace.above) == Some(true),
            clears: !inside || beyond(|pace| pace.clear) == Some(false),
            time,
            at,
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

    /// What a trusted position says of an entity; `held`: something is held against it already.
    pub(crate) fn sign(&self, held: bool, before: Before, inside: bool, (time, at): (i64, At)) -> Sign {
        let offends = inside != self.offends_outside();
        let begins = match self.on {
            Crossing::Inside | Crossing::Dwell | Crossing::Cross | Crossing::Speed => true,
            Crossing::Enter | Crossing::Exit if before.first => self.first_counts,
            Crossing::Enter | Crossing::Exit => before.inside != inside,
        };
        Sign { offends: offends && (begins || held), clears: !offends, time, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        Phase,
        change::Open,
        hold::{self, Step},
    };
    use gridwarden_domain::rule::Shape;

    fn border(on: Crossing, first_counts: bool) -> Border {
        let shape = Shape::Circle { centre: [0.0, 0.0], radius_m: 1.0 };
        let fence = Fence { first_counts, margin_m: Some(10.0), accuracy_m: Some(50.0), ..Fence::new(shape, on) };
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
            let sign = border.sign(phase.is_some(), before, inside, (1_000, At::new(0, 1)));
            let step = hold::step((0, 0), phase.as_ref(), sign);
            before = Before { inside, first: false };
            if !trusted {
                said.push('.');
                continue;
            }
            let open = Open::raised(1, 0);
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
