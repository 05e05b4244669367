//! What a wish makes of the shelf: the next version, or a refusal with its reason. Pure.

use super::Shelf;
use gridwarden_domain::rule::{Changed, Rule, RuleError, State, validate};

/// Most rules in force at once.
pub const MAX_ACTIVE: usize = 100_000;

/// What somebody wants of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// This document.
    Put(Box<Rule>),
    /// The newest document in another state.
    Turn(State),
    /// The document it had in an earlier version; it is in the state it is in now.
    Back(u32),
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody ever wrote that rule.
    #[error("there is no rule {0}")]
    Unknown(String),
    /// It has no such version.
    #[error("{id} has no version {version}")]
    NoVersion {
        /// The rule.
        id: String,
        /// The number asked for.
        version: u32,
    },
    /// Somebody wrote a version in between.
    #[error("{id} is at version {newest}, not at {expected}: look at what changed")]
    Moved {
        /// The rule.
        id: String,
        /// What the wish was made on.
        expected: u32,
        /// What it is at.
        newest: u32,
    },
    /// It is that already.
    #[error("{0} says that already")]
    Same(String),
    /// Too many rules are in force.
    #[error("{MAX_ACTIVE} rules are in force, which is the most there may be; retire some")]
    Full,
    /// The document cannot be a rule.
    #[error(transparent)]
    Invalid(#[from] RuleError),
}

/// Decides what is written next for a rule. `expected`: the version the wish was made on, when that matters.
pub fn decide(shelf: &Shelf, id: &str, wish: Wish, changed: Changed, expected: Option<u32>) -> Result<Rule, Refusal> {
    let newest = shelf.newest(id).map(|(rule, _)| rule);
    let at = newest.map_or(0, |rule| rule.version);
    if let Some(expected) = expected.filter(|expected| *expected != at) {
        return Err(Refusal::Moved { id: id.to_owned(), expected, newest: at });
    }
    let known = || newest.ok_or_else(|| Refusal::Unknown(id.to_owned()));
    let wanted = match wish {
        Wish::Put(rule) => *rule,
        Wish::Turn(state) => Rule { state, ..known()?.clone() },
        Wish::Back(version) => {
            let state = known()?.state;
            let then = shelf.find(id, version).ok_or_else(|| Refusal::NoVersion { id: id.to_owned(), version })?;
            Rule { state, ..then.clone() }
        }
    };
    let next = Rule { id: id.to_owned(), version: at.saturating_add(1), changed: Some(changed), ..wanted };
    validate(&next)?;
    // One that was removed is not there any more, whatever its last document said.
    let now = shelf.now(id).and_then(|version| version.rule.as_ref());
    if now.is_some_and(|now| says_the_same(now, &next)) {
        return Err(Refusal::Same(id.to_owned()));
    }
    let was_active = now.is_some_and(|now| now.state == State::Active);
    if next.state == State::Active && !was_active && shelf.active() >= MAX_ACTIVE {
        return Err(Refusal::Full);
    }
    Ok(next)
}

/// Whether two documents differ in nothing but their numbers and who wrote them.
fn says_the_same(one: &Rule, other: &Rule) -> bool {
    let alike = Rule { version: one.version, changed: one.changed.clone(), ..other.clone() };
    *one == alike
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::rule;

    fn document(version: u32, level: u32, state: &str) -> String {
        format!(
            r#"{{"id":"hot","version":{version},"title":{{"en":"Hot"}},"severity":"minor","state":"{state}","threshold":{{"value":"t","side":"above","level":{level}}}}}"#
        )
    }

    fn rule(level: u32, state: &str) -> Box<Rule> {
        Box::new(rule::read(document(1, level, state).as_bytes()).expect("a rule"))
    }

    fn by(name: &str) -> Changed {
        Changed { by: name.to_owned(), why: None }
    }

    /// A shelf, and what is written to it.
    #[derive(Default)]
    struct Desk(Shelf, i64);

    impl Desk {
        fn wish(&mut self, wish: Wish, expected: Option<u32>) -> Result<(u32, State), Refusal> {
            let next = decide(&self.0, "hot", wish, by("anna"), expected)?;
            let payload = serde_json::to_vec(&next).expect("json");
            self.1 += 1;
            self.0.take(b"hot", Some(&payload), self.1 * 1000, self.1);
            Ok((next.version, next.state))
        }
    }

    #[test]
    fn a_rule_is_drafted_activated_changed_taken_back_and_retired() {
        let mut desk = Desk::default();
        assert_eq!(desk.wish(Wish::Put(rule(10, "draft")), None), Ok((1, State::Draft)));
        assert_eq!(desk.0.active(), 0);
        assert_eq!(desk.wish(Wish::Turn(State::Active), Some(1)), Ok((2, State::Active)));
        assert_eq!(desk.wish(Wish::Put(rule(20, "active")), Some(2)), Ok((3, State::Active)));
        assert_eq!(desk.wish(Wish::Back(1), None), Ok((4, State::Active)), "going back does not make a draft of it");
        assert_eq!(desk.0.newest("hot").map(|(rule, _)| rule.condition.clone()), Some(rule(10, "draft").condition));
        assert_eq!(desk.wish(Wish::Turn(State::Retired), None), Ok((5, State::Retired)));
        assert_eq!((desk.0.active(), desk.0.versions("hot").len()), (0, 5));
        assert_eq!(desk.0.newest("hot").map(|(rule, _)| rule.changed.clone()), Some(Some(by("anna"))));
    }

    #[test]
    fn wishes_that_cannot_be_are_refused_with_a_reason() {
        let mut desk = Desk::default();
        assert_eq!(desk.wish(Wish::Turn(State::Active), None), Err(Refusal::Unknown("hot".into())));
        desk.wish(Wish::Put(rule(10, "active")), None).expect("written");
        assert_eq!(desk.wish(Wish::Put(rule(10, "active")), None), Err(Refusal::Same("hot".into())));
        assert_eq!(desk.wish(Wish::Back(7), None), Err(Refusal::NoVersion { id: "hot".into(), version: 7 }));
        let moved = Refusal::Moved { id: "hot".into(), expected: 0, newest: 1 };
        assert_eq!(desk.wish(Wish::Put(rule(11, "active")), Some(0)), Err(moved));
        let nobody = decide(&desk.0, "hot", Wish::Back(1), by(""), None);
        assert!(matches!(nobody, Err(Refusal::Invalid(error)) if error.field == "changed.by"));
    }

    #[test]
    fn what_was_removed_can_be_written_again_as_it_was() {
        let mut desk = Desk::default();
        desk.wish(Wish::Put(rule(10, "active")), None).expect("written");
        desk.0.take(b"hot", None, 9, 9);
        assert_eq!(desk.0.active(), 0);
        assert_eq!(desk.wish(Wish::Put(rule(10, "active")), None), Ok((2, State::Active)));
        desk.0.take(b"hot", Some(b"{}"), 10, 10);
        assert_eq!(desk.0.unread().len(), 1, "what is no rule changes nothing");
        assert_eq!(desk.0.newest("hot").map(|(rule, _)| rule.version), Some(2));
    }
}
