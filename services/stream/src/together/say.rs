//! From verdicts to alerts.

use super::{lens::Lens, line::Ground};
use crate::rules::together::Verdict;
use gridwarden_domain::{
    alert::Alert,
    observation::Position,
    rule::{Condition, Rule},
};

/// The number that raises.
fn level(rule: &Rule) -> Option<f64> {
    match &rule.condition {
        Condition::Density(density) => Some(f64::from(density.at_least)),
        Condition::Cluster(cluster) => Some(f64::from(cluster.at_least)),
        Condition::Window(window) => Some(window.level),
        _ => None,
    }
}

/// The value looked at.
fn metric(rule: &Rule) -> Option<String> {
    match &rule.condition {
        Condition::Window(window) => window.value.clone(),
        _ => None,
    }
}

pub(super) fn alert(verdict: Verdict, rule: &Rule, ground: &Ground<'_>, lens: &mut Lens) -> Alert {
    let (shared, cause) = (ground.shared, verdict.cause);
    let (transition, kind) = (verdict.turn.transition, rule.condition.kind());
    shared.metrics.alerts.with_label_values(&[kind, transition.as_str()]).inc();
    let (view, _) = lens.at((cause.appended, cause.appended), ground);
    let [lon, lat] = cause.position;
    let identity = |at: crate::windows::At| shared.world.identity(at.part(), at.offset());
    Alert {
        id: verdict.turn.open.id_text(),
        seq: verdict.turn.open.seq,
        transition,
        generation: shared.world.generation,
        rule: rule.id.clone(),
        rule_version: rule.version,
        kind: kind.to_owned(),
        severity: rule.severity,
        urgency: rule.urgency,
        certainty: rule.certainty,
        title: rule.title.clone(),
        subject: verdict.subject,
        time: verdict.turn.time,
        raised_at: verdict.turn.open.raised_at,
        appended_at: cause.appended,
        cause: identity(cause.at),
        position: Some(Position { lon, lat, accuracy_m: cause.accuracy_m }),
        areas: lens.areas(&view, cause.position, cause.time),
        metric: metric(rule),
        value: verdict.value,
        level: level(rule),
        evidence: verdict.evidence.into_iter().map(identity).collect(),
        storm_per_minute: rule.storm_per_minute,
        simulated: shared.world.simulated || cause.simulated,
    }
}
