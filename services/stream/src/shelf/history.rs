//! Versions by rule, as the log holds them. Pure.

use gridwarden_domain::rule::{self, Rule, State};
use std::collections::BTreeMap;

/// One version of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// The document; none where the rule was removed (a file of the city's folder that is gone).
    pub rule: Option<Rule>,
    /// Append time of its record, epoch ms.
    pub appended_ms: i64,
    /// Its place in `rules.v1`.
    pub offset: i64,
}

/// A state as it is told.
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Draft => "draft",
        State::Active => "active",
        State::Retired => "retired",
    }
}

impl Version {
    /// The state its document asks for; `removed` where there is none.
    pub fn state(&self) -> &'static str {
        self.rule.as_ref().map_or("removed", |rule| state_name(rule.state))
    }
}

/// All rules with all their versions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shelf {
    rules: BTreeMap<String, Vec<Version>>,
    /// Records that are no rules: offset, reason.
    unread: Vec<(i64, String)>,
}

impl Shelf {
    /// Takes the next record of the log.
    pub fn take(&mut self, key: &[u8], payload: Option<&[u8]>, appended_ms: i64, offset: i64) {
        let read = || {
            let id = std::str::from_utf8(key).map_err(|_| "its key is not UTF-8".to_owned())?;
            let rule = payload.map(rule::read).transpose().map_err(|error| error.to_string())?;
            match &rule {
                Some(rule) if rule.id != id => Err("its id differs from its key".to_owned()),
                _ => Ok((id.to_owned(), rule)),
            }
        };
        match read() {
            Ok((id, rule)) => self.rules.entry(id).or_default().push(Version { rule, appended_ms, offset }),
            Err(reason) => self.unread.push((offset, reason)),
        }
    }

    /// Versions of a rule, oldest first; none of a rule nobody ever wrote.
    pub fn versions(&self, id: &str) -> &[Version] {
        self.rules.get(id).map_or(&[], Vec::as_slice)
    }

    /// The newest document of a rule, even if the rule was removed since.
    pub fn newest(&self, id: &str) -> Option<(&Rule, &Version)> {
        self.versions(id).iter().rev().find_map(|version| Some((version.rule.as_ref()?, version)))
    }

    /// The document of a version by its number; of several with one number the newest.
    pub fn find(&self, id: &str, number: u32) -> Option<&Rule> {
        let documents = self.versions(id).iter().rev().filter_map(|version| version.rule.as_ref());
        documents.into_iter().find(|rule| rule.version == number)
    }

    /// What a rule is now: its document, and whether it was removed.
    pub fn now(&self, id: &str) -> Option<&Version> {
        self.versions(id).last()
    }

    /// Rules by id, each with what it is now.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &Version)> {
        self.rules.iter().filter_map(|(id, versions)| Some((id.as_str(), versions.last()?)))
    }

    /// Number of rules in force.
    pub fn active(&self) -> usize {
        let is_active = |version: &Version| version.rule.as_ref().is_some_and(|rule| rule.state == State::Active);
        self.rules().filter(|(_, version)| is_active(version)).count()
    }

    /// Records that are no rules: offset, reason.
    pub fn unread(&self) -> &[(i64, String)] {
        &self.unread
    }
}
