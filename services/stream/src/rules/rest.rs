//! Who is where he was: most positions change nothing under any fence. Four bytes a rule are enough to say so; the rules themselves
//! are many, and lie where memory is slow.
//!
//! `FEN-1` what is left out by it would have changed nothing and said nothing.

use super::{
    EntityRules, Phase,
    ready::{Body, Ready},
};

/// What a position must know of a rule before anything else.
#[derive(Clone, Copy, Default)]
pub(super) struct Nature {
    pub(super) is_fence: bool,
    /// It looks at everybody, and nothing happens under it while nobody crosses.
    rests: bool,
    /// Who is outside offends, not who is inside.
    offends_outside: bool,
    /// Who is where he was begins no offence.
    begins_by_crossing: bool,
}

impl Nature {
    pub(super) fn of(ready: &Ready) -> Self {
        let Body::Fence(border) = &ready.body else { return Self::default() };
        let always = ready.hold.hours.is_none() && ready.rule.update_s == 0;
        Self {
            is_fence: true,
            rests: border.rests() && ready.chosen.is_everybody() && always,
            offends_outside: border.offends_outside(),
            begins_by_crossing: border.begins_by_crossing(),
        }
    }
}

/// Whether a position says nothing new: the entity is inside of the very fences it was, and all is settled under each.
pub(super) fn stays(nature: impl Fn(u32) -> Nature, inside: &[u32], state: &EntityRules) -> bool {
    inside == state.inside.as_slice()
        && state.held.iter().all(|held| {
            let of = nature(held.slot);
            let is_raised = matches!(held.phase, Phase::Open(_));
            let offends = inside.contains(&held.slot) != of.offends_outside;
            !of.is_fence || of.rests && is_raised && offends
        })
        && inside.iter().all(|slot| {
            let of = nature(*slot);
            of.rests && (of.begins_by_crossing || state.phase(*slot).is_some())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        intern::{MetricNames, Views},
        rules::{Book, Books, Held, Limits, Open},
        windows::At,
    };
    use gridwarden_domain::{
        control::RuleSet,
        locate::LayerSet,
        rule::{Condition, Crossing, Fence, Rule, Select, Severity, Shape, Speed},
        text::Text,
    };
    use std::sync::Arc;

    fn fence(on: Crossing) -> Rule {
        let shape = Shape::Circle { centre: [0.0, 0.0], radius_m: 100.0 };
        let speed = (on == Crossing::Speed).then_some(Speed { above_kmh: 50.0, clear_kmh: None, value: None });
        let condition = Condition::Fence(Fence { speed, ..Fence::new(shape, on) });
        Rule::new("r", Text { en: "r".to_owned(), zh: String::new() }, Severity::Minor, condition)
    }

    fn book(rule: Rule) -> Arc<Book> {
        let (views, names) = (Views::default(), MetricNames::default());
        let set = Arc::new(RuleSet { revision: 1, rules: vec![Arc::new(rule)] });
        let view = views.of(&Arc::new(LayerSet::default()));
        Books::restored(Limits { shapes_mib: 1 }, &[]).of(&set, &view, (&views, &names))
    }

    /// In which of the six states an entity may be in it stays: nothing held, waiting, raised; each outside, then inside.
    fn stays_in(rule: Rule) -> String {
        let book = book(rule);
        let phases =
            [None, Some(Phase::Pending { since: 0, first: At::new(0, 1) }), Some(Phase::Open(Open::raised(1, 0)))];
        let states = phases.iter().flat_map(|phase| [false, true].map(|inside| (phase.clone(), inside)));
        let stays = states.map(|(phase, inside)| {
            let inside: &[u32] = if inside { &[0] } else { &[] };
            let held = phase.into_iter().map(|phase| Held { slot: 0, phase }).collect();
            let state = EntityRules { seen: 1, inside: inside.iter().copied().collect(), held };
            assert!(!book.stays(&[0, 1], &state), "it was not there");
            if book.stays(inside, &state) { '=' } else { '!' }
        });
        stays.collect()
    }

    #[test]
    fn who_is_where_he_was_is_looked_at_where_something_may_come_of_it() {
        let cases = [
            (fence(Crossing::Enter), "==!!!="),
            (fence(Crossing::Exit), "==!!=!"),
            (fence(Crossing::Inside), "=!!!!="),
            (fence(Crossing::Dwell), "=!!!!="),
            (fence(Crossing::Speed), "=!!!!!"),
            (Rule { update_s: 60, ..fence(Crossing::Enter) }, "=!!!!!"),
            (
                Rule {
                    select: Select { kinds: vec!["car".to_owned()], ..Select::default() },
                    ..fence(Crossing::Enter)
                },
                "=!!!!!",
            ),
            (
                Rule { select: Select { sources: vec!["a".to_owned()], ..Select::default() }, ..fence(Crossing::Exit) },
                "=!!!!!",
            ),
        ];
        for (number, (rule, expected)) in cases.into_iter().enumerate() {
            assert_eq!(stays_in(rule), expected, "case {number}");
        }
    }
}
