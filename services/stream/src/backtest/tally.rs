//! Alerts of two sets of rules, told apart: what both say, what one says alone, what each says at another moment. Pure.

use super::{
    Asked,
    incidents::{self, Told},
    sets::{Sets, Side},
};
use gridwarden_domain::{
    alert::{Alert, AreaRef, Subject, Transition},
    identity::RecordId,
    observation::Position,
    rule::Severity,
};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, HashMap};

const HOUR_MS: i64 = 3_600_000;

/// An alert from its raise to its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Episode {
    /// Rule id.
    pub rule: String,
    /// Version of its document.
    pub rule_version: u32,
    /// How bad.
    pub severity: Severity,
    /// Whom it is about.
    pub subject: Subject,
    /// Event time of the raise, epoch ms.
    pub raised_at: i64,
    /// Event time of its end; none: it was open in the end.
    pub cleared_at: Option<i64>,
    /// The record with which it was said.
    pub cause: RecordId,
    /// Where.
    pub position: Option<Position>,
    /// All areas it lies in, the lowest first; that one is written.
    #[serde(rename = "area", serialize_with = "lowest")]
    pub areas: Vec<AreaRef>,
    /// The value seen, if a value was looked at.
    pub value: Option<f64>,
}

impl Episode {
    /// The area it lies in, of the lowest level.
    pub fn area(&self) -> Option<&AreaRef> {
        self.areas.first()
    }
}

fn lowest<S: Serializer>(areas: &[AreaRef], serializer: S) -> Result<S::Ok, S::Error> {
    areas.first().serialize(serializer)
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Only the set tried says it.
    Added,
    /// Only the set compared with says it.
    Removed,
    /// Both say it, with another begin or end.
    Changed,
}

/// A difference, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// What became of it.
    pub what: What,
    /// As the set tried says it; for one that is removed as the other said it.
    #[serde(flatten)]
    pub episode: Episode,
    /// Begin and end before, of one that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<(i64, Option<i64>)>,
}

/// Numbers of alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The set compared with.
    pub before: u64,
    /// The set tried.
    pub after: u64,
    /// Said by the set tried alone.
    pub added: u64,
    /// Said by the other alone.
    pub removed: u64,
    /// Said by both, with another begin or end.
    pub changed: u64,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfRule {
    /// Rule id.
    pub rule: String,
    /// `same`, `changed`, `new` or `gone`.
    pub state: &'static str,
    /// Its alerts.
    #[serde(flatten)]
    pub count: Count,
}

/// One area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfArea {
    /// The area; none: the alert lies nowhere.
    pub area: Option<AreaRef>,
    /// Its alerts.
    #[serde(flatten)]
    pub count: Count,
}

/// What people would have had to handle.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Alerts.
    pub alerts: u64,
    /// Of them critical.
    pub critical: u64,
    /// A mean hour between the first and the last alert of either set.
    pub per_hour: f64,
    /// The worst hour.
    pub worst_hour: u64,
    /// Its begin, epoch ms.
    pub worst_hour_at: Option<i64>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// First append time whose alerts count.
    pub from_ms: i64,
    /// One past the last.
    pub to_ms: i64,
    /// Records read.
    pub records: u64,
    /// Seconds it took to read them.
    pub read_s: f64,
    /// The set compared with.
    pub before: Totals,
    /// The set tried.
    pub after: Totals,
    /// What truly happened, and which set tells of it.
    pub incidents: Told,
    /// By rule id.
    pub rules: Vec<OfRule>,
    /// By area.
    pub areas: Vec<OfArea>,
    /// Every difference, by time.
    pub changes: Vec<Change>,
    /// Logs that no longer hold all of the time asked for; none when the archive was read.
    pub unseen: Vec<Unseen>,
}

/// A log that begins so late that records of the time asked for may have left it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unseen {
    /// Topic, without prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The oldest offset it holds.
    pub begins_at: i64,
    /// When that record was appended, epoch ms; none: there is no record.
    pub appended_at: Option<i64>,
}

/// Gathers alerts; what it says does not depend on the order of those of different entities.
#[derive(Default)]
pub(super) struct Tally {
    sets: Sets,
    from_ms: i64,
    records: u64,
    episodes: Vec<(Side, Episode)>,
    /// Open ones, by alert id.
    open: HashMap<String, usize>,
    unseen: Vec<Unseen>,
}

impl Tally {
    pub(super) fn new(sets: Sets, from_ms: i64) -> Self {
        Self { sets, from_ms, records: 0, episodes: Vec::new(), open: HashMap::new(), unseen: Vec::new() }
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Notes what could not be looked at.
    pub(super) fn unseen(&mut self, unseen: Unseen) {
        self.unseen.push(unseen);
    }

    /// Takes what so many records led to. What was raised while warming up does not count.
    pub(super) fn take(&mut self, records: u64, alerts: &[Alert]) {
        self.records += records;
        alerts.iter().for_each(|alert| self.transition(alert));
    }

    fn transition(&mut self, alert: &Alert) {
        if alert.transition == Transition::Updated {
            return;
        }
        if alert.transition != Transition::Raised {
            let known = self.open.remove(&alert.id).and_then(|place| self.episodes.get_mut(place));
            if let Some((_, episode)) = known {
                episode.cleared_at = Some(alert.time);
            }
            return;
        }
        let Some((rule, side)) = self.sets.find(&alert.rule).filter(|_| alert.appended_at >= self.from_ms) else {
            return;
        };
        let episode = Episode {
            rule: rule.id.clone(),
            rule_version: rule.version,
            severity: alert.severity,
            subject: alert.subject.clone(),
            raised_at: alert.raised_at,
            cleared_at: None,
            cause: alert.cause,
            position: alert.position,
            areas: alert.areas.clone(),
            value: alert.value,
        };
        self.open.insert(alert.id.clone(), self.episodes.len());
        self.episodes.push((side, episode));
    }

    /// What was found in all.
    pub(super) fn outcome(self, asked: &Asked, read_s: f64) -> Outcome {
        let of = |wanted: Side| {
            let both = self.episodes.iter().filter(move |(side, _)| *side == wanted || *side == Side::Both);
            both.map(|(_, episode)| episode).collect::<Vec<_>>()
        };
        let (before, after) = (of(Side::Before), of(Side::After));
        let hours = hours(before.iter().chain(&after).map(|episode| episode.raised_at));
        let mut changes = differences(&self.episodes);
        changes.sort_by(|one, other| order(one).cmp(&order(other)));
        let mut unseen = self.unseen;
        unseen.sort();
        Outcome {
            from_ms: asked.from_ms,
            to_ms: asked.to_ms,
            records: self.records,
            read_s,
            before: totals(&before, hours),
            after: totals(&after, hours),
            incidents: incidents::told(&asked.incidents, (&before, &after)),
            rules: of_rules(&self.sets, (&before, &after), &changes),
            areas: of_areas((&before, &after), &changes),
            changes,
            unseen,
        }
    }
}

/// By time, then by what makes a list the same every time.
fn order(change: &Change) -> (i64, &str, &RecordId, What) {
    (change.episode.raised_at, &change.episode.rule, &change.episode.cause, change.what)
}

/// Episodes of the set compared with, and of the set tried.
type Pair<'e> = (Vec<&'e Episode>, Vec<&'e Episode>);

/// Episodes of one rule and subject in both sets are one alert if they overlap, the earliest first.
fn differences(episodes: &[(Side, Episode)]) -> Vec<Change> {
    let mut of_subjects: BTreeMap<(&str, String), Pair<'_>> = BTreeMap::new();
    for (side, episode) in episodes {
        let key = (episode.rule.as_str(), format!("{:?}", episode.subject));
        let (before, after) = of_subjects.entry(key).or_default();
        match side {
            Side::Both => {}
            Side::Before => before.push(episode),
            Side::After => after.push(episode),
        }
    }
    let mut changes = Vec::new();
    for (mut before, mut after) in of_subjects.into_values() {
        before.sort_by_key(|episode| episode.raised_at);
        after.sort_by_key(|episode| episode.raised_at);
        for episode in after {
            let known = before.iter().position(|old| overlap(old, episode)).map(|place| before.remove(place));
            let (what, was) = match known {
                None => (What::Added, None),
                Some(old) if (old.raised_at, old.cleared_at) == (episode.raised_at, episode.cleared_at) => continue,
                Some(old) => (What::Changed, Some((old.raised_at, old.cleared_at))),
            };
            changes.push(Change { what, episode: episode.clone(), was });
        }
        let gone = |episode: &Episode| Change { what: What::Removed, episode: episode.clone(), was: None };
        changes.extend(before.into_iter().map(gone));
    }
    changes
}

fn overlap(one: &Episode, other: &Episode) -> bool {
    let ends_after = |episode: &Episode, moment: i64| episode.cleared_at.is_none_or(|end| end >= moment);
    ends_after(one, other.raised_at) && ends_after(other, one.raised_at)
}

/// Hours from the first to the last moment, one at least.
fn hours(moments: impl Iterator<Item = i64>) -> f64 {
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for moment in moments {
        (first, last) = (first.min(moment), last.max(moment));
    }
    (last.saturating_sub(first) as f64 / HOUR_MS as f64).max(1.0)
}

fn totals(episodes: &[&Episode], hours: f64) -> Totals {
    let mut by_hour: BTreeMap<i64, u64> = BTreeMap::new();
    for episode in episodes {
        *by_hour.entry(episode.raised_at.div_euclid(HOUR_MS) * HOUR_MS).or_default() += 1;
    }
    // The earliest of those that are equally bad.
    let worst = by_hour.iter().rev().max_by_key(|(_, count)| **count);
    Totals {
        alerts: episodes.len() as u64,
        critical: episodes.iter().filter(|episode| episode.severity == Severity::Critical).count() as u64,
        per_hour: (episodes.len() as f64 / hours * 100.0).round() / 100.0,
        worst_hour: worst.map_or(0, |(_, count)| *count),
        worst_hour_at: worst.map(|(hour, _)| *hour),
    }
}

type BothSides<'e> = (&'e [&'e Episode], &'e [&'e Episode]);

fn counted<K: Ord>(
    (before, after): BothSides<'_>,
    changes: &[Change],
    key: impl Fn(&Episode) -> K,
) -> BTreeMap<K, Count> {
    let mut counts: BTreeMap<K, Count> = BTreeMap::new();
    before.iter().for_each(|episode| counts.entry(key(episode)).or_default().before += 1);
    after.iter().for_each(|episode| counts.entry(key(episode)).or_default().after += 1);
    for change in changes {
        let count = counts.entry(key(&change.episode)).or_default();
        match change.what {
            What::Added => count.added += 1,
            What::Removed => count.removed += 1,
            What::Changed => count.changed += 1,
        }
    }
    counts
}

fn of_rules(sets: &Sets, sides: BothSides<'_>, changes: &[Change]) -> Vec<OfRule> {
    let mut states: BTreeMap<&str, &'static str> = BTreeMap::new();
    for (rule, side) in sets.all() {
        let state = match (side, states.get(rule.id.as_str())) {
            (Side::Both, _) => "same",
            (_, Some(_)) => "changed",
            (Side::Before, None) => "gone",
            (Side::After, None) => "new",
        };
        states.insert(&rule.id, state);
    }
    let mut counts = counted(sides, changes, |episode| episode.rule.clone());
    let of_rule = |(rule, state): (&str, &'static str)| OfRule {
        rule: rule.to_owned(),
        state,
        count: counts.remove(rule).unwrap_or_default(),
    };
    states.into_iter().map(of_rule).collect()
}

fn of_areas(sides: BothSides<'_>, changes: &[Change]) -> Vec<OfArea> {
    let counts = counted(sides, changes, |episode| episode.area().cloned());
    counts.into_iter().map(|(area, count)| OfArea { area, count }).collect()
}

#[cfg(test)]
mod tests;
