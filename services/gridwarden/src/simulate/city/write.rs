//! Writes a made-up city as a city folder.

use super::{GeneratedCity, Point};
use anyhow::{Context, Result};
use gridwarden_domain::layer::{Area, LayerHead};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes `city.toml` and all it names below `folder`, which is made if it is not there.
///
/// # Errors
/// What the file system says, with the path.
pub(crate) fn write(city: &GeneratedCity, folder: &Path) -> Result<()> {
    for below in ["layers", "registry", "rules"] {
        let path = folder.join(below);
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
    }
    for (head, areas) in &city.layers {
        let path = folder.join("layers").join(format!("{}.geojson", head.layer));
        features(&path, areas.iter().map(|area| feature(head, area)))?;
    }
    let street = |line: &Vec<Point>| json!({"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": line}});
    features(&folder.join("streets.geojson"), city.streets.iter().map(street))?;
    lines(&folder.join("registry/entities.ndjson"), &city.registry)?;
    for rule in &city.rules {
        let path = folder.join("rules").join(format!("{}.json", rule.id));
        put(&path, &serde_json::to_vec_pretty(rule)?)?;
    }
    put(&folder.join("classes.toml"), toml::to_string(&city.catalogue)?.as_bytes())?;
    let head = "# A simulated city: everything in it is made up.\n";
    // Written last: a folder with a city.toml is whole.
    put(&folder.join("city.toml"), format!("{head}{}", toml::to_string(&city.file)?).as_bytes())
}

fn feature(head: &LayerHead, area: &Area) -> Value {
    let level = head.levels.get(usize::from(area.level)).map(|level| level.id.as_str()).unwrap_or_default();
    let mut properties = json!({"code": area.code, "level": level, "name": area.name.en, "name_zh": area.name.zh});
    if let (Some(parent), Some(properties)) = (&area.parent, properties.as_object_mut()) {
        properties.insert("parent".to_owned(), json!(parent));
    }
    let geometry = area.polygons.as_ref().map(|polygons| json!({"type": "MultiPolygon", "coordinates": polygons}));
    json!({"type": "Feature", "properties": properties, "geometry": geometry})
}

fn features(path: &Path, features: impl Iterator<Item = Value>) -> Result<()> {
    let write = || -> Result<()> {
        let mut file = BufWriter::new(fs::File::create(path)?);
        file.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[\n")?;
        for (index, feature) in features.enumerate() {
            if index > 0 {
                file.write_all(b",\n")?;
            }
            serde_json::to_writer(&mut file, &feature)?;
        }
        file.write_all(b"\n]}\n")?;
        Ok(file.flush()?)
    };
    write().with_context(|| path.display().to_string())
}

fn lines(path: &Path, rows: &[impl serde::Serialize]) -> Result<()> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row)?;
        text.push(b'\n');
    }
    put(path, &text)
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| path.display().to_string())
}
