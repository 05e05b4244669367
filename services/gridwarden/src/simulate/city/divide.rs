//! Divides the ground: cells into communities, communities into streets, streets into districts, and cells into duty grids.

use super::ground::{Cell, Ground};
use super::{Point, outline, text};
use gridwarden_domain::layer::Area;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Which community, street, district and duty grid each cell belongs to, by number of the cell.
pub(super) struct Tree {
    community: Vec<u32>,
    street: Vec<u32>,
    district: Vec<u32>,
    duty: Vec<u32>,
    counts: Counts,
}

/// How many of each there are.
#[derive(Clone, Copy)]
struct Counts {
    communities: usize,
    streets: usize,
    districts: usize,
    duties: usize,
}

/// Six digits no district of the country has.
const CITY: &str = "990100";
const DISTRICTS_START: u32 = 990_101;

/// Decides who belongs where.
pub(super) fn tree(ground: &Ground, seed: u64) -> Tree {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7472_6565);
    let cells = ground.len() as f64;
    let cell_places: Vec<Point> = ground.cells().map(|(column, row)| [column as f64, row as f64]).collect();
    // Never more than 999 below one parent: three digits number them.
    let per_community = (cells.sqrt() / 2.5).clamp(6.0, 60.0);
    let (community, communities) = group(&cell_places, per_community, &mut rng);
    let (street_of, streets) = group(&communities, 9.0, &mut rng);
    let (district_of, districts) = group(&streets, 6.0, &mut rng);
    let (duty, duties) = group(&cell_places, (per_community / 2.0).max(4.0), &mut rng);
    let up = |of: &[u32], own: u32| of.get(own as usize).copied().unwrap_or_default();
    let street: Vec<u32> = community.iter().map(|own| up(&street_of, *own)).collect();
    let district: Vec<u32> = street.iter().map(|own| up(&district_of, *own)).collect();
    let counts = Counts {
        communities: communities.len(),
        streets: streets.len(),
        districts: districts.len(),
        duties: duties.len(),
    };
    Tree { community, street, district, duty, counts }
}

/// Groups places around shaken centres, about `size` to a group: the group of each place, and the middle of each group.
/// Groups without a member do not exist.
fn group(places: &[Point], size: f64, rng: &mut ChaCha8Rng) -> (Vec<u32>, Vec<Point>) {
    let (low, high) = bounds(places);
    let (wide, tall) = (high[0] - low[0] + 1.0, high[1] - low[1] + 1.0);
    let wanted = (places.len() as f64 / size).round().max(1.0);
    let columns = (wanted * wide / tall).sqrt().round().max(1.0);
    let rows = (wanted / columns).round().max(1.0);
    let step = [wide / columns, tall / rows];
    let mut centres = Vec::new();
    for row in 0..rows as usize {
        for column in 0..columns as usize {
            let at = |index: usize, axis: usize, rng: &mut ChaCha8Rng| {
                let (low, step) = (if axis == 0 { low[0] } else { low[1] }, if axis == 0 { step[0] } else { step[1] });
                low - 0.5 + (index as f64 + 0.5 + rng.random_range(-0.3..0.3)) * step
            };
            centres.push([at(column, 0, rng), at(row, 1, rng)]);
        }
    }
    let nearest =
        |place: &Point| nearest_centre(&centres, columns as usize, [low[0] - 0.5, low[1] - 0.5], step, *place);
    let raw: Vec<usize> = places.iter().map(nearest).collect();
    renumber(places, &raw)
}

/// The nearest centre, looked for in the squares around the place's own.
fn nearest_centre(centres: &[Point], columns: usize, low: Point, step: Point, place: Point) -> usize {
    let rows = centres.len() / columns.max(1);
    let own = |axis: usize| {
        let (p, l, s) = if axis == 0 { (place[0], low[0], step[0]) } else { (place[1], low[1], step[1]) };
        ((p - l) / s).max(0.0) as usize
    };
    let (column, row) = (own(0).min(columns.saturating_sub(1)), own(1).min(rows.saturating_sub(1)));
    let near = |index: usize, most: usize| index.saturating_sub(2)..(index + 3).min(most);
    let candidates = near(row, rows).flat_map(|r| near(column, columns).map(move |c| r * columns + c));
    let away = |index: &usize| {
        let centre = centres.get(*index).copied().unwrap_or_default();
        let (x, y) = ((centre[0] - place[0]) / step[0], (centre[1] - place[1]) / step[1]);
        x * x + y * y
    };
    candidates.min_by(|a, b| away(a).total_cmp(&away(b))).unwrap_or_default()
}

fn renumber(places: &[Point], raw: &[usize]) -> (Vec<u32>, Vec<Point>) {
    let mut numbers: BTreeMap<usize, u32> = BTreeMap::new();
    for group in raw {
        let next = numbers.len() as u32;
        numbers.entry(*group).or_insert(next);
    }
    let of: Vec<u32> = raw.iter().map(|group| numbers.get(group).copied().unwrap_or_default()).collect();
    let mut sums = vec![([0.0, 0.0], 0.0); numbers.len()];
    for (place, group) in places.iter().zip(&of) {
        if let Some((sum, count)) = sums.get_mut(*group as usize) {
            *sum = [sum[0] + place[0], sum[1] + place[1]];
            *count += 1.0;
        }
    }
    (of, sums.into_iter().map(|(sum, count)| [sum[0] / count, sum[1] / count]).collect())
}

fn bounds(places: &[Point]) -> (Point, Point) {
    places.iter().fold(([f64::MAX; 2], [f64::MIN; 2]), |(low, high), p| {
        ([low[0].min(p[0]), low[1].min(p[1])], [high[0].max(p[0]), high[1].max(p[1])])
    })
}

/// The areas of the administrative tree, root first, with codes by GB/T 30428 (`SIM-2`).
pub(super) fn areas(ground: &Ground, tree: &Tree) -> Vec<Area> {
    let counts = tree.counts;
    let city = vec![0; ground.len()];
    let one = |_: u32| CITY.to_owned();
    let mut areas = level(ground, &city, 1, 0, &one, None, ("Simulated City", "模拟市"));

    let districts: Vec<String> =
        (0..counts.districts).map(|n| (DISTRICTS_START + u32::try_from(n).unwrap_or(u32::MAX)).to_string()).collect();
    let streets = codes(&parents(&tree.street, &tree.district, counts.streets), &districts);
    let communities = codes(&parents(&tree.community, &tree.street, counts.communities), &streets);
    let pick = |codes: &[String], index: u32| codes.get(index as usize).cloned().unwrap_or_default();

    let above = |_: u32| CITY.to_owned();
    areas.extend(level(
        ground,
        &tree.district,
        counts.districts,
        1,
        &|n| pick(&districts, n),
        Some(&above),
        ("District", "区"),
    ));
    let street_parents = parents(&tree.street, &tree.district, counts.streets);
    let above = |n: u32| pick(&districts, street_parents.get(n as usize).copied().unwrap_or_default());
    areas.extend(level(
        ground,
        &tree.street,
        counts.streets,
        2,
        &|n| pick(&streets, n),
        Some(&above),
        ("Street", "街道"),
    ));
    let community_parents = parents(&tree.community, &tree.street, counts.communities);
    let above = |n: u32| pick(&streets, community_parents.get(n as usize).copied().unwrap_or_default());
    areas.extend(level(
        ground,
        &tree.community,
        counts.communities,
        3,
        &|n| pick(&communities, n),
        Some(&above),
        ("Community", "社区"),
    ));
    areas.extend(cells(ground, tree, &communities));
    areas
}

/// Duty grids: flat, each a handful of cells.
pub(super) fn duty_areas(ground: &Ground, tree: &Tree) -> Vec<Area> {
    let code = |n: u32| format!("ZR{:05}", n + 1);
    level(ground, &tree.duty, tree.counts.duties, 0, &code, None, ("Duty grid", "责任网格"))
}

/// The parent of each group, by the cells they share.
fn parents(of: &[u32], above: &[u32], groups: usize) -> Vec<u32> {
    let mut parents = vec![0; groups];
    for (own, up) in of.iter().zip(above) {
        if let Some(parent) = parents.get_mut(*own as usize) {
            *parent = *up;
        }
    }
    parents
}

/// Parent's code and a number of three digits, counted below each parent.
fn codes(parents: &[u32], above: &[String]) -> Vec<String> {
    let mut counted: BTreeMap<u32, u32> = BTreeMap::new();
    let code = |parent: &u32| {
        let number = counted.entry(*parent).or_default();
        *number += 1;
        format!("{}{number:03}", above.get(*parent as usize).map(String::as_str).unwrap_or_default())
    };
    parents.iter().map(code).collect()
}

type Code<'a> = &'a dyn Fn(u32) -> String;

#[allow(clippy::too_many_arguments, reason = "one row of a table: what a level is made of")]
fn level(
    ground: &Ground,
    of: &[u32],
    groups: usize,
    level: u8,
    code: Code<'_>,
    parent: Option<Code<'_>>,
    (en, zh): (&str, &str),
) -> Vec<Area> {
    let outlines = outline::outlines(ground, of, groups);
    let area = |(rings, number): (Vec<Vec<Point>>, u32)| {
        let code = code(number);
        let name = if parent.is_none() && groups == 1 {
            text(format!("{en} (simulated)"), format!("{zh}（模拟）"))
        } else {
            text(format!("{en} {} (simulated)", number + 1), format!("{zh}{}（模拟）", number + 1))
        };
        Area {
            parent: parent.map(|parent| parent(number)),
            code,
            level,
            name,
            valid_from: None,
            valid_to: None,
            priority: None,
            polygons: Some(vec![rings]),
        }
    };
    outlines.into_iter().zip(0_u32..).map(area).collect()
}

/// Cells, numbered west → east, north → south inside their community.
fn cells(ground: &Ground, tree: &Tree, communities: &[String]) -> Vec<Area> {
    let mut order: Vec<Cell> = ground.cells().collect();
    order.sort_by_key(|(column, row)| (std::cmp::Reverse(*row), *column));
    let mut counted = vec![0_u32; communities.len()];
    let mut areas = Vec::with_capacity(order.len());
    for cell in order {
        let community = tree.community.get(ground.number(cell)).copied().unwrap_or_default() as usize;
        let (Some(parent), Some(number)) = (communities.get(community), counted.get_mut(community)) else { continue };
        *number += 1;
        areas.push(Area {
            code: format!("{parent}{number:03}"),
            level: 4,
            name: text(format!("Cell {parent}-{number:03} (simulated)"), format!("网格{parent}-{number:03}（模拟）")),
            parent: Some(parent.clone()),
            valid_from: None,
            valid_to: None,
            priority: None,
            polygons: Some(vec![vec![ground.ring(cell)]]),
        });
    }
    areas
}
