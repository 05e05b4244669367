//! Rule documents of a city folder: one a file, YAML or JSON.

use super::{Findings, parts::text};
use gridwarden_domain::{
    city::CityFile,
    rule::{Rule, read_document},
};
use std::collections::BTreeMap;
use std::path::Path;

/// How names of rule documents end.
const ENDINGS: [&str; 3] = [".json", ".yaml", ".yml"];

pub(super) fn rules(folder: &Path, file: &CityFile, findings: &mut Findings) -> Vec<Rule> {
    let Some(name) = &file.rules else {
        return Vec::new();
    };
    let mut rules: BTreeMap<String, (String, Rule)> = BTreeMap::new();
    for file_name in names(folder, name, findings) {
        let place = format!("{name}/{file_name}");
        if !ENDINGS.iter().any(|ending| file_name.ends_with(ending)) {
            findings.warning(place, "is not read: rules are files whose names end in .json, .yaml or .yml");
            continue;
        }
        let Some(written) = text(folder, &place, findings) else {
            continue;
        };
        match read_document(&written, Some(&file.calendars)) {
            Ok(rule) => {
                let id = rule.id.clone();
                if let Some((other, _)) = rules.insert(id.clone(), (place.clone(), rule)) {
                    findings.problem(place, format!("id: {id} is also the id of {other}"));
                }
            }
            Err(error) => findings.problem(place, error),
        }
    }
    rules.into_values().map(|(_, rule)| rule).collect()
}

/// Names of the folder's files, in order.
fn names(folder: &Path, name: &str, findings: &mut Findings) -> Vec<String> {
    let entries = match std::fs::read_dir(folder.join(name)) {
        Ok(entries) => entries,
        Err(error) => {
            findings.problem(name, format!("cannot be read: {error}"));
            return Vec::new();
        }
    };
    let mut files: Vec<String> = Vec::new();
    for entry in entries {
        match entry.map(|entry| entry.file_name().into_string()) {
            Ok(Ok(file)) => files.push(file),
            Ok(Err(file)) => findings.problem(name, format!("{} is not a name in UTF-8", file.display())),
            Err(error) => findings.problem(name, format!("cannot be read: {error}")),
        }
    }
    files.sort();
    files
}
