//! Areas of a layer together: codes, parents, levels.

use super::Problem;
use crate::{city::LayerFile, layer::Area, text::Text};
use std::collections::{BTreeSet, HashMap};

type Named = (String, Area);

/// Orders the areas, makes parents that no feature describes, and checks what only shows between features.
pub(super) fn link(file: &LayerFile, named: Vec<Named>) -> Result<(Vec<Area>, Vec<Problem>), (String, Problem)> {
    check_codes(file, &named)?;
    let made = missing_parents(file, &named)?;
    let mut odd = orphans(file, &named);
    let mut areas: Vec<Area> = named.into_iter().map(|(_, area)| area).chain(made).collect();
    if areas.is_empty() {
        odd.push(Problem::new("features", "there is none"));
    }
    areas.sort_by(|a, b| (a.level, &a.code, a.valid_from).cmp(&(b.level, &b.code, b.valid_from)));
    Ok((areas, odd))
}

/// A code is unique among areas valid at the same time.
fn check_codes(file: &LayerFile, named: &[Named]) -> Result<(), (String, Problem)> {
    let mut by_code: HashMap<&str, Vec<&Named>> = HashMap::with_capacity(named.len());
    for entry in named {
        let same = by_code.entry(entry.1.code.as_str()).or_default();
        let clash = same.iter().find(|other| overlap(&other.1, &entry.1));
        if let Some((other, _)) = clash {
            let detail = format!("is also the code of {other}, valid at the same time");
            return Err((entry.0.clone(), Problem::new(&file.fields.code, detail)));
        }
        same.push(entry);
    }
    Ok(())
}

fn overlap(a: &Area, b: &Area) -> bool {
    let begin = |area: &Area| area.valid_from.unwrap_or(i64::MIN);
    let end = |area: &Area| area.valid_to.unwrap_or(i64::MAX);
    begin(a) < end(b) && begin(b) < end(a)
}

fn missing_parents(file: &LayerFile, named: &[Named]) -> Result<Vec<Area>, (String, Problem)> {
    let mut best_level: HashMap<&str, u8> = HashMap::with_capacity(named.len());
    for (_, area) in named {
        let level = best_level.entry(area.code.as_str()).or_insert(area.level);
        *level = area.level.min(*level);
    }
    let field = &file.fields.parent;
    let mut made: BTreeSet<(u8, &str)> = BTreeSet::new();
    for (name, area) in named {
        let Some(parent) = area.parent.as_deref() else {
            continue;
        };
        let Some(above) = area.level.checked_sub(1) else {
            let detail = format!("names {parent}, but nothing stands above the first level");
            return Err((name.clone(), Problem::new(field, detail)));
        };
        match best_level.get(parent) {
            Some(level) if *level < area.level => {}
            Some(_) => {
                let detail = format!("{parent} does not stand on a level above");
                return Err((name.clone(), Problem::new(field, detail)));
            }
            None => {
                made.insert((above, parent));
            }
        }
    }
    Ok(made.into_iter().map(|(level, code)| implicit(level, code)).collect())
}

fn implicit(level: u8, code: &str) -> Area {
    Area {
        code: code.to_owned(),
        level,
        name: Text { en: code.to_owned(), zh: code.to_owned() },
        parent: None,
        valid_from: None,
        valid_to: None,
        priority: None,
        polygons: None,
    }
}

fn orphans(file: &LayerFile, named: &[Named]) -> Vec<Problem> {
    let orphan = |area: &Area| area.level > 0 && area.parent.is_none();
    let mut orphans = named.iter().filter(|(_, area)| orphan(area)).map(|(_, area)| area.code.as_str());
    let Some(first) = orphans.next() else {
        return Vec::new();
    };
    let others = orphans.count();
    let detail = match others {
        0 => format!("{first} names no area above it"),
        _ => format!("{first} and {others} more name no area above them"),
    };
    vec![Problem::new(&file.fields.parent, detail)]
}
