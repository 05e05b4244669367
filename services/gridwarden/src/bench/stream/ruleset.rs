//! The benchmark's 100 rules: thresholds above and below, fences entered and left.

use super::entity::{DEGREE, KINDS};
use gridwarden_domain::alert::AreaRef;
use gridwarden_domain::layer::Area;
use gridwarden_domain::rule::{Condition, Crossing, Fence, Rule, Select, Severity, Shape, Side, Threshold};
use gridwarden_domain::text::Text;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Every so many fences one is an area of the city; the others are drawn.
const AREA_EVERY: u32 = 5;

/// The rules for a city in these bounds (millionths of a degree), so many of each sort.
pub(super) fn rules(bounds: [i64; 4], areas: &[Area], (each, seed): (u32, u64)) -> Vec<Rule> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 2);
    let leaf = areas.iter().map(|area| area.level).max().unwrap_or(0);
    let cells: Vec<&Area> = areas.iter().filter(|area| area.level == leaf).collect();
    let mut rules = Vec::new();
    for number in 0..each {
        rules.push(threshold(number, Side::Above));
        rules.push(threshold(number, Side::Below));
        for on in [Crossing::Enter, Crossing::Exit] {
            rules.push(fence(number, on, bounds, &cells, &mut rng));
        }
    }
    rules
}

fn rule(id: String, kind: &str, condition: Condition) -> Rule {
    let title = Text { en: id.clone(), zh: String::new() };
    let select = Select { kinds: vec![kind.to_owned()], ..Select::default() };
    Rule { select, ..Rule::new(id, title, Severity::Minor, condition) }
}

/// Levels that only rare values reach, with some way back until they clear.
fn threshold(number: u32, side: Side) -> Rule {
    let kind = &KINDS[number as usize % KINDS.len()];
    let step = f64::from(number);
    let (value, level, back): (_, f64, f64) = match (side, kind.name) {
        (Side::Above, "air") => (kind.values[0], 120.0 + step * 5.0, -20.0),
        (Side::Above, "noise") => (kind.values[0], 80.0 + step * 0.5, -5.0),
        (Side::Above, _) => (kind.values[0], 80.0 + step, -10.0),
        (Side::Below, "air") => (kind.values[1], 0.9 - step * 0.02, 1.0),
        (Side::Below, "noise") => (kind.values[1], 29.0 - step * 0.5, 5.0),
        (Side::Below, _) => (kind.values[1], 0.5 - step * 0.01, 20.0),
    };
    // Levels as people write them: the sums above are off by a hair, and values lie exactly on levels.
    let level = (level * 100.0).round() / 100.0;
    let side_name = if side == Side::Above { "above" } else { "below" };
    let threshold = Threshold {
        value: value.to_owned(),
        side,
        level,
        clear: Some(((level + back) * 100.0).round() / 100.0),
        hold_s: 0,
    };
    rule(format!("{side_name}-{number:02}"), kind.name, Condition::Threshold(threshold))
}

fn fence(number: u32, on: Crossing, bounds: [i64; 4], cells: &[&Area], rng: &mut ChaCha8Rng) -> Rule {
    let shape = match cells.get(rng.random_range(0..cells.len().max(1))) {
        Some(cell) if number.is_multiple_of(AREA_EVERY) => {
            Shape::Area(AreaRef { layer: "grid".to_owned(), code: cell.code.clone() })
        }
        _ => Shape::Polygon(vec![hexagon(bounds, rng)]),
    };
    let name = if on == Crossing::Enter { "enter" } else { "exit" };
    let first_counts = number.is_multiple_of(2) && on == Crossing::Enter;
    let fence = Fence { first_counts, ..Fence::new(shape, on) };
    rule(format!("{name}-{number:02}"), "vehicle", Condition::Fence(fence))
}

/// A hexagon some kilometres wide.
fn hexagon(bounds: [i64; 4], rng: &mut ChaCha8Rng) -> Vec<[f64; 2]> {
    let lon = rng.random_range(bounds[0]..bounds[2]) as f64 / DEGREE as f64;
    let lat = rng.random_range(bounds[1]..bounds[3]) as f64 / DEGREE as f64;
    let radius = rng.random_range(0.01..0.04);
    (0..=6)
        .map(|corner| {
            let angle = std::f64::consts::TAU * f64::from(corner % 6) / 6.0;
            [lon + radius * angle.cos(), lat + radius * angle.sin()]
        })
        .collect()
}
