//! Who may do what: one decision, pure. It refuses to know how somebody proved who they are ([`crate::session`]).
//!
//! `CON-7` whoever may only look changes nothing: what is no plain look is asked here first.

use std::fmt::{self, Display};

/// What somebody is here for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Looks, tries and changes.
    Administrator,
    /// Looks.
    Viewer,
}

impl Role {
    /// As it stands in answers and cookies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Viewer => "viewer",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Administrator, Self::Viewer].into_iter().find(|role| role.as_str() == name)
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What they may.
    pub role: Role,
    /// What they are called, where they said so when they signed in.
    pub name: Option<String>,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Look at anything.
    Look,
    /// Check a rule, or try it on the past: nothing is changed, but the machine has work.
    TryRules,
    /// Write, activate, retire or take back a rule.
    ChangeRules,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    role: Role,
    action: Action,
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.action {
            Action::Look => "look",
            Action::TryRules => "try rules",
            Action::ChangeRules => "change rules",
        };
        write!(f, "a {} may not {what}", self.role.as_str())
    }
}

impl Person {
    /// Somebody who did not say what they are called.
    pub fn nameless(role: Role) -> Self {
        Self { role, name: None }
    }

    /// Whether they may.
    pub fn may(&self, action: Action) -> Result<(), Refused> {
        match (self.role, action) {
            (Role::Administrator, _) | (Role::Viewer, Action::Look) => Ok(()),
            (Role::Viewer, Action::TryRules | Action::ChangeRules) => Err(Refused { role: self.role, action }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_looks_and_an_administrator_does_everything() {
        let may = |role, action| Person::nameless(role).may(action).is_ok();
        let actions = [Action::Look, Action::TryRules, Action::ChangeRules];
        assert_eq!(actions.map(|action| may(Role::Administrator, action)), [true, true, true]);
        assert_eq!(actions.map(|action| may(Role::Viewer, action)), [true, false, false]);
        let refused = Person::nameless(Role::Viewer).may(Action::ChangeRules).expect_err("refused");
        assert_eq!(refused.to_string(), "a viewer may not change rules");
    }

    #[test]
    fn roles_are_known_by_their_names() {
        for role in [Role::Administrator, Role::Viewer] {
            assert_eq!(Role::named(role.as_str()), Some(role));
        }
        assert_eq!(Role::named("root"), None);
    }
}
