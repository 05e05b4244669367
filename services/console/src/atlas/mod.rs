//! The atlas: every layer in force with the outlines to draw, built once per layer version.
//!
//! `CON-3` an area's number in tiles, values and searches is its place in `Layer::areas` of one layer version; the version
//! stands beside it wherever it is used.

pub mod dissolve;
pub mod shape;

use gridwarden_domain::alert::AreaRef;
use gridwarden_domain::layer::Area;
use gridwarden_domain::locate::{Layer, LayerSet};
use shape::{Shape, unproject};
use std::sync::Arc;

/// A layer and its outlines.
pub struct Sheet {
    /// The layer.
    pub layer: Arc<Layer>,
    /// Outline per area, in the order of `layer.areas`.
    pub shapes: Vec<Option<Shape>>,
    /// Areas per level, rising.
    pub by_level: Vec<Vec<u32>>,
    /// Areas directly below each area, rising.
    pub children: Vec<Vec<u32>>,
    /// `[west, south, east, north]` in degrees.
    pub bounds: Option<[f64; 4]>,
    /// Moments at which an area begins or ends to be valid, rising, epoch ms.
    pub edges: Vec<i64>,
}

impl Sheet {
    /// Builds the outlines. Takes seconds for 100,000 areas: not for a thread that serves.
    pub fn build(layer: Arc<Layer>) -> Self {
        let mut by_level = vec![Vec::new(); layer.head.levels.len()];
        let mut children = vec![Vec::new(); layer.areas.len()];
        for (number, area) in (0u32..).zip(&layer.areas) {
            if let Some(level) = by_level.get_mut(usize::from(area.level)) {
                level.push(number);
            }
            let above = layer.parent.get(number as usize).copied().flatten();
            if let Some(list) = above.and_then(|above| children.get_mut(above as usize)) {
                list.push(number);
            }
        }
        let mut shapes: Vec<Option<Shape>> =
            layer.areas.iter().map(|area| area.polygons.as_ref().and_then(Shape::from_degrees)).collect();
        // From the leaves up, so that each level is made of the one below.
        for number in by_level.iter().rev().flatten() {
            let missing = shapes.get(*number as usize).is_some_and(Option::is_none);
            if missing && let Some(below) = children.get(*number as usize) {
                let parts = below.iter().filter_map(|child| shapes.get(*child as usize)?.as_ref());
                let whole = dissolve::dissolve(parts);
                if let Some(place) = shapes.get_mut(*number as usize) {
                    *place = whole;
                }
            }
        }
        let bounds = bounds(shapes.iter().flatten());
        let mut edges: Vec<i64> =
            layer.areas.iter().flat_map(|area| area.valid_from.into_iter().chain(area.valid_to)).collect();
        edges.sort_unstable();
        edges.dedup();
        Self { layer, shapes, by_level, children, bounds, edges }
    }

    /// What is drawn now, as part of addresses that are kept for ever: the layer's version, and how often since an area
    /// began or ended to be valid.
    pub fn version_at(&self, time_ms: i64) -> String {
        let passed = self.edges.partition_point(|edge| *edge <= time_ms);
        let version = &self.layer.version;
        if passed == 0 { version.clone() } else { format!("{version}-{passed}") }
    }

    /// Layer id.
    pub fn id(&self) -> &str {
        &self.layer.head.layer
    }

    /// Number of a level by its id.
    pub fn level(&self, id: &str) -> Option<usize> {
        self.layer.head.levels.iter().position(|level| level.id == id)
    }

    /// Id of a level by its number.
    pub fn level_id(&self, level: u8) -> &str {
        self.layer.head.levels.get(usize::from(level)).map_or("", |level| level.id.as_str())
    }

    /// The area.
    pub fn area(&self, number: u32) -> Option<&Area> {
        self.layer.areas.get(number as usize)
    }

    /// Its outline.
    pub fn shape(&self, number: u32) -> Option<&Shape> {
        self.shapes.get(number as usize)?.as_ref()
    }

    /// Where its name goes, in degrees.
    pub fn centre(&self, number: u32) -> Option<[f64; 2]> {
        self.shape(number).map(|shape| unproject(shape.label))
    }

    /// Areas of a level, rising; those valid at the moment only.
    pub fn areas_at(&self, level: usize, time_ms: i64) -> impl Iterator<Item = u32> + '_ {
        let all = self.by_level.get(level).map_or(&[][..], Vec::as_slice);
        all.iter().copied().filter(move |number| self.area(*number).is_some_and(|area| is_valid(area, time_ms)))
    }
}

/// Whether an area is valid at a moment.
pub fn is_valid(area: &Area, time_ms: i64) -> bool {
    area.valid_from.is_none_or(|from| from <= time_ms) && area.valid_to.is_none_or(|to| time_ms < to)
}

fn bounds<'a>(shapes: impl Iterator<Item = &'a Shape>) -> Option<[f64; 4]> {
    shapes.map(Shape::bounds).reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])])
}

/// All layers in force.
#[derive(Default)]
pub struct Atlas {
    /// Sheets, the main layer first, then by id.
    pub sheets: Vec<Arc<Sheet>>,
}

impl Atlas {
    /// The sheets of a layer set; those whose version did not change are taken over from `old`.
    pub fn build(set: &LayerSet, old: &Self) -> Self {
        let main = set.main();
        let mut sheets: Vec<(bool, Arc<Sheet>)> = Vec::new();
        for (number, layer) in (0u16..).zip(&set.layers) {
            let known = old.sheet(&layer.head.layer).filter(|sheet| sheet.layer.version == layer.version);
            let sheet = known.cloned().unwrap_or_else(|| Arc::new(Sheet::build(Arc::clone(layer))));
            sheets.push((main == Some(number), sheet));
        }
        sheets.sort_by_key(|(main, _)| !main);
        Self { sheets: sheets.into_iter().map(|(_, sheet)| sheet).collect() }
    }

    /// Whether it shows exactly these layer versions.
    pub fn shows(&self, set: &LayerSet) -> bool {
        self.sheets.len() == set.layers.len()
            && set
                .layers
                .iter()
                .all(|layer| self.sheet(&layer.head.layer).is_some_and(|sheet| sheet.layer.version == layer.version))
    }

    /// A layer by id.
    pub fn sheet(&self, id: &str) -> Option<&Arc<Sheet>> {
        self.sheets.iter().find(|sheet| sheet.id() == id)
    }

    /// The layer the map shows first, and whose root level stands for the city.
    pub fn main(&self) -> Option<&Arc<Sheet>> {
        self.sheets.first()
    }

    /// The area a reference names, at a moment.
    pub fn find(&self, reference: &AreaRef, time_ms: i64) -> Option<(&Arc<Sheet>, u32)> {
        let sheet = self.sheet(&reference.layer)?;
        Some((sheet, sheet.layer.find(&reference.code, time_ms)?))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use gridwarden_domain::layer::{LayerHead, Level};
    use gridwarden_domain::text::Text;

    fn area(code: &str, level: u8, parent: Option<&str>, west: Option<f64>) -> Area {
        let square = |west: f64| {
            let east = west + 0.01;
            vec![vec![vec![[west, 31.0], [east, 31.0], [east, 31.01], [west, 31.01], [west, 31.0]]]]
        };
        Area {
            code: code.into(),
            level,
            name: Text { en: format!("Area {code}"), zh: String::new() },
            parent: parent.map(Into::into),
            valid_from: None,
            valid_to: None,
            priority: None,
            polygons: west.map(square),
        }
    }

    /// A city of one district with two cells side by side; only the cells have outlines.
    pub(crate) fn small_city() -> Atlas {
        let level = |id: &str| Level { id: id.into(), name: Text::default() };
        let head = LayerHead {
            layer: "grid".into(),
            title: Text::default(),
            levels: vec![level("city"), level("cell")],
            main: true,
            partition: false,
        };
        let areas =
            vec![area("c", 0, None, None), area("1", 1, Some("c"), Some(121.0)), area("2", 1, Some("c"), Some(121.01))];
        let layer = Layer::build(head, "v1".into(), areas).expect("layer");
        Atlas::build(&LayerSet::new(vec![Arc::new(layer)]), &Atlas::default())
    }

    #[test]
    fn a_level_without_outlines_gets_the_union_of_the_one_below() {
        let atlas = small_city();
        let sheet = atlas.main().expect("main");
        let city = sheet.shape(0).expect("outline");
        let [west, south, east, north] = city.bounds();
        assert!((west - 121.0).abs() < 1e-9 && (east - 121.02).abs() < 1e-9);
        assert!((south - 31.0).abs() < 1e-9 && (north - 31.01).abs() < 1e-9);
        assert_eq!(sheet.bounds.expect("bounds")[0], west);
        assert_eq!(sheet.children[0], [1, 2]);
        assert_eq!(sheet.areas_at(1, 0).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn the_drawing_has_another_version_once_an_area_begins_or_ends() {
        let atlas = small_city();
        assert_eq!(atlas.sheets[0].version_at(i64::MAX), "v1");
        let layer = &atlas.sheets[0].layer;
        let mut areas = layer.areas.clone();
        areas[1].valid_to = Some(500);
        areas[2].valid_from = Some(500);
        areas[2].valid_to = Some(900);
        let sheet = Sheet::build(Arc::new(Layer::build(layer.head.clone(), "v2".into(), areas).expect("layer")));
        let versions = [499, 500, 899, 900].map(|at| sheet.version_at(at));
        assert_eq!(versions, ["v2", "v2-1", "v2-1", "v2-2"]);
        assert_eq!(sheet.areas_at(1, 600).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn an_unchanged_version_is_not_built_again() {
        let atlas = small_city();
        let set = LayerSet::new(vec![Arc::clone(&atlas.sheets[0].layer)]);
        assert!(atlas.shows(&set));
        let again = Atlas::build(&set, &atlas);
        assert!(Arc::ptr_eq(&again.sheets[0], &atlas.sheets[0]));
        assert!(!atlas.shows(&LayerSet::default()));
    }
}
