//! A rule made ready: whom it selects, and what it does.

use super::{fence::Border, threshold::Levels};
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
        self.has_kind(who.kind)
            && self.sources.as_ref().is_none_or(|sources| sources.contains(who.source))
            && self.is_in_areas(who.areas)
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
    /// Silence for so many milliseconds of event time.
    Silence(i64),
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
    let asked = serde_json::to_vec(&(&rule.condition, &rule.select)).unwrap_or_default();
    Sha256::digest(&asked).iter().take(8).fold(0, |sense, byte| (sense << 8) | u64::from(*byte))
}

impl Body {
    /// How long an offence must hold, in milliseconds of event time.
    pub(crate) fn hold_ms(&self) -> i64 {
        match self {
            Self::Threshold(_, levels) => levels.hold_ms,
            Self::Fence(border) => border.hold_ms,
            Self::Silence(after_ms) => *after_ms,
            // Those keep their own.
            Self::Together(_) => 0,
        }
    }
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

    /// Whether the rule looks at one of the areas.
    pub(crate) fn is_in_areas(&self, areas: &[u32]) -> bool {
        self.chosen.is_in_areas(areas)
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
