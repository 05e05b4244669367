//! A rule made ready: whom it selects, and what it does.

use super::{
    Phase,
    explain::Out,
    fence::Border,
    hold::{Hold, Step},
    silence,
    threshold::Levels,
};
use gridwarden_domain::{
    rule::{Condition, Rule},
    value::Fixed,
};
use hashbrown::HashSet;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use std::sync::Arc;

/// A rule, ready.
pub(crate) struct Ready {
    /// The document.
    pub(crate) rule: Arc<Rule>,
    pub(super) chosen: Chosen,
    /// How long, and in which hours.
    pub(crate) hold: Hold,
    /// What it does.
    pub(crate) body: Body,
}

/// Whom a rule selects.
pub(super) struct Chosen {
    /// Kinds it looks at; any when empty.
    pub(super) kinds: SmallVec<[u16; 4]>,
    pub(super) sources: Option<HashSet<Box<str>>>,
    pub(super) areas: Option<HashSet<u32>>,
}

impl Chosen {
    pub(super) fn has_kind(&self, kind: u16) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    fn concerns(&self, who: &Who<'_>) -> bool {
        self.refuses(who).is_none()
    }

    /// Why somebody is not selected, if so.
    fn refuses(&self, who: &Who<'_>) -> Option<Out> {
        if !self.has_kind(who.kind) {
            return Some(Out::Kind);
        }
        if self.sources.as_ref().is_some_and(|sources| !sources.contains(who.source)) {
            return Some(Out::Source);
        }
        (!self.is_in_areas(who.areas)).then_some(Out::Area)
    }

    /// Whether it selects whoever there is.
    pub(super) fn is_everybody(&self) -> bool {
        self.kinds.is_empty() && self.sources.is_none() && self.areas.is_none()
    }

    fn is_in_areas(&self, areas: &[u32]) -> bool {
        self.areas.as_ref().is_none_or(|wanted| areas.iter().any(|area| wanted.contains(area)))
    }
}

/// What a rule does.
pub(crate) enum Body {
    /// A threshold on this value.
    Threshold(Box<str>, Levels),
    /// A fence.
    Fence(Border),
    /// Silence, for as long as it must hold.
    Silence,
    /// It looks at several entities together.
    Together(Gathering),
}

/// Who decides about a rule over several entities, and what it is.
pub(crate) struct Gathering {
    /// Condition and selection as a number: what changes it makes another rule of it.
    pub(crate) sense: u64,
    /// The shard it is decided in.
    pub(crate) shard: u16,
    /// Of a proximity: whom the selected come near to.
    pub(super) to: Option<Chosen>,
}

impl Gathering {
    /// Whether somebody is one the selected come near to.
    pub(crate) fn is_to(&self, ready: &Ready, who: &Who<'_>) -> bool {
        self.to.as_ref().unwrap_or(&ready.chosen).concerns(who)
    }

    pub(super) fn has_kind(&self, ready: &Ready, kind: u16) -> bool {
        ready.chosen.has_kind(kind) || self.to.as_ref().is_some_and(|to| to.has_kind(kind))
    }
}

/// What a rule asks for, as a number: for ever the same.
pub(super) fn sense(rule: &Rule) -> u64 {
    let asked = match &rule.schedule {
        None => serde_json::to_vec(&(&rule.condition, &rule.select)),
        Some(schedule) => serde_json::to_vec(&(&rule.condition, &rule.select, schedule)),
    };
    let asked = asked.unwrap_or_default();
    Sha256::digest(&asked).iter().take(8).fold(0, |sense, byte| (sense << 8) | u64::from(*byte))
}

/// A threshold to compare a value with.
#[derive(Clone, Copy)]
pub(crate) struct Watch {
    /// The rule.
    pub(crate) slot: u32,
    pub(super) levels: Levels,
}

impl Watch {
    /// Whether the value is beyond the level.
    #[inline]
    pub(crate) fn offends(&self, value: Fixed) -> bool {
        self.levels.offends(value)
    }
}

/// Whom a rule may concern.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    /// Entity id.
    pub(crate) source: &'a str,
    /// Kind.
    pub(crate) kind: u16,
    /// Areas the position lies in, of every level.
    pub(crate) areas: &'a [u32],
}

impl Ready {
    /// Whether the rule looks at it.
    pub(crate) fn concerns(&self, who: &Who<'_>) -> bool {
        self.chosen.concerns(who)
    }

    /// Why the rule does not look at somebody, if so.
    pub(crate) fn refuses(&self, who: &Who<'_>) -> Option<Out> {
        self.chosen.refuses(who)
    }

    /// Whether the rule looks at one of the areas.
    pub(crate) fn is_in_areas(&self, areas: &[u32]) -> bool {
        self.chosen.is_in_areas(areas)
    }

    /// What happens under the rule to an entity in a phase when nothing more is heard of it, and when.
    pub(crate) fn falls(&self, phase: &Phase) -> Option<(i64, Step)> {
        match (&self.body, phase) {
            (Body::Silence, Phase::Pending { since, first }) => {
                let time = silence::due(&self.hold, *since)?;
                Some((time, Step::Raise { time, first: *first, and_clear: false }))
            }
            (Body::Silence, _) => None,
            _ => self.hold.falls(phase),
        }
    }

    /// The classes of reports a rule over several entities looks at, all when there is none; none when it looks at no report.
    pub(crate) fn classes(&self) -> Option<&[String]> {
        match &self.rule.condition {
            Condition::Cluster(cluster) => cluster.reports.as_deref(),
            Condition::Window(window) => window.reports.as_deref(),
            _ => None,
        }
    }

    /// Whether the rule looks at certain areas only.
    pub(crate) fn is_limited_to_areas(&self) -> bool {
        self.chosen.areas.is_some()
    }
}
