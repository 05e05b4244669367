//! Placing: from a position or a code to areas, in every layer, with the boundaries of a moment.

mod outlines;

use outlines::Outlines;

use crate::{
    alert::AreaRef,
    layer::{Area, LayerHead},
    text::Text,
};
pub use gridwarden_geo::AREA_INDEX_FORMAT as RASTER_FORMAT;
use gridwarden_geo::{Ahead, AreaIndex, IndexOptions, is_in_degrees};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::sync::{Arc, OnceLock};

/// Why a layer cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlaceError {
    /// An outline is not made of positions.
    #[error("area {code}: {detail}")]
    Outline {
        /// Code of the area.
        code: String,
        /// What is wrong.
        detail: String,
    },
    /// An area stands on a level the layer does not have.
    #[error("area {code}: the layer has no level number {level}")]
    Level {
        /// Code of the area.
        code: String,
        /// The level's number.
        level: u8,
    },
    /// The area above is unknown or not above.
    #[error("area {code}: {parent} is not an area of a level above")]
    Parent {
        /// Code of the area.
        code: String,
        /// The code it names as its parent.
        parent: String,
    },
    /// More than the raster can be built over.
    #[error("{points} points; a layer may have at most {MAX_POINTS}")]
    TooMany {
        /// Points of all outlines.
        points: usize,
    },
}

/// Most points of a layer's outlines. So few always fit into the raster, whatever they look like.
pub const MAX_POINTS: usize = 8_000_000;

/// One version of a layer, ready to place positions in.
pub struct Layer {
    /// What is said of the layer as a whole.
    pub head: LayerHead,
    /// Version.
    pub version: String,
    /// Areas of every level.
    pub areas: Vec<Area>,
    /// For every area the one above.
    pub parent: Vec<Option<u32>>,
    /// All areas in the order of their codes.
    by_code: Vec<u32>,
    /// The areas a position is looked up in: those no other area has as its parent. In a partition whoever owns shared ground
    /// stands before the others.
    leaves: Vec<u32>,
    /// Whether any area begins or ends: mostly none does, and then nobody need ask each.
    dated: bool,
    /// The outlines, when they are no longer with the areas.
    outlines: Option<Outlines>,
    index: OnceLock<AreaIndex>,
}

impl Layer {
    /// Checks and links the areas. The raster is built when first asked for, or by [`Layer::prepare`].
    pub fn build(head: LayerHead, version: String, areas: Vec<Area>) -> Result<Self, PlaceError> {
        let points = areas.iter().flat_map(|area| area.polygons.iter().flatten().flatten()).map(Vec::len).sum();
        if points > MAX_POINTS {
            return Err(PlaceError::TooMany { points });
        }
        for area in &areas {
            if usize::from(area.level) >= head.levels.len() {
                return Err(PlaceError::Level { code: area.code.clone(), level: area.level });
            }
            check_outline(area)?;
        }
        let mut by_code: Vec<u32> = (0u32..).zip(&areas).map(|(number, _)| number).collect();
        by_code.sort_by_key(|number| code_of(&areas, *number));
        let mut parent = Vec::with_capacity(areas.len());
        let mut is_parent = vec![false; areas.len()];
        for area in &areas {
            let above = parent_of(area, (&areas, &by_code))?;
            if let Some(flag) = above.and_then(|number| is_parent.get_mut(number as usize)) {
                *flag = true;
            }
            parent.push(above);
        }
        let mut leaves: Vec<u32> =
            (0u32..).zip(&is_parent).filter(|(_, is_parent)| !**is_parent).map(|(number, _)| number).collect();
        if head.partition {
            leaves.sort_by_cached_key(|number| rank(&areas, *number));
        }
        let dated = areas.iter().any(|area| area.valid_from.is_some() || area.valid_to.is_some());
        Ok(Self { head, version, areas, parent, by_code, leaves, dated, outlines: None, index: OnceLock::new() })
    }

    /// The same for whoever only places records: areas have neither the names people call them by (of 50,000 those are 8 MiB) nor
    /// outlines, which lie apart, in less room.
    pub fn for_placing(mut self) -> Self {
        self.areas.iter_mut().for_each(|area| area.name = Text::default());
        self.outlines = Some(Outlines::taken_from(&mut self.areas));
        self
    }

    /// Builds the raster now, so that the first look-up does not wait for it.
    pub fn prepare(&self) {
        self.index();
    }

    /// Whether the raster is there.
    pub fn is_prepared(&self) -> bool {
        self.index.get().is_some()
    }

    /// The raster as bytes of [`RASTER_FORMAT`]; built if it was not.
    pub fn raster_bytes(&self) -> Vec<u8> {
        self.index().to_bytes()
    }

    /// Takes a raster that [`Layer::raster_bytes`] gave for a layer of the same version; false when it cannot be one, or when
    /// one is there already.
    pub fn take_raster(&self, bytes: &[u8]) -> bool {
        let raster = AreaIndex::from_bytes(bytes).filter(|raster| raster.len() == self.leaves.len());
        raster.is_some_and(|raster| self.index.set(raster).is_ok())
    }

    fn index(&self) -> &AreaIndex {
        self.index.get_or_init(|| {
            let outlines: Vec<Vec<Vec<[f64; 2]>>> = self.leaves.iter().map(|number| self.outline(*number)).collect();
            // Cannot fail: `build` has checked every position and that there are not too many (both are tested).
            AreaIndex::build(&outlines, &IndexOptions::default()).unwrap_or_default()
        })
    }

    /// The rings of an area; none when it has no outline.
    pub fn outline(&self, number: u32) -> Vec<Vec<[f64; 2]>> {
        if let Some(outlines) = &self.outlines {
            return outlines.rings(number);
        }
        let polygons = self.areas.get(number as usize).and_then(|area| area.polygons.as_ref());
        polygons.map_or_else(Vec::new, |polygons| polygons.iter().flatten().cloned().collect())
    }

    /// The area with this code that is valid at the moment.
    pub fn find(&self, code: &str, time_ms: i64) -> Option<u32> {
        with_code((&self.areas, &self.by_code), code).find(|number| self.is_valid(*number, time_ms))
    }

    /// The areas above, nearest first; without the area itself.
    pub fn ancestors(&self, area: u32) -> impl Iterator<Item = u32> + '_ {
        let above = move |number: &u32| self.parent.get(*number as usize).copied().flatten();
        std::iter::successors(above(&area), above)
    }

    /// Every leaf area that contains the position and is valid at the moment; in a partition the one that owns it.
    #[inline]
    pub fn locate(&self, lon: f64, lat: f64, time_ms: i64, mut hit: impl FnMut(u32)) {
        let mut owned = false;
        self.index().locate(lon, lat, |leaf| {
            if let Some(number) = self.leaves.get(leaf as usize)
                && !owned
                && self.is_valid(*number, time_ms)
            {
                // Areas come in the order of their leaves.
                owned = self.head.partition;
                hit(*number);
            }
        });
    }

    /// Asks for what [`Layer::locate`] will look at, see [`AreaIndex::ask`].
    #[inline]
    pub fn ask(&self, lon: f64, lat: f64) -> Ahead {
        self.index.get().map(|index| index.ask(lon, lat)).unwrap_or_default()
    }

    /// The same one step further, see [`AreaIndex::ask_border`].
    #[inline]
    pub fn ask_border(&self, asked: Ahead) -> Ahead {
        self.index.get().map(|index| index.ask_border(asked)).unwrap_or_default()
    }

    /// And the last one, see [`AreaIndex::ask_edges`].
    #[inline]
    pub fn ask_edges(&self, asked: Ahead) {
        if let Some(index) = self.index.get() {
            index.ask_edges(asked);
        }
    }

    /// The area a position most likely lies in, whatever the moment; see [`AreaIndex::sole`].
    #[inline]
    pub fn likely(&self, asked: Ahead) -> Option<u32> {
        let leaf = self.index.get()?.sole(asked)?;
        self.leaves.get(leaf as usize).copied()
    }

    /// The areas a position is looked up in; in a partition whoever owns shared ground stands before the others.
    pub fn leaves(&self) -> &[u32] {
        &self.leaves
    }

    /// Bytes the raster takes, once built.
    pub fn index_bytes(&self) -> usize {
        self.index.get().map_or(0, AreaIndex::memory_bytes)
    }

    #[inline]
    pub(crate) fn is_valid(&self, number: u32, time_ms: i64) -> bool {
        !self.dated
            || self.areas.get(number as usize).is_some_and(|area| {
                area.valid_from.is_none_or(|from| from <= time_ms) && area.valid_to.is_none_or(|to| time_ms < to)
            })
    }
}

/// Whoever ranks lower owns the ground that areas of a partition share: by priority, then code, then begin of validity.
fn rank(areas: &[Area], number: u32) -> impl Ord {
    let area = areas.get(number as usize);
    let priority = area.and_then(|area| area.priority).unwrap_or_default();
    (Reverse(priority), area.map(|area| area.code.as_str()), area.and_then(|area| area.valid_from), number)
}

fn check_outline(area: &Area) -> Result<(), PlaceError> {
    let points = area.polygons.iter().flatten().flatten().flatten();
    for [lon, lat] in points {
        if !is_in_degrees([*lon, *lat]) {
            return Err(PlaceError::Outline {
                code: area.code.clone(),
                detail: format!("{lon}, {lat} is not a position in degrees"),
            });
        }
    }
    Ok(())
}

fn code_of(areas: &[Area], number: u32) -> &str {
    areas.get(number as usize).map_or("", |area| area.code.as_str())
}

/// The areas with a code, of those that stand in the order of their codes.
fn with_code<'a>((areas, by_code): (&'a [Area], &'a [u32]), code: &'a str) -> impl Iterator<Item = u32> + 'a {
    let first = by_code.partition_point(|number| code_of(areas, *number) < code);
    let from_there = by_code.get(first..).unwrap_or_default().iter().copied();
    from_there.take_while(move |number| code_of(areas, *number) == code)
}

/// The parent that is valid when the area begins; any of that code when none is.
fn parent_of(area: &Area, (areas, by_code): (&[Area], &[u32])) -> Result<Option<u32>, PlaceError> {
    let Some(code) = &area.parent else {
        return Ok(None);
    };
    let begin = area.valid_from.unwrap_or(i64::MIN);
    let mut above: Option<u32> = None;
    for number in with_code((areas, by_code), code) {
        let Some(candidate) = areas.get(number as usize) else {
            continue;
        };
        if candidate.level >= area.level {
            continue;
        }
        let covers =
            candidate.valid_from.is_none_or(|from| from <= begin) && candidate.valid_to.is_none_or(|to| begin < to);
        if covers {
            return Ok(Some(number));
        }
        above = above.or(Some(number));
    }
    let missing = || PlaceError::Parent { code: area.code.clone(), parent: code.clone() };
    above.map(Some).ok_or_else(missing)
}

/// An area of a layer set: layer by its place in [`LayerSet::layers`], area by its place in [`Layer::areas`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Which layer.
    pub layer: u16,
    /// Which area: a leaf, or of any level when found by code.
    pub area: u32,
}

/// Where a record lies, in rising order. Four layers fit without heap.
pub type Places = SmallVec<[Place; 4]>;

/// The layers in force together, in order of their ids.
#[derive(Default)]
pub struct LayerSet {
    /// The layers.
    pub layers: Vec<Arc<Layer>>,
}

impl LayerSet {
    /// Orders the layers by id.
    pub fn new(mut layers: Vec<Arc<Layer>>) -> Self {
        layers.sort_by(|a, b| a.head.layer.cmp(&b.head.layer));
        layers.truncate(usize::from(u16::MAX));
        Self { layers }
    }

    /// Builds every raster now.
    pub fn prepare(&self) {
        for layer in &self.layers {
            layer.prepare();
        }
    }

    /// Every leaf area, in every layer, that contains the position and is valid at the moment. Clears `out` first.
    #[inline]
    pub fn locate(&self, lon: f64, lat: f64, time_ms: i64, out: &mut Places) {
        out.clear();
        for (number, layer) in (0u16..).zip(&self.layers) {
            layer.locate(lon, lat, time_ms, |area| {
                out.push(Place { layer: number, area });
            });
        }
    }

    /// The area a reference names: `layer/code`, or a bare code of the main layer. Clears `out` first; false when there is
    /// no such area at the moment.
    pub fn by_code(&self, reference: &str, time_ms: i64, out: &mut Places) -> bool {
        out.clear();
        let named = reference.split_once('/').and_then(|(id, code)| Some((self.layer(id)?, code)));
        // A bare code may hold a slash itself.
        let Some((number, code)) = named.or_else(|| Some((self.main()?, reference))) else {
            return false;
        };
        let layer = self.layers.get(usize::from(number));
        let Some(area) = layer.and_then(|layer| layer.find(code, time_ms)) else {
            return false;
        };
        out.push(Place { layer: number, area });
        true
    }

    /// The number of the layer with this id.
    pub fn layer(&self, id: &str) -> Option<u16> {
        let position = self.layers.binary_search_by(|layer| layer.head.layer.as_str().cmp(id)).ok()?;
        u16::try_from(position).ok()
    }

    /// The number of the main layer: the one that says so, else the first.
    pub fn main(&self) -> Option<u16> {
        let main = self.layers.iter().position(|layer| layer.head.main);
        let number = main.or(if self.layers.is_empty() { None } else { Some(0) })?;
        u16::try_from(number).ok()
    }

    /// The area a place stands for.
    pub fn area(&self, place: Place) -> Option<&Area> {
        let layer = self.layers.get(usize::from(place.layer))?;
        layer.areas.get(place.area as usize)
    }

    /// The places and everything above them by layer and code: leaf first, each area once.
    pub fn area_refs(&self, places: &Places) -> Vec<AreaRef> {
        let mut refs: Vec<AreaRef> = Vec::new();
        let mut seen: SmallVec<[Place; 16]> = SmallVec::new();
        for place in places {
            let Some(layer) = self.layers.get(usize::from(place.layer)) else {
                continue;
            };
            for number in std::iter::once(place.area).chain(layer.ancestors(place.area)) {
                let found = Place { layer: place.layer, area: number };
                if seen.contains(&found) {
                    continue;
                }
                seen.push(found);
                if let Some(area) = layer.areas.get(number as usize) {
                    refs.push(AreaRef { layer: layer.head.layer.clone(), code: area.code.clone() });
                }
            }
        }
        refs
    }
}

#[cfg(test)]
mod tests;
