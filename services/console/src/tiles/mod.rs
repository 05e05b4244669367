//! Vector tiles of one level of a layer: MVT layer `areas` (polygons) and `areas_label` (one point per area, because a
//! polygon cut by a tile's border would be labelled twice). Feature id = number of the area (`CON-3`). Pure.

mod clip;
mod snap;

use crate::atlas::Sheet;
use crate::atlas::shape::Shape;
use clip::{Frame, clip, holds, touches};
use fast_mvt::{MvtCoord, MvtError, MvtFeatureBuilder, MvtGeomType, MvtTileBuilder, MvtValueRef};
use snap::snap;

/// Units of a tile's side.
const EXTENT: f64 = 4096.0;
/// Units drawn beyond the border, so that lines do not end at it.
const BUFFER: f64 = 64.0;
/// Deepest zoom tiles are made for; the map enlarges beyond.
pub const MOST_ZOOM: u8 = 16;

/// A tile's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Zoom.
    pub z: u8,
    /// Column from the west.
    pub x: u32,
    /// Row from the north.
    pub y: u32,
}

impl Address {
    /// `None` for a tile that does not exist.
    pub fn new(z: u8, x: u32, y: u32) -> Option<Self> {
        let side = 1u32 << z.min(MOST_ZOOM);
        (z <= MOST_ZOOM && x < side && y < side).then_some(Self { z, x, y })
    }

    fn scale(self) -> f64 {
        EXTENT * f64::from(1u32 << self.z)
    }

    /// A point of the world square in the tile's units.
    fn place(self, [x, y]: [f64; 2]) -> [f64; 2] {
        [x * self.scale() - f64::from(self.x) * EXTENT, y * self.scale() - f64::from(self.y) * EXTENT]
    }

    /// What the tile shows, its buffer included, in the world square.
    fn frame(self) -> Frame {
        let (scale, x, y) = (self.scale(), f64::from(self.x) * EXTENT, f64::from(self.y) * EXTENT);
        [(x - BUFFER) / scale, (y - BUFFER) / scale, (x + EXTENT + BUFFER) / scale, (y + EXTENT + BUFFER) / scale]
    }
}

/// The rings of a shape in a tile: (is outline, points).
fn rings(shape: &Shape, tile: Address, frame: &Frame) -> Vec<(bool, Vec<(i32, i32)>)> {
    let whole = holds(frame, &shape.frame);
    let mut found = Vec::new();
    for polygon in &shape.polygons {
        for (number, ring) in polygon.iter().enumerate() {
            let cut = if whole { ring.clone() } else { clip(ring, frame) };
            let points: Vec<[f64; 2]> = cut.into_iter().map(|point| tile.place(point)).collect();
            let points = snap(&points);
            if points.is_empty() {
                // A hole without its outline would be an outline itself.
                if number == 0 {
                    break;
                }
                continue;
            }
            found.push((number == 0, points));
        }
    }
    found
}

fn coordinates(points: &[(i32, i32)]) -> impl Iterator<Item = MvtCoord> + '_ {
    points.iter().map(|(x, y)| MvtCoord { x: *x, y: *y })
}

fn tag(feature: &mut MvtFeatureBuilder, sheet: &Sheet, number: u32) -> Result<(), MvtError> {
    feature.id(Some(u64::from(number)));
    let Some(area) = sheet.area(number) else { return Ok(()) };
    for (key, value) in [("code", &area.code), ("en", &area.name.en), ("zh", &area.name.zh)] {
        if !value.is_empty() {
            feature.tag_ref(key, MvtValueRef::String(value))?;
        }
    }
    Ok(())
}

/// The tile's bytes; empty when nothing lies in it.
pub fn encode(sheet: &Sheet, level: usize, tile: Address, time_ms: i64) -> Result<Vec<u8>, MvtError> {
    let frame = tile.frame();
    let mut areas = MvtTileBuilder::new().layer("areas")?;
    let mut labelled: Vec<(u32, [f64; 2])> = Vec::new();
    for number in sheet.areas_at(level, time_ms) {
        let Some(shape) = sheet.shape(number).filter(|shape| touches(&frame, &shape.frame)) else { continue };
        let rings = rings(shape, tile, &frame);
        if !rings.is_empty() {
            let mut feature = areas.feature_of(MvtGeomType::Polygon);
            for (outline, points) in &rings {
                feature.ring(coordinates(points), *outline)?;
            }
            feature.id(Some(u64::from(number)));
            areas = feature.end();
        }
        let label = tile.place(shape.label);
        if label.iter().all(|unit| (0.0..EXTENT).contains(unit)) {
            labelled.push((number, label));
        }
    }
    let mut labels = areas.end().layer("areas_label")?;
    for (number, [x, y]) in labelled {
        let mut feature = labels.feature_of(MvtGeomType::Point);
        feature.points([MvtCoord { x: x as i32, y: y as i32 }])?;
        tag(&mut feature, sheet, number)?;
        labels = feature.end();
    }
    Ok(labels.end().encode())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::shape::project;
    use crate::atlas::tests::small_city;
    use fast_mvt::MvtReaderRef;

    fn at(lon: f64, lat: f64, z: u8) -> Address {
        let [x, y] = project([lon, lat]);
        let side = f64::from(1u32 << z);
        Address::new(z, (x * side) as u32, (y * side) as u32).expect("tile")
    }

    fn ids(bytes: &[u8], layer: &str) -> Vec<u64> {
        let reader = MvtReaderRef::new(bytes).expect("tile");
        let layers = reader.layers().filter(|found| found.name() == layer);
        let mut ids: Vec<u64> =
            layers.flat_map(|found| found.features().filter_map(|f| f.id()).collect::<Vec<_>>()).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn a_tile_holds_its_areas_and_a_label_each() {
        let atlas = small_city();
        let sheet = atlas.main().expect("main");
        let bytes = encode(sheet, 1, at(121.01, 31.005, 10), 0).expect("tile");
        assert_eq!(ids(&bytes, "areas"), [1, 2]);
        assert_eq!(ids(&bytes, "areas_label"), [1, 2]);
        let city = encode(sheet, 0, at(121.01, 31.005, 10), 0).expect("tile");
        assert_eq!(ids(&city, "areas"), [0]);
    }

    #[test]
    fn a_tile_far_away_is_empty_and_a_deep_one_is_filled() {
        let atlas = small_city();
        let sheet = atlas.main().expect("main");
        assert!(ids(&encode(sheet, 1, at(0.0, 0.0, 10), 0).expect("tile"), "areas").is_empty());
        // Half of the tile lies in the cell, though no vertex of it and not its name.
        let deep = encode(sheet, 1, at(121.0025, 31.0025, 16), 0).expect("tile");
        assert_eq!(ids(&deep, "areas"), [1]);
        assert!(ids(&deep, "areas_label").is_empty());
    }

    #[test]
    fn only_tiles_that_exist() {
        assert!(Address::new(2, 3, 3).is_some());
        assert!(Address::new(2, 4, 0).is_none());
        assert!(Address::new(MOST_ZOOM + 1, 0, 0).is_none());
    }
}
