//! Two rule sets run as one: what is the same in both runs once, the rest under names that tell which set they are of. Pure.
//!
//! `BKT-3` of the documents tried drafts run like rules in force, for they are what one tries; retired ones do not, and neither does
//! the rule in force whose id they have.

use anyhow::{Result, bail};
use gridwarden_domain::{
    control::RuleSet,
    rule::{Rule, Schedule, State},
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rules to try.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// The documents.
    pub rules: Vec<Rule>,
    /// Whether they are all there is; else they are put into the set in force, in place of those with their ids.
    pub whole: bool,
}

/// What is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The rules in force now.
    Active,
    /// No rule at all.
    Nothing,
}

/// Of which set a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Of both.
    Both,
    /// Of the set compared with.
    Before,
    /// Of the set tried.
    After,
}

/// A rule id holds no control characters, so these can be none's.
const BEFORE: &str = "\u{1}";
const AFTER: &str = "\u{2}";

/// The two sets.
#[derive(Debug, Default)]
pub(super) struct Sets {
    /// By the name a rule runs under.
    rules: BTreeMap<String, (Arc<Rule>, Side)>,
}

impl Sets {
    /// # Errors
    /// Two candidates with one id.
    pub(super) fn new(candidates: &Candidates, (against, active): (Against, &RuleSet)) -> Result<Self> {
        let by_id = |rules: &[Arc<Rule>]| -> BTreeMap<String, Arc<Rule>> {
            rules.iter().map(|rule| (rule.id.clone(), Arc::clone(rule))).collect()
        };
        let active = by_id(&active.rules);
        let mut tried: BTreeMap<String, Arc<Rule>> = BTreeMap::new();
        for rule in &candidates.rules {
            if tried.insert(rule.id.clone(), Arc::new(rule.clone())).is_some() {
                bail!("rule {} stands twice among those to try", rule.id);
            }
        }
        if !candidates.whole {
            for (id, rule) in &active {
                tried.entry(id.clone()).or_insert_with(|| Arc::clone(rule));
            }
        }
        tried.retain(|_, rule| rule.state != State::Retired);
        let before = if against == Against::Active { active } else { BTreeMap::new() };
        let mut rules = BTreeMap::new();
        for (id, rule) in &tried {
            match before.get(id) {
                Some(old) if is_same(old, rule) => rules.insert(id.clone(), (Arc::clone(rule), Side::Both)),
                _ => rules.insert(format!("{id}{AFTER}"), (Arc::clone(rule), Side::After)),
            };
        }
        for (id, rule) in before {
            if !rules.contains_key(&id) {
                rules.insert(format!("{id}{BEFORE}"), (rule, Side::Before));
            }
        }
        Ok(Self { rules })
    }

    /// What runs.
    pub(super) fn union(&self) -> RuleSet {
        let named =
            |(name, (rule, _)): (&String, &(Arc<Rule>, Side))| Arc::new(Rule { id: name.clone(), ..Rule::clone(rule) });
        RuleSet { revision: 1, rules: self.rules.iter().map(named).collect() }
    }

    /// The rule that runs under a name.
    pub(super) fn find(&self, name: &str) -> Option<(&Rule, Side)> {
        self.rules.get(name).map(|(rule, side)| (&**rule, *side))
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Rule, Side)> {
        self.rules.values().map(|(rule, side)| (&**rule, *side))
    }
}

/// Whether two documents say the same of when to alert; title and severity do not matter for that, but to those who are alerted.
fn is_same(one: &Rule, other: &Rule) -> bool {
    let looks = one.condition == other.condition && one.select == other.select && one.severity == other.severity;
    looks && hours(one) == hours(other) && one.reorder_s == other.reorder_s
}

/// When a rule looks; the name of a calendar is for people.
fn hours(rule: &Rule) -> Option<Schedule> {
    rule.schedule.clone().map(|schedule| Schedule { calendar: None, ..schedule })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::rule::read;

    fn rule(id: &str, more: &str) -> Rule {
        let text = format!(
            r#"{{"id":"{id}","version":1,"title":{{"en":"x"}},"severity":"minor",{more}"silence":{{"after_s":5}}}}"#
        );
        read(text.as_bytes()).expect(&text)
    }

    fn sets(tried: &[Rule], whole: bool) -> Vec<(String, Side)> {
        let active = ["a", "b", "c"].map(|id| Arc::new(rule(id, "")));
        let active = RuleSet { revision: 1, rules: active.to_vec() };
        let candidates = Candidates { rules: tried.to_vec(), whole };
        let sets = Sets::new(&candidates, (Against::Active, &active)).expect("sets");
        sets.all().map(|(rule, side)| (rule.id.clone(), side)).collect()
    }

    fn of(expected: &[(&str, Side)]) -> Vec<(String, Side)> {
        expected.iter().map(|(id, side)| ((*id).to_owned(), *side)).collect()
    }

    /// `BKT-3`
    #[test]
    fn drafts_run_and_retired_rules_do_not() {
        let tried =
            [rule("a", r#""state":"draft","#), rule("b", r#""state":"retired","#), rule("d", r#""state":"retired","#)];
        let (both, before) = (Side::Both, Side::Before);
        assert_eq!(sets(&tried, true), of(&[("a", both), ("b", before), ("c", before)]));
        assert_eq!(sets(&tried, false), of(&[("a", both), ("b", before), ("c", both)]));
    }

    #[test]
    fn other_hours_are_another_rule_and_another_name_of_a_calendar_is_not() {
        let hours = |more: &str| format!(r#""schedule":{{"periods":[{{"from":"08:00","to":"12:00"}}]{more}}},"#);
        let named = r#","calendar":"cn","holidays":["2026-10-01"]"#;
        assert!(!is_same(&rule("a", ""), &rule("a", &hours(""))));
        assert!(!is_same(&rule("a", &hours(named)), &rule("a", &hours(""))));
        assert!(is_same(&rule("a", &hours(named)), &rule("a", &hours(&named.replace("cn", "us")))));
    }

    #[test]
    fn an_id_that_stands_twice_is_refused() {
        let candidates = Candidates { rules: vec![rule("a", ""), rule("a", "")], whole: true };
        let error = Sets::new(&candidates, (Against::Nothing, &RuleSet::default())).expect_err("refused");
        assert_eq!(error.to_string(), "rule a stands twice among those to try");
    }
}
