//! Who and what speaks in a made-up city, and what can be reported there.

use super::ground::{Cell, Ground};
use super::text;
use gridwarden_domain::class::{Catalogue, Class, ClassKind};
use gridwarden_domain::entity::Entity;
use gridwarden_domain::observation::Position;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// A kind of entity: id, English and Chinese name, one per so many cells, whether it stands still.
const KINDS: &[(&str, &str, &str, usize, bool)] = &[
    ("air", "Air station", "空气监测站", 80, true),
    ("noise", "Noise meter", "噪声监测点", 60, true),
    ("water", "Water gauge", "积水监测点", 90, true),
    ("bin", "Waste bin", "垃圾桶", 16, true),
    ("vehicle", "Vehicle", "作业车辆", 16, false),
    ("officer", "Grid officer", "网格员", 24, false),
];

/// Fewest of each kind, however small the city.
const FEWEST: usize = 6;

/// Everything that speaks.
pub(super) fn registry(ground: &Ground, seed: u64) -> Vec<Entity> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7065_6f70_6c65);
    let cells: Vec<Cell> = ground.cells().collect();
    let mut entities = Vec::new();
    for (kind, en, zh, per_cells, stands) in KINDS {
        for number in 1..=(cells.len() / per_cells).max(FEWEST) {
            let cell = cells.get(rng.random_range(0..cells.len())).copied().unwrap_or_default();
            let [lon, lat] = ground.near_middle(cell, &mut rng);
            entities.push(Entity {
                id: format!("{kind}-{number:05}"),
                kind: (*kind).to_owned(),
                name: text(format!("{en} {number} (simulated)"), format!("{zh}{number}（模拟）")),
                position: stands.then_some(Position { lon, lat, accuracy_m: None }),
                departments: None,
                attributes: BTreeMap::new(),
            });
        }
    }
    entities
}

/// Code, parent, English and Chinese name of event classes; made up after GB/T 30428.2's first levels.
const EVENTS: &[(&str, Option<&str>, &str, &str)] = &[
    ("01", None, "Appearance of the city", "市容环境"),
    ("0102", Some("01"), "Exposed rubbish", "暴露垃圾"),
    ("0104", Some("01"), "Dirty road", "道路不洁"),
    ("0106", Some("01"), "Bin overflowing", "垃圾满溢"),
    ("0110", Some("01"), "Smoke or burning", "焚烧冒烟"),
    ("02", None, "Advertising", "宣传广告"),
    ("0201", Some("02"), "Illegal small advertisement", "非法小广告"),
    ("03", None, "Building sites", "施工管理"),
    ("0301", Some("03"), "Noise of building", "施工扰民"),
    ("04", None, "Emergencies", "突发事件"),
    ("0401", Some("04"), "Road under water", "道路积水"),
    ("05", None, "Order in the street", "街面秩序"),
    ("0501", Some("05"), "Trading without a licence", "无照经营游商"),
    ("0505", Some("05"), "Vehicle parked across", "机动车乱停放"),
];

/// What can be reported.
pub(super) fn catalogue() -> Catalogue {
    let class = |(code, parent, en, zh): &(&str, Option<&str>, &str, &str)| Class {
        kind: ClassKind::Event,
        code: (*code).to_owned(),
        parent: parent.map(str::to_owned),
        name: text(*en, *zh),
    };
    Catalogue { version: "simulated-1".to_owned(), classes: EVENTS.iter().map(class).collect() }
}
