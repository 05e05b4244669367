//! GeoJSON geometry: polygons only, positions with or without a height.

use super::{Problem, short};
use crate::{crs::Crs, layer::Polygons};
use gridwarden_geo::{is_in_degrees, ring, signed_area_m2};
use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use sonic_rs::LazyValue;
use std::fmt;

/// A position: longitude, latitude, and a height that is not looked at.
struct Position([f64; 2]);

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PositionVisitor)
    }
}

struct PositionVisitor;

impl<'de> Visitor<'de> for PositionVisitor {
    type Value = Position;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[longitude, latitude]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Position, A::Error> {
        let missing = |at| serde::de::Error::invalid_length(at, &"[longitude, latitude]");
        let lon = sequence.next_element()?.ok_or_else(|| missing(0))?;
        let lat = sequence.next_element()?.ok_or_else(|| missing(1))?;
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Position([lon, lat]))
    }
}

#[derive(Deserialize)]
struct Geometry<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow, default)]
    coordinates: Option<LazyValue<'a>>,
}

type Rings = Vec<Vec<Position>>;

/// Reads an outline; `None` for a feature without geometry.
pub(super) fn read(raw: &str) -> Result<Option<Polygons>, Problem> {
    let unreadable = |error: sonic_rs::Error| Problem::new("geometry", short(&error.to_string()));
    let Some(geometry) = sonic_rs::from_str::<Option<Geometry<'_>>>(raw).map_err(unreadable)? else {
        return Ok(None);
    };
    let Some(coordinates) = &geometry.coordinates else {
        return Err(Problem::new("geometry", format!("{} without coordinates", geometry.kind)));
    };
    let text = coordinates.as_raw_str();
    let unreadable = |error: sonic_rs::Error| Problem::new("geometry.coordinates", short(&error.to_string()));
    let polygons: Vec<Rings> = match geometry.kind.as_str() {
        "Polygon" => vec![sonic_rs::from_str(text).map_err(unreadable)?],
        "MultiPolygon" => sonic_rs::from_str(text).map_err(unreadable)?,
        other => {
            let detail = format!("{other} has no inside; Polygon or MultiPolygon is needed");
            return Err(Problem::new("geometry.type", detail));
        }
    };
    let plain = |rings: Rings| -> Vec<Vec<[f64; 2]>> {
        let ring = |ring: Vec<Position>| ring.into_iter().map(|position| position.0).collect();
        rings.into_iter().map(ring).collect()
    };
    Ok(Some(polygons.into_iter().map(plain).collect()))
}

/// What the coordinates may be instead.
fn hint(lon: f64, lat: f64) -> &'static str {
    if lon.abs() <= 90.0 && lat.abs() <= 180.0 {
        "; the longitude stands first"
    } else if lon.abs() > 1_000.0 {
        "; they look like metres"
    } else {
        ""
    }
}

/// Outlines drawn in `crs`, in WGS-84.
pub(super) fn in_wgs84(polygons: Polygons, crs: Crs) -> Polygons {
    if crs.is_wgs84_compatible() {
        return polygons;
    }
    let rings = |rings: Vec<Vec<[f64; 2]>>| rings.iter().map(|ring| crs.ring_to_wgs84(ring)).collect();
    polygons.into_iter().map(rings).collect()
}

/// Coordinates that are no position are errors, and so are outlines over the date line or a pole. One that is invalid as drawn is
/// odd, and read even–odd as drawn, unless it is asked to be repaired.
pub(super) fn check(polygons: &mut Polygons, repair: bool) -> Result<Option<Problem>, Problem> {
    check_positions(polygons)?;
    let rings: Vec<Vec<[f64; 2]>> = polygons.iter().flatten().cloned().collect();
    let flaw = ring::flaw(&rings);
    match flaw {
        Some(flaw @ (ring::Flaw::Wide(..) | ring::Flaw::Pole(..))) => Err(Problem::new("geometry", flaw.to_string())),
        Some(flaw @ ring::Flaw::Empty) => {
            Ok(Some(Problem::new("geometry", format!("{flaw}; nothing will be located in it"))))
        }
        _ if repair => Ok(repaired(polygons)),
        Some(flaw) => Ok(Some(Problem::new("geometry", format!("{flaw}; read even-odd")))),
        None => Ok(None),
    }
}

fn check_positions(polygons: &Polygons) -> Result<(), Problem> {
    for (polygon, rings) in polygons.iter().enumerate() {
        for (number, points) in rings.iter().enumerate() {
            for (place, [lon, lat]) in points.iter().enumerate() {
                if !is_in_degrees([*lon, *lat]) {
                    let field = format!("geometry.coordinates[{polygon}][{number}][{place}]");
                    let detail = format!("{lon}, {lat} is not a position in degrees{}", hint(*lon, *lat));
                    return Err(Problem::new(field, detail));
                }
            }
        }
    }
    Ok(())
}

/// Puts the repaired outline in place of the one drawn, and tells what was changed.
fn repaired(polygons: &mut Polygons) -> Option<Problem> {
    let found = ring::repaired(polygons)?;
    let points = |polygons: &Polygons| polygons.iter().flatten().map(Vec::len).sum::<usize>();
    let mut changes = Vec::new();
    if found.repeated > 0 {
        changes.push(format!("{} points that repeat the one before were left out", found.repeated));
    }
    if found.unclosed > 0 {
        changes.push(format!("{} rings that do not end where they begin were closed", found.unclosed));
    }
    if let Some(flaw) = found.flaw {
        changes.push(format!(
            "{flaw}: {} points of {} polygons became {} points of {}, {:.0} m2 as drawn became {:.0} m2",
            points(polygons),
            polygons.len(),
            points(&found.polygons),
            found.polygons.len(),
            area_m2(polygons),
            area_m2(&found.polygons),
        ));
    }
    *polygons = found.polygons;
    Some(Problem::new("geometry", format!("repaired: {}", changes.join("; "))))
}

/// Shells less holes, each as it is wound: what a ring that crosses itself has by its drawing.
fn area_m2(polygons: &Polygons) -> f64 {
    let ring = |(place, ring): (usize, &Vec<[f64; 2]>)| {
        let area = signed_area_m2(ring).abs();
        if place == 0 { area } else { -area }
    };
    polygons.iter().flat_map(|rings| rings.iter().enumerate().map(ring)).sum()
}
