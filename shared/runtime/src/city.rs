//! A city folder on disk: `city.toml` and what it names. Every problem names its file and place; all of them are found in one
//! go, so that a person mends a folder once. Endpoint secrets are not looked at here: only who sends resolves them.

mod parts;
mod registry;
mod rules;

use gridwarden_domain::{
    city::{CityFile, MappingFile},
    class::Catalogue,
    entity::Entity,
    layer::{Area, LayerHead},
    rule::{self, Rule},
};
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// A city as its folder describes it.
#[derive(Clone, Debug)]
pub struct City {
    /// The folder it was read from.
    pub folder: PathBuf,
    /// `city.toml`.
    pub file: CityFile,
    /// Layers in the order of `city.toml`; exactly one is the main one, if there is any.
    pub layers: Vec<(LayerHead, Vec<Area>)>,
    /// Registered entities, in the order of the files.
    pub registry: Vec<Entity>,
    /// Rules, in order of their ids.
    pub rules: Vec<Rule>,
    /// Class catalogues.
    pub catalogues: Vec<Catalogue>,
    /// Mappings with their texts, checked.
    pub mappings: Vec<(MappingFile, String)>,
    /// What is odd but does not keep the city from running; each names file and place.
    pub warnings: Vec<String>,
}

/// Why a city folder cannot be used: every problem found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CityError {
    /// The folder.
    pub folder: PathBuf,
    /// One sentence each: file, place, what is wrong.
    pub problems: Vec<String>,
}

impl fmt::Display for CityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "city folder {}: ", self.folder.display())?;
        f.write_str(&self.problems.join("; "))
    }
}

impl std::error::Error for CityError {}

/// Reading in progress: what goes wrong or looks odd.
#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn problem(&mut self, place: impl fmt::Display, detail: impl fmt::Display) {
        self.problems.push(format!("{place}: {detail}"));
    }

    fn warning(&mut self, place: impl fmt::Display, detail: impl fmt::Display) {
        self.warnings.push(format!("{place}: {detail}"));
    }
}

/// Reads `city.toml` alone, checked: for services that need feeds or endpoints and nothing of what else the folder holds.
pub fn head(folder: &Path) -> Result<CityFile, CityError> {
    let mut findings = Findings::default();
    let file = parts::head(folder, &mut findings);
    if let Some(file) = &file {
        parts::check_head(file, &mut findings);
    }
    match file {
        Some(file) if findings.problems.is_empty() => Ok(file),
        _ => Err(CityError { folder: folder.to_owned(), problems: findings.problems }),
    }
}

/// What services need of the folder that read the city's topics: limits, feeds, mappings; each topic has one decoder at most. Layers,
/// registry and rules reach them through Kafka, so a mistake in those files never keeps a service from reading.
#[derive(Clone, Debug)]
pub struct MappedCity {
    /// `city.toml`.
    pub file: CityFile,
    /// Mappings with their texts, checked.
    pub mappings: Vec<(MappingFile, String)>,
}

impl MappedCity {
    /// Reads `city.toml` and the mappings it names.
    pub fn load(folder: &Path) -> Result<Self, CityError> {
        let file = head(folder)?;
        let mut findings = Findings::default();
        let mappings = parts::mappings(folder, &file, &mut findings);
        if findings.problems.is_empty() {
            return Ok(Self { file, mappings });
        }
        Err(CityError { folder: folder.to_owned(), problems: findings.problems })
    }
}

impl City {
    /// Reads the whole folder.
    pub fn load(folder: &Path) -> Result<Self, CityError> {
        let mut findings = Findings::default();
        let failed = |problems| CityError { folder: folder.to_owned(), problems };
        let Some(file) = parts::head(folder, &mut findings) else {
            return Err(failed(findings.problems));
        };
        let zone = parts::check_head(&file, &mut findings);
        let layers = parts::layers(folder, &file, &zone, &mut findings);
        let registry = registry::read(folder, &file.registry, &mut findings);
        let rules = rules::rules(folder, &file, &mut findings);
        let catalogues = parts::catalogues(folder, &file, &mut findings);
        let mappings = parts::mappings(folder, &file, &mut findings);
        if !findings.problems.is_empty() {
            return Err(failed(findings.problems));
        }
        let mut city = Self {
            folder: folder.to_owned(),
            file,
            layers,
            registry,
            rules,
            catalogues,
            mappings,
            warnings: findings.warnings,
        };
        city.warn_of_unknown_areas();
        Ok(city)
    }

    /// Rules may name areas that come later; but people should hear of it.
    fn warn_of_unknown_areas(&mut self) {
        let mut known: HashSet<(&str, &str)> = HashSet::new();
        for (head, areas) in &self.layers {
            let layer = head.layer.as_str();
            known.extend(areas.iter().map(|area| (layer, area.code.as_str())));
        }
        let mut warnings = Vec::new();
        for rule in &self.rules {
            for area in rule::areas_of(rule) {
                if !known.contains(&(area.layer.as_str(), area.code.as_str())) {
                    warnings.push(format!("rule {}: no area {}/{} in this city", rule.id, area.layer, area.code));
                }
            }
        }
        self.warnings.append(&mut warnings);
    }
}

#[cfg(test)]
mod tests;
