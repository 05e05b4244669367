//! What raises alerts in a made-up city: a threshold for every kind of sensor, fences for vehicles and officers.

use super::ground::Ground;
use super::text;
use gridwarden_domain::alert::AreaRef;
use gridwarden_domain::entity::Entity;
use gridwarden_domain::layer::Area;
use gridwarden_domain::rule::{Condition, Crossing, Fence, Rule, Select, Severity, Shape, Side, Threshold};
use gridwarden_domain::text::Text;

fn rule(id: &str, title: Text, severity: Severity, kind: &str, condition: Condition) -> Rule {
    let select = Select { kinds: vec![kind.to_owned()], sources: Vec::new(), areas: Vec::new() };
    Rule { select, ..Rule::new(id, title, severity, condition) }
}

fn above(value: &str, level: f64, clear: f64, hold_s: u32) -> Condition {
    Condition::Threshold(Threshold { value: value.to_owned(), side: Side::Above, level, clear: Some(clear), hold_s })
}

fn fence(shape: Shape, on: Crossing) -> Condition {
    Condition::Fence(Fence::new(shape, on))
}

/// Rules for a city with these entities and areas.
pub(super) fn rules(ground: &Ground, registry: &[Entity], areas: &[Area]) -> Vec<Rule> {
    let mut rules = vec![
        rule(
            "air-pm25-high",
            text("Fine dust is high", "细颗粒物超标"),
            Severity::Major,
            "air",
            above("pm25", 150.0, 110.0, 10),
        ),
        rule(
            "noise-high",
            text("Noise is high", "噪声超标"),
            Severity::Minor,
            "noise",
            above("laeq_db", 82.0, 76.0, 10),
        ),
        rule(
            "water-high",
            text("Road under water", "道路积水"),
            Severity::Critical,
            "water",
            above("level_m", 2.4, 2.0, 0),
        ),
        rule("bin-full", text("Bin is full", "垃圾桶满溢"), Severity::Warning, "bin", above("fill_pct", 96.0, 70.0, 0)),
        rule(
            "vehicle-fast",
            text("Vehicle is too fast", "车辆超速"),
            Severity::Minor,
            "vehicle",
            above("speed_kmh", 80.0, 70.0, 0),
        ),
    ];
    let works = ground.middle((ground.columns / 2, ground.rows / 2));
    rules.push(rule(
        "works-closed",
        text("Vehicle in closed road works", "车辆驶入封闭施工区"),
        Severity::Major,
        "vehicle",
        fence(Shape::Circle { centre: works, radius_m: 120.0 }, Crossing::Enter),
    ));
    let square = ground.ring((ground.columns / 4, ground.rows / 4));
    rules.push(rule(
        "market-no-vehicles",
        text("Vehicle in the market square", "车辆进入集市广场"),
        Severity::Minor,
        "vehicle",
        fence(Shape::Polygon(vec![square]), Crossing::Enter),
    ));
    rules.extend(officers_stay(registry, areas));
    rules
}

/// A few officers must not leave the first district: an area fence that raises on the way out.
fn officers_stay(registry: &[Entity], areas: &[Area]) -> Option<Rule> {
    let district = areas.iter().find(|area| area.level == 1)?;
    let officers: Vec<String> =
        registry.iter().filter(|entity| entity.kind == "officer").take(20).map(|entity| entity.id.clone()).collect();
    let shape = Shape::Area(AreaRef { layer: "grid".to_owned(), code: district.code.clone() });
    let title = text("Officer left the district", "网格员离开辖区");
    let mut rule = rule("officer-left", title, Severity::Warning, "officer", fence(shape, Crossing::Exit));
    rule.select.sources = officers;
    Some(rule)
}
