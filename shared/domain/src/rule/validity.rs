//! What a rule document may say.

mod fence;
mod schedule;
mod shape;
mod together;

use super::{
    Changed, Condition, Fence, Rule, Select, Shape, Side, Threshold,
    together::{Density, Place, Proximity, Window},
};
use crate::{alert::AreaRef, decode::check, value::MAX_UNITS};

/// Most vertices a fence may have, over all rings.
pub const MAX_VERTICES: usize = 100_000;

/// Largest radius of a circle, in metres.
pub const MAX_RADIUS_M: f64 = 100_000.0;

/// Longest time a value may have to hold: a week.
const MAX_HOLD_S: u32 = 7 * 24 * 3600;

/// Longest time records may wait for earlier ones, in seconds.
const MAX_REORDER_S: u32 = 600;

/// Largest margin, and worst accuracy that can be asked for, in metres.
const MAX_MARGIN_M: f64 = 10_000.0;

/// What names of values and codes of classes are.
const NAME_IN_WORDS: &str = "must have 1 to 64 bytes and no control characters";

/// What is wrong with a rule document, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct RuleError {
    /// Path of the field (`fence.shape.polygon[0]`), or empty for the whole document.
    pub field: String,
    /// A sentence for people.
    pub detail: String,
}

pub(super) fn wrong<T>(field: impl Into<String>, detail: impl Into<String>) -> Result<T, RuleError> {
    Err(RuleError { field: field.into(), detail: detail.into() })
}

/// Checks all that a type cannot say. Whether named layers and areas exist is not asked: they may come later.
pub fn validate(rule: &Rule) -> Result<(), RuleError> {
    if rule.id.is_empty() || rule.id.len() > 128 || rule.id.chars().any(char::is_control) {
        return wrong("id", "must have 1 to 128 bytes and no control characters");
    }
    if rule.version == 0 {
        return wrong("version", "must be 1 or more");
    }
    if rule.title.en.is_empty() && rule.title.zh.is_empty() {
        return wrong("title", "must be given in one language at least");
    }
    if rule.reorder_s > MAX_REORDER_S {
        return wrong("reorder_s", format!("must be at most {MAX_REORDER_S}"));
    }
    if rule.reorder_s > 0 && !matches!(rule.condition, Condition::Threshold(_) | Condition::Fence(_)) {
        // A silence goes by the times of messages, rules over several entities by the watermark: order changes nothing.
        return wrong("reorder_s", format!("is for thresholds and fences; a {} needs none", rule.condition.kind()));
    }
    if rule.update_s > MAX_HOLD_S {
        return wrong("update_s", format!("must be at most {MAX_HOLD_S}"));
    }
    if rule.update_s > 0 && matches!(rule.condition, Condition::Silence(_)) {
        return wrong("update_s", "there is nothing new to tell of who is silent");
    }
    if rule.storm_per_minute == Some(0) {
        return wrong("storm_per_minute", "must be 1 or more");
    }
    if let Some(changed) = &rule.changed {
        check_changed(changed)?;
    }
    if let Some(schedule) = &rule.schedule {
        schedule::check(schedule)?;
    }
    check_select("select", &rule.select)?;
    match &rule.condition {
        Condition::Threshold(threshold) => check_threshold(threshold),
        Condition::Fence(fence) => fence::check(fence),
        Condition::Silence(silence) if (1..=MAX_HOLD_S).contains(&silence.after_s) => Ok(()),
        Condition::Silence(_) => wrong("silence.after_s", format!("must be 1 to {MAX_HOLD_S}")),
        Condition::Density(density) => together::density(density),
        Condition::Proximity(proximity) => together::proximity(proximity),
        Condition::Cluster(cluster) => together::cluster(cluster),
        Condition::Window(window) => together::window(window),
    }
}

/// Longest reason for a change, in bytes.
const MAX_WHY: usize = 1_000;

fn check_changed(changed: &Changed) -> Result<(), RuleError> {
    if !check::is_line(&changed.by, check::MAX_ID) {
        return wrong("changed.by", "must have 1 to 128 bytes and no control characters");
    }
    match &changed.why {
        Some(why) if !check::is_line(why, MAX_WHY) => {
            wrong("changed.why", format!("must have 1 to {MAX_WHY} bytes and no control characters"))
        }
        _ => Ok(()),
    }
}

/// What no observation can hold would never be met, and nobody would hear of it.
fn check_select(field: &str, select: &Select) -> Result<(), RuleError> {
    all(&format!("{field}.kinds"), &select.kinds, check::is_kind, check::KIND_IN_WORDS)?;
    let sources = "must have 1 to 128 bytes and no control characters";
    all(&format!("{field}.sources"), &select.sources, |id| check::is_line(id, check::MAX_ID), sources)?;
    for (number, area) in select.areas.iter().enumerate() {
        named(&format!("{field}.areas[{number}]"), area)?;
    }
    Ok(())
}

/// Every area a rule names.
pub fn areas_of(rule: &Rule) -> impl Iterator<Item = &AreaRef> {
    let (own, to) = match &rule.condition {
        Condition::Fence(Fence { shape: Shape::Area(area), .. })
        | Condition::Density(Density { place: Place::Area(area), .. })
        | Condition::Window(Window { place: Place::Area(area), .. }) => (Some(area), None),
        Condition::Proximity(Proximity { to, .. }) => (None, to.as_ref()),
        _ => (None, None),
    };
    rule.select.areas.iter().chain(own).chain(to.into_iter().flat_map(|to| &to.areas))
}

fn all(field: &str, names: &[String], fits: impl Fn(&str) -> bool, wanted: &str) -> Result<(), RuleError> {
    match names.iter().position(|name| !fits(name)) {
        Some(number) => wrong(format!("{field}[{number}]"), wanted),
        None => Ok(()),
    }
}

fn named(field: &str, area: &AreaRef) -> Result<(), RuleError> {
    if area.layer.is_empty() || area.code.is_empty() {
        return wrong(field, "must name a layer and a code");
    }
    Ok(())
}

fn metres(field: &str, metres: f64, most: f64) -> Result<(), RuleError> {
    // NaN fails these comparisons as well.
    if metres > 0.0 && metres <= most {
        return Ok(());
    }
    wrong(field, format!("{metres} must be above 0 and at most {most} metres"))
}

fn named_value(field: &str, name: &str) -> Result<(), RuleError> {
    if check::is_line(name, check::MAX_NAME) {
        return Ok(());
    }
    wrong(field, NAME_IN_WORDS)
}

fn check_threshold(threshold: &Threshold) -> Result<(), RuleError> {
    named_value("threshold.value", &threshold.value)?;
    within_values("threshold.level", threshold.level)?;
    if threshold.hold_s > MAX_HOLD_S {
        return wrong("threshold.hold_s", format!("must be at most {MAX_HOLD_S}"));
    }
    levels("threshold", threshold.side, (threshold.level, threshold.clear))
}

/// The level that clears must not lie beyond the one that raises.
fn levels(kind: &str, side: Side, (level, clear): (f64, Option<f64>)) -> Result<(), RuleError> {
    let Some(clear) = clear else {
        return Ok(());
    };
    let field = format!("{kind}.clear");
    within_values(&field, clear)?;
    match side {
        Side::Above if clear > level => {
            wrong(field, format!("{clear} must not lie above the level {level} that raises"))
        }
        Side::Below if clear < level => {
            wrong(field, format!("{clear} must not lie below the level {level} that raises"))
        }
        _ => Ok(()),
    }
}

fn within_values(field: &str, level: f64) -> Result<(), RuleError> {
    // NaN fails this comparison as well.
    if level.abs() <= MAX_UNITS { Ok(()) } else { wrong(field, format!("{level} is beyond ±{MAX_UNITS}")) }
}

#[cfg(test)]
mod tests;
