//! What rules over several entities may say.

use super::{
    MAX_HOLD_S, MAX_MARGIN_M, NAME_IN_WORDS, RuleError, all, check_select, levels, metres, named_value, shape,
    within_values, wrong,
};
use crate::{
    crs::Crs,
    decode::check,
    rule::together::{Cluster, Density, Place, Proximity, Statistic, Window},
};

/// How long what was seen may count: a day. All of it is kept.
const MAX_WITHIN_S: u32 = 24 * 3600;
/// Most that can be asked for at once.
const MAX_COUNT: u32 = 1_000_000;
/// Most windows in a row.
const MAX_WINDOWS: u32 = 1_000;
/// Farthest apart what belongs together may be, in metres.
const MAX_NEAR_M: f64 = 10_000.0;

pub(super) fn density(density: &Density) -> Result<(), RuleError> {
    at_least("density.at_least", density.at_least, 1)?;
    if let Some(clear_below) = density.clear_below {
        at_least("density.clear_below", clear_below, 1)?;
        if clear_below > density.at_least {
            let raises = density.at_least;
            return wrong(
                "density.clear_below",
                format!("{clear_below} must not lie above the number {raises} that raises"),
            );
        }
    }
    times("density", density.hold_s, density.within_s)?;
    if let Some(accuracy_m) = density.accuracy_m {
        metres("density.accuracy_m", accuracy_m, MAX_MARGIN_M)?;
    }
    place("density", &density.place, density.crs)
}

fn place(kind: &str, place: &Place, crs: Option<Crs>) -> Result<(), RuleError> {
    if crs.is_some() && matches!(place, Place::Each(_) | Place::Area(_)) {
        let why = "is for a polygon, a circle or a line; an area lies where its layer lies";
        return wrong(format!("{kind}.crs"), why);
    }
    match (place, place.shape()) {
        (Place::Each(layer), _) if layer.is_empty() => wrong(format!("{kind}.place.each"), "must name a layer"),
        (_, Some(drawn)) => shape::check(&format!("{kind}.place"), &drawn),
        (_, None) => Ok(()),
    }
}

pub(super) fn window(window: &Window) -> Result<(), RuleError> {
    let counts = window.statistic == Statistic::Count;
    match (&window.value, &window.reports) {
        (Some(value), None) => named_value("window.value", value)?,
        (Some(_), Some(_)) => return wrong("window.reports", "have no values: leave out value, or these"),
        (None, _) if !counts => return wrong("window.value", "is needed unless statistic is count"),
        (None, Some(classes)) => all_classes("window.reports", classes)?,
        (None, None) => {}
    }
    if !(1..=MAX_WITHIN_S).contains(&window.window_s) {
        return wrong("window.window_s", format!("must be 1 to {MAX_WITHIN_S}"));
    }
    within_values("window.level", window.level)?;
    levels("window", window.side, (window.level, window.clear))?;
    if let Some(least) = window.at_least {
        at_least("window.at_least", least, 1)?;
        if counts {
            return wrong("window.at_least", "is not for a count: it says how many there are");
        }
    }
    if let Some(windows) = window.windows
        && !(1..=MAX_WINDOWS).contains(&windows)
    {
        return wrong("window.windows", format!("must be 1 to {MAX_WINDOWS}"));
    }
    place("window", &window.place, window.crs)
}

fn all_classes(field: &str, classes: &[String]) -> Result<(), RuleError> {
    all(field, classes, |class| check::is_line(class, check::MAX_NAME), NAME_IN_WORDS)
}

pub(super) fn proximity(proximity: &Proximity) -> Result<(), RuleError> {
    if let Some(to) = &proximity.to {
        check_select("proximity.to", to)?;
    }
    metres("proximity.within_m", proximity.within_m, MAX_NEAR_M)?;
    if let Some(clear_m) = proximity.clear_m {
        metres("proximity.clear_m", clear_m, MAX_NEAR_M)?;
        if clear_m < proximity.within_m {
            let within_m = proximity.within_m;
            return wrong(
                "proximity.clear_m",
                format!("{clear_m} must not be less than the distance {within_m} that raises"),
            );
        }
    }
    if let Some(accuracy_m) = proximity.accuracy_m {
        metres("proximity.accuracy_m", accuracy_m, MAX_MARGIN_M)?;
    }
    times("proximity", proximity.hold_s, proximity.within_s)
}

pub(super) fn cluster(cluster: &Cluster) -> Result<(), RuleError> {
    at_least("cluster.at_least", cluster.at_least, 2)?;
    metres("cluster.within_m", cluster.within_m, MAX_NEAR_M)?;
    times("cluster", 0, cluster.within_s)?;
    match (&cluster.reports, &cluster.when) {
        (None, None) => return wrong("cluster", "looks at nothing: give reports, when, or both"),
        (Some(classes), _) => all_classes("cluster.reports", classes)?,
        (None, Some(_)) => {}
    }
    match &cluster.when {
        Some(when) => {
            named_value("cluster.when.value", &when.value)?;
            within_values("cluster.when.level", when.level)
        }
        None => Ok(()),
    }
}

fn at_least(field: &str, number: u32, least: u32) -> Result<(), RuleError> {
    if (least..=MAX_COUNT).contains(&number) {
        return Ok(());
    }
    wrong(field, format!("{number} must be {least} to {MAX_COUNT}"))
}

fn times(kind: &str, hold_s: u32, within_s: u32) -> Result<(), RuleError> {
    if hold_s > MAX_HOLD_S {
        return wrong(format!("{kind}.hold_s"), format!("must be at most {MAX_HOLD_S}"));
    }
    if !(1..=MAX_WITHIN_S).contains(&within_s) {
        return wrong(format!("{kind}.within_s"), format!("must be 1 to {MAX_WITHIN_S}"));
    }
    Ok(())
}
