//! Reading a layer from GeoJSON. Errors and warnings name file, feature and field; only what cannot be read is an error.
//! Every feature is looked at, so that a person mends a file once.

mod feature;
mod geometry;
mod linking;
mod system;

use super::{Area, LayerHead};
use crate::city::LayerFile;
use jiff::tz::TimeZone;
use serde::Deserialize;
use sonic_rs::LazyValue;
use std::fmt;

/// Why a layer's file cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct LayerError {
    /// The file as `city.toml` names it.
    pub file: String,
    /// Which feature (`feature 3 (code 47)`); empty for the whole file.
    pub feature: String,
    /// Which field; empty for the whole feature.
    pub field: String,
    /// A sentence for people.
    pub detail: String,
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.file, &self.feature, &self.field)?;
        f.write_str(&self.detail)
    }
}

/// Something odd in a layer's file that does not keep it from being read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// The file as `city.toml` names it.
    pub file: String,
    /// Which feature; empty for the whole file.
    pub feature: String,
    /// Which field; empty for the whole feature.
    pub field: String,
    /// A sentence for people.
    pub detail: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.file, &self.feature, &self.field)?;
        f.write_str(&self.detail)
    }
}

fn place(f: &mut fmt::Formatter<'_>, file: &str, feature: &str, field: &str) -> fmt::Result {
    for part in [file, feature, field] {
        if !part.is_empty() {
            write!(f, "{part}: ")?;
        }
    }
    Ok(())
}

/// What is wrong with one field of one feature, before it is known which.
struct Problem {
    field: String,
    detail: String,
}

impl Problem {
    fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

#[derive(Deserialize)]
struct Collection<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    features: Vec<LazyValue<'a>>,
    #[serde(borrow, default)]
    crs: Option<LazyValue<'a>>,
}

/// Errors told of one file; one of another kind would repeat itself for every feature.
const MAX_ERRORS: usize = 20;

/// Head, areas and what is odd about them.
pub type ReadLayer = (LayerHead, Vec<Area>, Vec<Warning>);

/// Reads a FeatureCollection as `file` says; outlines come out in WGS-84. Areas come ordered by level, code and begin of validity, among them parents
/// that no feature describes but some feature names. A validity given as a date begins or ends at midnight in `zone`.
pub fn read_geojson(file: &LayerFile, text: &str, zone: &TimeZone) -> Result<ReadLayer, Vec<LayerError>> {
    let collection = collection(file, text).map_err(|error| vec![error])?;
    let crs = system::of(file.crs, collection.crs.as_ref()).map_err(|detail| vec![whole(file, "crs", detail)])?;
    let reader = feature::Reader { file, zone, crs };
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    let mut areas = Vec::with_capacity(collection.features.len());
    for (number, raw) in collection.features.iter().enumerate() {
        let (name, outcome) = reader.read(number + 1, raw.as_raw_str());
        match outcome {
            Ok((area, odd)) => {
                warnings.extend(odd.into_iter().map(|problem| warning(file, &name, problem)));
                areas.push((name, area));
            }
            Err(problem) => errors.push(error(file, name, problem)),
        }
    }
    if !errors.is_empty() {
        return Err(first(file, errors));
    }
    let (areas, odd) = linking::link(file, areas).map_err(|(name, problem)| vec![error(file, name, problem)])?;
    warnings.extend(odd.into_iter().map(|problem| warning(file, "", problem)));
    let head = LayerHead {
        layer: file.id.clone(),
        title: file.title.clone(),
        levels: file.levels.clone(),
        main: file.main,
        partition: file.partition,
    };
    Ok((head, areas, warnings))
}

/// What is wrong with the file as a whole.
fn whole(file: &LayerFile, field: &str, detail: String) -> LayerError {
    error(file, String::new(), Problem::new(field, detail))
}

fn error(file: &LayerFile, feature: String, problem: Problem) -> LayerError {
    LayerError { file: file.file.clone(), feature, field: problem.field, detail: problem.detail }
}

/// The first errors, and how many more there are.
fn first(file: &LayerFile, mut errors: Vec<LayerError>) -> Vec<LayerError> {
    let more = errors.len().saturating_sub(MAX_ERRORS);
    errors.truncate(MAX_ERRORS);
    if more > 0 {
        let problem = Problem::new("features", format!("{more} more cannot be read"));
        errors.push(error(file, String::new(), problem));
    }
    errors
}

fn collection<'a>(file: &LayerFile, text: &'a str) -> Result<Collection<'a>, LayerError> {
    check_levels(file).map_err(|detail| whole(file, "levels", detail))?;
    let collection: Collection<'_> = sonic_rs::from_str(text).map_err(|error| {
        whole(file, "", format!("is not a GeoJSON FeatureCollection: {}", short(&error.to_string())))
    })?;
    if collection.kind != "FeatureCollection" {
        return Err(whole(file, "type", format!("is {}, not FeatureCollection", collection.kind)));
    }
    Ok(collection)
}

fn warning(file: &LayerFile, feature: &str, problem: Problem) -> Warning {
    Warning { file: file.file.clone(), feature: feature.to_owned(), field: problem.field, detail: problem.detail }
}

fn check_levels(file: &LayerFile) -> Result<(), String> {
    if file.levels.is_empty() {
        return Err(format!("layer {} has none; one at least is needed", file.id));
    }
    if file.levels.len() > 16 {
        return Err(format!("layer {} has more than 16", file.id));
    }
    for (number, level) in file.levels.iter().enumerate() {
        let twice = file.levels.iter().skip(number + 1).any(|other| other.id == level.id);
        if level.id.is_empty() || twice {
            return Err(format!("layer {}: level id {:?} is empty or there twice", file.id, level.id));
        }
    }
    Ok(())
}

/// The first line of a parser's message: what follows draws the place.
fn short(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
