//! `gridwarden city check`: reads a city folder as everybody else does and tells what is in it, what is odd, what is wrong.

use gridwarden_domain::entity::Entity;
use gridwarden_domain::layer::{Area, LayerHead};
use gridwarden_domain::locate::{Layer, LayerSet, PlaceError, Places};
use gridwarden_domain::mapping::Mapping;
use gridwarden_domain::survey::survey;
use gridwarden_domain::text::Text;
use gridwarden_runtime::city::City;
use gridwarden_runtime::clock;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// What came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// The folder can be used; so many things are odd.
    Usable {
        /// Number of warnings.
        warnings: usize,
    },
    /// It cannot be used; so many things are wrong. The command ends with an exit code other than 0.
    Broken {
        /// Number of problems.
        problems: usize,
    },
}

/// Checks the folder and writes what it finds, for people, line by line.
///
/// # Errors
/// When the findings cannot be written.
pub(crate) fn check(folder: &Path, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    let city = match City::load(folder) {
        Ok(city) => city,
        Err(error) => {
            for problem in &error.problems {
                writeln!(out, "error: {problem}")?;
            }
            writeln!(out, "{} cannot be used: {}", folder.display(), counted(error.problems.len(), "problem"))?;
            return Ok(Outcome::Broken { problems: error.problems.len() });
        }
    };
    let simulated = if city.file.simulated { " (simulated)" } else { "" };
    writeln!(out, "city       {}{simulated}, {}", shown(&city.file.name), city.file.timezone)?;
    for (head, areas) in &city.layers {
        writeln!(out, "{}", layer_line(head, areas))?;
    }
    writeln!(out, "{}", kinds_line("registry", city.registry.iter().map(|entity| entity.kind.as_str())))?;
    writeln!(out, "{}", kinds_line("rules", city.rules.iter().map(|rule| rule.condition.kind())))?;
    for catalogue in &city.catalogues {
        writeln!(out, "classes    {}: {}", catalogue.version, catalogue.classes.len())?;
    }
    for (mapping, text) in &city.mappings {
        writeln!(out, "mapping    {}", mapping_line(&mapping.file, mapping.topic.as_deref(), text))?;
    }
    writeln!(out, "feeds      {}", city.file.feeds.len())?;
    writeln!(out, "endpoints  {}", city.file.endpoints.len())?;
    let layers = layers(&city)?;
    let ground = ground(&city, &layers);
    let misplaced = misplaced(&city, layers);
    let warnings: Vec<&String> = city.warnings.iter().chain(&ground).chain(&misplaced).collect();
    for warning in &warnings {
        writeln!(out, "warning: {warning}")?;
    }
    writeln!(out, "{} can be used: {}", folder.display(), counted(warnings.len(), "warning"))?;
    Ok(Outcome::Usable { warnings: warnings.len() })
}

/// The layers, in the order of `city.toml`.
fn layers(city: &City) -> Result<Vec<Arc<Layer>>, PlaceError> {
    let layer = |(head, areas): &(LayerHead, Vec<Area>)| Layer::build(head.clone(), String::new(), areas.clone());
    city.layers.iter().map(|layer_of| layer(layer_of).map(Arc::new)).collect()
}

/// Gaps, overlaps and what leaves the area above.
fn ground(city: &City, layers: &[Arc<Layer>]) -> Vec<String> {
    let odd = city.file.layers.iter().zip(layers).flat_map(|(file, layer)| survey(file, layer));
    odd.map(|warning| warning.to_string()).collect()
}

/// Registered positions that lie in no area of any layer: most often longitude and latitude were exchanged.
fn misplaced(city: &City, layers: Vec<Arc<Layer>>) -> Option<String> {
    let set = LayerSet::new(layers);
    let now_ms = clock::now_ms();
    let mut places = Places::new();
    let outside = |entity: &&Entity| {
        entity.position.is_some_and(|at| {
            set.locate(at.lon, at.lat, now_ms, &mut places);
            places.is_empty()
        })
    };
    let outside: Vec<&str> = city.registry.iter().filter(outside).map(|entity| entity.id.as_str()).collect();
    let first = outside.first().filter(|_| !city.layers.is_empty())?;
    let others = match outside.len() {
        1 => "lies".to_owned(),
        n => format!("and {} more lie", n - 1),
    };
    Some(format!("registry: the position of {first} {others} in no area of any layer"))
}

fn shown(text: &Text) -> &str {
    if text.en.is_empty() { &text.zh } else { &text.en }
}

/// `no problems`, `1 problem`, `2 problems`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

fn layer_line(head: &LayerHead, areas: &[Area]) -> String {
    let levels: Vec<String> = (0u8..)
        .zip(&head.levels)
        .map(|(number, level)| {
            let count = areas.iter().filter(|area| area.level == number).count();
            format!("{} {}", count, level.id)
        })
        .collect();
    let main = if head.main { " (main)" } else { "" };
    let drawn = areas.iter().filter(|area| area.polygons.is_some()).count();
    format!("layer      {}{main}: {}; {drawn} outlines", head.layer, levels.join(", "))
}

fn kinds_line<'a>(what: &str, kinds: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for kind in kinds {
        *counts.entry(kind).or_default() += 1;
    }
    let total: usize = counts.values().sum();
    let each: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    match each.is_empty() {
        true => format!("{what:<10} none"),
        false => format!("{what:<10} {total}: {}", each.join(", ")),
    }
}

fn mapping_line(file: &str, topic: Option<&str>, text: &str) -> String {
    // The folder was loaded, so the mapping reads.
    let target = Mapping::parse(text, file).map(|mapping| format!("{:?}", mapping.target()).to_lowercase());
    let target = target.unwrap_or_default();
    match topic {
        Some(topic) => format!("{file}: topic {topic} as {target}"),
        None => format!("{file}: {target}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(files: &[(&str, &str)]) -> (Outcome, String) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut out = Vec::new();
        let outcome = check(folder.path(), &mut out).unwrap();
        (outcome, String::from_utf8(out).unwrap())
    }

    const HEAD: &str = r#"
name = { zh = "测试市" }
timezone = "Asia/Shanghai"
layers = [{ id = "grid", file = "grid.geojson", levels = [{ id = "region" }, { id = "council" }] }]
"#;

    #[test]
    fn tells_what_is_there_and_what_is_odd() {
        let bow_tie = r#"{"type":"FeatureCollection","features":[{"properties":{"code":"1","parent":"R"},
            "geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}}]}"#;
        let (outcome, text) = checked(&[("city.toml", HEAD), ("grid.geojson", bow_tie)]);
        assert_eq!(outcome, Outcome::Usable { warnings: 1 });
        assert!(text.contains("city       测试市, Asia/Shanghai"), "{text}");
        assert!(text.contains("layer      grid (main): 1 region, 1 council; 1 outlines"), "{text}");
        assert!(text.contains("registry   none"), "{text}");
        assert!(
            text.contains("warning: grid.geojson: feature 1 (code 1): geometry: the outline crosses itself"),
            "{text}"
        );
        assert!(text.ends_with("can be used: 1 warning\n"), "{text}");
    }

    #[test]
    fn tells_of_positions_outside_of_every_area() {
        let square = r#"{"type":"FeatureCollection","features":[{"properties":{"code":"1","parent":"R"},
            "geometry":{"type":"Polygon","coordinates":[[[104,30],[105,30],[105,31],[104,31],[104,30]]]}}]}"#;
        let head = format!("registry = [\"registry.csv\"]\n{HEAD}");
        let rows = "id,kind,lon,lat\na,air,104.5,30.5\nb,air,30.5,104.5\nc,air,30.5,10\nd,air,,\n";
        let swapped = rows.replace("b,air,30.5,104.5\n", "b,air,30.5,14.5\n");
        let (outcome, text) = checked(&[("city.toml", &head), ("grid.geojson", square), ("registry.csv", &swapped)]);
        assert_eq!(outcome, Outcome::Usable { warnings: 1 });
        let said = "warning: registry: the position of b and 1 more lie in no area of any layer";
        assert!(text.contains(said), "{text}");
        let (outcome, text) = checked(&[("city.toml", &head), ("grid.geojson", square), ("registry.csv", rows)]);
        assert_eq!(outcome, Outcome::Broken { problems: 1 });
        assert!(text.contains("error: registry.csv: line 3: position: is not a position"), "{text}");
    }

    #[test]
    fn tells_how_areas_lie_together() {
        let square = |code: &str, level: &str, east: f64| {
            format!(
                r#"{{"properties":{{"code":"{code}","level":"{level}","parent":{}}},"geometry":{{"type":"Polygon",
                "coordinates":[[[104,30],[{east},30],[{east},31],[104,31],[104,30]]]}}}}"#,
                if level == "region" { "null" } else { "\"R\"" }
            )
        };
        let areas = [square("R", "region", 105.0), square("1", "council", 105.0), square("2", "council", 105.1)];
        let text = format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, areas.join(","));
        let (outcome, said) = checked(&[("city.toml", HEAD), ("grid.geojson", &text)]);
        assert_eq!(outcome, Outcome::Usable { warnings: 1 }, "{said}");
        assert!(said.contains("warning: grid.geojson: area 2: geometry: "), "{said}");
        assert!(said.contains("of it lie outside of R, the area above it, near [105.05"), "{said}");
        let partition = HEAD.replace("levels =", "partition = true, levels =");
        let (outcome, said) = checked(&[("city.toml", &partition), ("grid.geojson", &text)]);
        assert_eq!(outcome, Outcome::Usable { warnings: 2 }, "{said}");
        assert!(said.contains("of it lie in 1 too"), "{said}");
    }

    #[test]
    fn tells_every_problem() {
        let (outcome, text) = checked(&[("city.toml", HEAD), ("grid.geojson", "[]")]);
        assert_eq!(outcome, Outcome::Broken { problems: 1 });
        assert!(text.starts_with("error: grid.geojson: is not a GeoJSON"), "{text}");
    }
}
