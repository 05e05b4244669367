//! What the shape of a rule may be.

use super::{MAX_RADIUS_M, MAX_VERTICES, RuleError, metres, named, wrong};
use crate::rule::Shape;
use gridwarden_geo::{is_in_degrees, ring};

/// Longest way a line reaches to each side, in metres.
const MAX_REACH_M: f64 = 10_000.0;

/// Checks the shape in a field.
pub(super) fn check(field: &str, shape: &Shape) -> Result<(), RuleError> {
    match shape {
        Shape::Area(area) => named(&format!("{field}.area"), area),
        Shape::Circle { centre, radius_m } => {
            position(&format!("{field}.circle.centre"), *centre)?;
            metres(&format!("{field}.circle.radius_m"), *radius_m, MAX_RADIUS_M)
        }
        Shape::Polygon(rings) => polygon(&format!("{field}.polygon"), rings),
        Shape::Line { points, reach_m } => {
            line(&format!("{field}.line.points"), points)?;
            metres(&format!("{field}.line.reach_m"), *reach_m, MAX_REACH_M)
        }
    }
}

fn position(field: &str, point: [f64; 2]) -> Result<(), RuleError> {
    let [lon, lat] = point;
    if is_in_degrees(point) {
        return Ok(());
    }
    wrong(field, format!("{lon}, {lat} is not a position in degrees"))
}

fn line(field: &str, points: &[[f64; 2]]) -> Result<(), RuleError> {
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

fn polygon(field: &str, rings: &[Vec<[f64; 2]>]) -> Result<(), RuleError> {
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
