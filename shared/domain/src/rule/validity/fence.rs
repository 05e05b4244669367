//! What a fence may say.

use super::{MAX_HOLD_S, MAX_RADIUS_M, MAX_VERTICES, RuleError, named, wrong};
use crate::rule::{Crossing, Fence, Shape};
use gridwarden_geo::{is_in_degrees, ring};

/// Longest way a line reaches to each side, in metres.
const MAX_REACH_M: f64 = 10_000.0;
/// Largest margin, and worst accuracy that can be asked for, in metres.
const MAX_MARGIN_M: f64 = 10_000.0;

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
    shape(&fence.shape)
}

fn shape(shape: &Shape) -> Result<(), RuleError> {
    match shape {
        Shape::Area(area) => named("fence.shape.area", area),
        Shape::Circle { centre, radius_m } => {
            position("fence.shape.circle.centre", *centre)?;
            metres("fence.shape.circle.radius_m", *radius_m, MAX_RADIUS_M)
        }
        Shape::Polygon(rings) => polygon(rings),
        Shape::Line { points, reach_m } => {
            line(points)?;
            metres("fence.shape.line.reach_m", *reach_m, MAX_REACH_M)
        }
    }
}

fn metres(field: &str, metres: f64, most: f64) -> Result<(), RuleError> {
    // NaN fails these comparisons as well.
    if metres > 0.0 && metres <= most {
        return Ok(());
    }
    wrong(field, format!("{metres} must be above 0 and at most {most} metres"))
}

fn position(field: &str, point: [f64; 2]) -> Result<(), RuleError> {
    let [lon, lat] = point;
    if is_in_degrees(point) {
        return Ok(());
    }
    wrong(field, format!("{lon}, {lat} is not a position in degrees"))
}

fn line(points: &[[f64; 2]]) -> Result<(), RuleError> {
    let field = "fence.shape.line.points";
    if points.len() < 2 || points.len() > MAX_VERTICES {
        return wrong(field, format!("{} points; 2 at least and at most {MAX_VERTICES}", points.len()));
    }
    for (place, point) in points.iter().enumerate() {
        position(&format!("{field}[{place}]"), *point)?;
    }
    for (place, (from, to)) in (1..).zip(points.iter().zip(points.iter().skip(1))) {
        if (from[0] - to[0]).abs() > 180.0 {
            return wrong(format!("{field}[{place}]"), "lies beyond the date line; cut the line there");
        }
        if from[1].abs().max(to[1].abs()) > 85.0 {
            return wrong(format!("{field}[{place}]"), "is too near a pole; a line may go to 85 degrees");
        }
    }
    Ok(())
}

fn polygon(rings: &[Vec<[f64; 2]>]) -> Result<(), RuleError> {
    let field = "fence.shape.polygon";
    let vertices: usize = rings.iter().map(Vec::len).sum();
    if vertices > MAX_VERTICES {
        return wrong(field, format!("{vertices} vertices; at most {MAX_VERTICES}"));
    }
    if rings.is_empty() {
        return wrong(field, "has no ring");
    }
    for (number, points) in rings.iter().enumerate() {
        for (place, point) in points.iter().enumerate() {
            position(&format!("{field}[{number}][{place}]"), *point)?;
        }
        // Alone, so that a ring without an inside is named.
        if let Some(flaw) = ring::flaw(std::slice::from_ref(points)) {
            return wrong(format!("{field}[{number}]"), flaw.to_string());
        }
    }
    match ring::flaw(rings) {
        Some(flaw) => wrong(field, flaw.to_string()),
        None => Ok(()),
    }
}
