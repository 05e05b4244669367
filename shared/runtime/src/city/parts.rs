//! The parts of a city folder other than the registry.

use super::Findings;
use gridwarden_domain::{
    city::{CityFile, MappingFile, OWN_TOPICS, SketchFile},
    class::Catalogue,
    layer::{Area, LayerHead, read_geojson},
    mapping::Mapping,
    report, time,
};
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The name of a city's head.
const HEAD: &str = "city.toml";

pub(super) fn text(folder: &Path, name: &str, findings: &mut Findings) -> Option<String> {
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            findings.problem(path.display(), format!("cannot be read: {error}"));
            None
        }
    }
}

pub(super) fn head(folder: &Path, findings: &mut Findings) -> Option<CityFile> {
    document(folder, HEAD, findings)
}

/// A TOML file as the type it describes.
fn document<T: DeserializeOwned>(folder: &Path, name: &str, findings: &mut Findings) -> Option<T> {
    let written = text(folder, name, findings)?;
    match toml::from_str(&written) {
        Ok(document) => Some(document),
        Err(error) => {
            let place = error.span().map_or(0, |span| span.start);
            let line = written.bytes().take(place).filter(|byte| *byte == b'\n').count() + 1;
            findings.problem(format!("{name}: line {line}"), error.message());
            None
        }
    }
}

/// Checks what types cannot say, and gives the city's time zone (UTC when it has none).
pub(super) fn check_head(file: &CityFile, findings: &mut Findings) -> TimeZone {
    check_names("layers", file.layers.iter().map(|layer| layer.id.as_str()), findings);
    check_names("feeds", file.feeds.iter().map(|feed| feed.name.as_str()), findings);
    check_names("endpoints", file.endpoints.iter().map(|endpoint| endpoint.id.as_str()), findings);
    if file.name.en.is_empty() && file.name.zh.is_empty() {
        findings.problem(HEAD, "name: must be given in one language at least");
    }
    if file.layers.iter().filter(|layer| layer.main).count() > 1 {
        findings.problem(HEAD, "layers: more than one says main = true");
    }
    for layer in &file.layers {
        if layer.tolerance_m2.is_some_and(|least| !(least > 0.0 && least.is_finite())) {
            findings
                .problem(HEAD, format!("layers.{}.tolerance_m2: must be a number of square metres above 0", layer.id));
        }
    }
    for feed in &file.feeds {
        let digest = feed.token_sha256.as_deref();
        if digest.is_some_and(|digest| hex::decode(digest).map(|bytes| bytes.len()) != Ok(32)) {
            findings.problem(HEAD, format!("feeds.{}.token_sha256: is not 64 hex digits", feed.name));
        }
    }
    check_topics(file, findings);
    check_sketches(&file.sketches, findings);
    time::zone(&file.timezone).unwrap_or_else(|| {
        findings.problem(HEAD, format!("timezone: {} is not an IANA time zone", file.timezone));
        TimeZone::UTC
    })
}

/// Topics that mappings read: names Kafka takes, one mapping each, or what stands there would count twice; and not the contract's own, or
/// rejects would be read, rejected and written again.
fn check_topics(file: &CityFile, findings: &mut Findings) {
    let mut topics = HashSet::new();
    for topic in file.mappings.iter().filter_map(|mapping| mapping.topic.as_deref()) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if topic.is_empty() || topic.len() > 200 || topic.starts_with('.') || !topic.chars().all(plain) {
            findings.problem(HEAD, format!("mappings: topic {topic:?} must be letters, digits, . _ or -"));
        }
        if OWN_TOPICS.contains(&topic) {
            findings
                .problem(HEAD, format!("mappings: topic {topic} holds the contract's messages and takes no mapping"));
        }
        if !topics.insert(topic) {
            findings.problem(HEAD, format!("mappings: topic {topic} has more than one mapping"));
        }
    }
}

/// Sketches are of metrics of observations; each asks for something that can be told of its metric.
fn check_sketches(sketches: &[SketchFile], findings: &mut Findings) {
    let mut seen = HashSet::new();
    for SketchFile { metric, quantiles, distinct } in sketches {
        let mut wrong = |what: &str| findings.problem(HEAD, format!("sketches: {metric:?} {what}"));
        let (kind, value) = metric.split_once('.').map_or((metric.as_str(), None), |(kind, value)| (kind, Some(value)));
        if kind.is_empty() || value == Some("") {
            wrong("must be a kind of observation, or <kind>.<value>");
        }
        if kind == report::METRIC {
            wrong("is of reports; sketches are of observations");
        }
        if *quantiles && value.is_none() {
            wrong("counts events and has no values to take quantiles of");
        }
        if !quantiles && distinct.is_none() {
            wrong("asks for nothing: quantiles = true, distinct = \"source\", or both");
        }
        if !seen.insert(metric.as_str()) {
            wrong("is there twice");
        }
    }
}

/// Ids that stand in topics, metric labels and addresses: lower case letters, digits, `-`; unique.
fn check_names<'a>(field: &str, names: impl Iterator<Item = &'a str>, findings: &mut Findings) {
    let mut seen = HashSet::new();
    for name in names {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            findings.problem(HEAD, format!("{field}: {name:?} must be lower case letters, digits, - or _"));
        }
        if !seen.insert(name) {
            findings.problem(HEAD, format!("{field}: {name} is there twice"));
        }
    }
}

pub(super) fn layers(
    folder: &Path,
    file: &CityFile,
    zone: &TimeZone,
    findings: &mut Findings,
) -> Vec<(LayerHead, Vec<Area>)> {
    let mut layers = Vec::new();
    for layer in &file.layers {
        let Some(written) = text(folder, &layer.file, findings) else {
            continue;
        };
        match read_geojson(layer, &written, zone) {
            Ok((head, areas, warnings)) => {
                findings.warnings.extend(warnings.iter().map(ToString::to_string));
                layers.push((head, areas));
            }
            Err(errors) => findings.problems.extend(errors.iter().map(ToString::to_string)),
        }
    }
    let none_is_main = !layers.iter().any(|(head, _)| head.main);
    if let (true, Some((head, _))) = (none_is_main, layers.first_mut()) {
        head.main = true;
    }
    layers
}

pub(super) fn catalogues(folder: &Path, file: &CityFile, findings: &mut Findings) -> Vec<Catalogue> {
    let mut catalogues: Vec<Catalogue> = Vec::new();
    for name in &file.classes {
        let Some(catalogue) = document::<Catalogue>(folder, name, findings) else {
            continue;
        };
        if catalogues.iter().any(|other| other.version == catalogue.version) {
            findings.problem(name, format!("version: {} is there twice", catalogue.version));
        }
        check_classes(name, &catalogue, findings);
        catalogues.push(catalogue);
    }
    catalogues
}

fn check_classes(name: &str, catalogue: &Catalogue, findings: &mut Findings) {
    let mut known = HashMap::new();
    for (number, class) in catalogue.classes.iter().enumerate() {
        if class.code.is_empty() {
            findings.problem(name, format!("classes[{number}].code: is empty"));
        }
        if known.insert((class.kind, class.code.as_str()), number).is_some() {
            findings.problem(name, format!("classes[{number}].code: {} is there twice", class.code));
        }
    }
    for class in &catalogue.classes {
        let Some(parent) = &class.parent else {
            continue;
        };
        if !known.contains_key(&(class.kind, parent.as_str())) {
            findings.warning(name, format!("class {}: there is no class {parent} above it", class.code));
        }
    }
}

pub(super) fn mappings(folder: &Path, file: &CityFile, findings: &mut Findings) -> Vec<(MappingFile, String)> {
    let mut mappings = Vec::new();
    for mapping in &file.mappings {
        let Some(written) = text(folder, &mapping.file, findings) else {
            continue;
        };
        let parsed = Mapping::parse(&written, &mapping.file)
            .and_then(|parsed| if mapping.topic.is_some() { parsed.check_for_topic() } else { Ok(()) });
        if let Err(error) = parsed {
            findings.problems.push(error.to_string());
        }
        mappings.push((mapping.clone(), written));
    }
    mappings
}
