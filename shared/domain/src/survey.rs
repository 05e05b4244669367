//! How the areas of a layer lie together on the ground: what leaves the area above it and, in a partition, what lies in two areas
//! or in none. For people who mend maps; nothing is changed, and no layer is refused for it.
//!
//! Knows a layer and no file but its name. Places smaller than the layer's tolerance are not told: neighbours drawn by hand never
//! meet to the millimetre.
//!
//! Invariants:
//! * Overlaps that a declared priority settles are meant, and not told.
//! * Areas are only compared with those valid at the same moment; a layer with more moments than can be looked at in a second or
//!   two says so.

mod tell;

use crate::{city::LayerFile, layer::Warning, locate::Layer};
use gridwarden_geo::cover::{Cover, Gap, Outside, Overlap, gaps, outside, overlaps};
use std::collections::{BTreeMap, HashSet};
use tell::Teller;

/// Points of outlines compared, over all moments of a layer.
const MOST_POINTS: usize = 4_000_000;
/// Overlaps looked for at a moment; more are counted as so many at least.
const MOST_OVERLAPS: usize = 10_000;

/// What is odd about how the layer's areas lie together; `file` is what `city.toml` says of the layer.
pub fn survey(file: &LayerFile, layer: &Layer) -> Vec<Warning> {
    let least_m2 = file.tolerance_m2.unwrap_or(LayerFile::TOLERANCE_M2);
    let teller = Teller { file, layer };
    let mut warnings = teller.outside(&leaving(layer, least_m2));
    if file.partition {
        let found = partition(layer, least_m2);
        warnings.extend(teller.overlaps(&found.overlaps));
        warnings.extend(teller.gaps(&found.gaps));
        warnings.extend(found.unseen.map(|moments| teller.unseen(moments)));
    }
    warnings
}

/// Something found at a moment: the first of the stretch of time it was found in, `i64::MIN` before anything changes.
struct Dated<T> {
    what: T,
    from_ms: i64,
}

#[derive(Default)]
struct Partition {
    overlaps: Vec<Dated<Overlap>>,
    gaps: Vec<Dated<Gap>>,
    /// Moments that were not looked at.
    unseen: Option<usize>,
}

/// What leaves the next area above that is drawn; numbers are of the layer's areas.
fn leaving(layer: &Layer, least_m2: f64) -> Vec<(Outside, u32)> {
    let drawn = |number: u32| layer.areas.get(number as usize).is_some_and(|area| area.polygons.is_some());
    let mut below: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (number, _) in (0u32..).zip(&layer.areas).filter(|(number, _)| drawn(*number)) {
        if let Some(above) = layer.ancestors(number).find(|above| drawn(*above)) {
            below.entry(above).or_default().push(number);
        }
    }
    let mut found = Vec::new();
    for (above, numbers) in below {
        let told = outside(&cover(layer, &numbers), &layer.outline(above), least_m2);
        let numbered = told
            .into_iter()
            .filter_map(|outside| Some((Outside { area: *numbers.get(outside.area as usize)?, ..outside }, above)));
        found.extend(numbered);
    }
    found
}

fn cover(layer: &Layer, numbers: &[u32]) -> Cover {
    let outlines: Vec<Vec<Vec<[f64; 2]>>> = numbers.iter().map(|number| layer.outline(*number)).collect();
    Cover::new(&outlines)
}

/// Gaps and overlaps at every moment from which other boundaries hold, the latest first, each told once.
fn partition(layer: &Layer, least_m2: f64) -> Partition {
    let mut found = Partition::default();
    let (mut pairs, mut holes) = (HashSet::new(), HashSet::new());
    let mut points = 0;
    let moments = moments(layer);
    for (seen, from_ms) in moments.iter().rev().copied().enumerate() {
        let numbers: Vec<u32> = layer.leaves().iter().copied().filter(|leaf| layer.is_valid(*leaf, from_ms)).collect();
        points += numbers.iter().map(|number| points_of(layer, *number)).sum::<usize>();
        if seen > 0 && points > MOST_POINTS {
            found.unseen = Some(moments.len() - seen);
            break;
        }
        let cover = cover(layer, &numbers);
        let named = |place: &u32| numbers.get(*place as usize).copied().unwrap_or_default();
        let mut fresh = Vec::new();
        for overlap in overlaps(&cover, least_m2, MOST_OVERLAPS) {
            let areas = overlap.areas.map(|place| named(&place));
            if undecided(layer, areas) && !pairs.contains(&areas) {
                fresh.push(areas);
                found.overlaps.push(Dated { what: Overlap { areas, ..overlap }, from_ms });
            }
        }
        pairs.extend(fresh);
        for gap in gaps(&cover, &above(layer, &numbers, from_ms), least_m2) {
            let gap = Gap { beside: gap.beside.iter().map(named).collect(), ..gap };
            if holes.insert((gap.beside.clone(), gap.place.area_m2.round() as u64)) {
                found.gaps.push(Dated { what: gap, from_ms });
            }
        }
    }
    found
}

/// Moments from which other areas are valid than before, rising.
fn moments(layer: &Layer) -> Vec<i64> {
    let changes = layer.leaves().iter().filter_map(|leaf| layer.areas.get(*leaf as usize));
    let mut moments: Vec<i64> = changes.flat_map(|area| [area.valid_from, area.valid_to]).flatten().collect();
    moments.push(i64::MIN);
    moments.sort_unstable();
    moments.dedup();
    moments
}

fn points_of(layer: &Layer, number: u32) -> usize {
    let area = layer.areas.get(number as usize);
    area.map_or(0, |area| area.polygons.iter().flatten().flatten().map(Vec::len).sum())
}

/// Outlines of the areas above these.
fn above(layer: &Layer, numbers: &[u32], at_ms: i64) -> Vec<Vec<Vec<[f64; 2]>>> {
    let mut above: Vec<u32> = numbers.iter().flat_map(|number| layer.ancestors(*number)).collect();
    above.sort_unstable();
    above.dedup();
    above.retain(|number| layer.is_valid(*number, at_ms));
    above.iter().map(|number| layer.outline(*number)).collect()
}

/// Whether nobody said who of the two owns the ground they share.
fn undecided(layer: &Layer, [one, other]: [u32; 2]) -> bool {
    let priority = |number: u32| layer.areas.get(number as usize).and_then(|area| area.priority).unwrap_or_default();
    priority(one) == priority(other)
}

#[cfg(test)]
mod tests;
