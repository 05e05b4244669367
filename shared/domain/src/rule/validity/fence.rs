//! What a fence may say.

use super::{MAX_HOLD_S, MAX_MARGIN_M, RuleError, metres, shape, wrong};
use crate::rule::{Crossing, Fence, Shape};

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
