//! What a fence may say.

use super::{MAX_HOLD_S, MAX_MARGIN_M, RuleError, metres, named_value, shape, wrong};
use crate::rule::{Crossing, Fence, Shape, Speed};

/// Fastest speed that can be asked for, in km/h.
const MAX_KMH: f64 = 2_000.0;

/// Longest time between two positions that are joined to a way, in seconds.
const MAX_WAY_S: u32 = 3_600;

pub(super) fn check(fence: &Fence) -> Result<(), RuleError> {
    if fence.hold_s > MAX_HOLD_S {
        return wrong("fence.hold_s", format!("must be at most {MAX_HOLD_S}"));
    }
    if fence.on == Crossing::Dwell && fence.hold_s == 0 {
        return wrong("fence.hold_s", "is needed for dwell: how long, in seconds");
    }
    if let Some(margin_m) = fence.margin_m {
        metres("fence.margin_m", margin_m, MAX_MARGIN_M)?;
    }
    if let Some(accuracy_m) = fence.accuracy_m {
        metres("fence.accuracy_m", accuracy_m, MAX_MARGIN_M)?;
    }
    check_ways(fence)?;
    if matches!(fence.shape, Shape::Area(_)) {
        let own = |field: &str, why: &str| wrong(field, format!("is for a polygon, a circle or a line; {why}"));
        if fence.crs.is_some() {
            return own("fence.crs", "an area lies where its layer lies");
        }
        if fence.margin_m.is_some() {
            return own("fence.margin_m", "an area has no border of its own: what is not in it is in its neighbour");
        }
    }
    shape::check("fence.shape", &fence.shape)
}

/// What is for ways, and what is not.
fn check_ways(fence: &Fence) -> Result<(), RuleError> {
    match (&fence.speed, fence.on) {
        (Some(speed), Crossing::Speed) => check_speed(speed)?,
        (None, Crossing::Speed) => return wrong("fence.speed", "is needed for speed: how fast is too fast"),
        (Some(_), _) => return wrong("fence.speed", "is for speed only"),
        (None, _) => {}
    }
    match fence.way_s {
        Some(_) if !fence.on.is_about_ways() => return wrong("fence.way_s", "is for cross and speed only"),
        Some(way_s) if !(1..=MAX_WAY_S).contains(&way_s) => {
            return wrong("fence.way_s", format!("must be 1 to {MAX_WAY_S}"));
        }
        _ => {}
    }
    if fence.first_counts && fence.on.is_about_ways() {
        return wrong("fence.first_counts", "is not for cross and speed: a first position is no way");
    }
    if fence.on == Crossing::Cross && fence.hold_s > 0 {
        return wrong("fence.hold_s", "is not for cross: a crossing is over at once");
    }
    if fence.on == Crossing::Cross && fence.margin_m.is_some() {
        return wrong("fence.margin_m", "is not for cross: a way meets the shape or does not");
    }
    Ok(())
}

fn check_speed(speed: &Speed) -> Result<(), RuleError> {
    // NaN fails these comparisons as well.
    let fits = |kmh: f64| kmh > 0.0 && kmh <= MAX_KMH;
    if !fits(speed.above_kmh) {
        return wrong("fence.speed.above_kmh", format!("must be above 0 and at most {MAX_KMH}"));
    }
    if let Some(clear) = speed.clear_kmh {
        if !fits(clear) {
            return wrong("fence.speed.clear_kmh", format!("must be above 0 and at most {MAX_KMH}"));
        }
        if clear > speed.above_kmh {
            return wrong("fence.speed.clear_kmh", "must not lie above the level that raises");
        }
    }
    speed.value.as_deref().map_or(Ok(()), |value| named_value("fence.speed.value", value))
}
