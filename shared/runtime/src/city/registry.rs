//! The registry's files: NDJSON with one entity per line, or CSV with a header.
//!
//! CSV columns: `id`, `kind`, `name`, `name_zh`, `lon`, `lat`, `accuracy_m`, `supervising`, `owning`, `maintaining`; any other
//! column is an attribute. `id` and `kind` are required, an empty cell is a missing value.

use super::{Findings, parts};
use gridwarden_domain::{
    entity::{Departments, Entity},
    observation::Position,
    reject::Reason,
    text::Text,
};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Problems told of one file; a file of another kind would repeat itself for every line.
const MAX_PROBLEMS: usize = 20;

pub(super) fn read(folder: &Path, files: &[String], findings: &mut Findings) -> Vec<Entity> {
    let mut registry = Vec::new();
    let mut seen: HashMap<String, String> = HashMap::new();
    for file in files {
        let Some(text) = parts::text(folder, file, findings) else {
            continue;
        };
        let rows = if file.ends_with(".csv") { csv_rows(&text) } else { json_rows(&text) };
        let mut problems = 0;
        for (line, row) in rows {
            let place = format!("{file}: line {line}");
            let entity = row.and_then(|entity| check(entity, &place, &mut seen));
            match entity {
                Ok(entity) => registry.push(entity),
                Err(detail) if problems < MAX_PROBLEMS => {
                    problems += 1;
                    findings.problem(place, detail);
                }
                Err(_) => {}
            }
        }
    }
    registry
}

fn check(entity: Entity, place: &str, seen: &mut HashMap<String, String>) -> Result<Entity, String> {
    entity.check().map_err(|(field, detail)| format!("{field}: {detail}"))?;
    match seen.insert(entity.id.clone(), place.to_owned()) {
        Some(other) => Err(format!("id: {} is also the id of {other}", entity.id)),
        None => Ok(entity),
    }
}

type Rows = Vec<(u64, Result<Entity, String>)>;

fn json_rows(text: &str) -> Rows {
    let lines = (1u64..).zip(text.lines());
    let written = lines.filter(|(_, line)| !line.trim().is_empty());
    let entity = |line: &str| Entity::read(line.as_bytes()).map_err(|reason| said(line, &reason));
    written.map(|(number, line)| (number, entity(line))).collect()
}

/// The field and what is wrong with it; where JSON itself or a type does not fit, the column too (the line is known).
fn said(line: &str, reason: &Reason) -> String {
    let place = if reason.field.is_empty() { String::new() } else { format!("{}: ", reason.field) };
    match serde_json::from_str::<Entity>(line) {
        Err(error) => format!("{place}{} (column {})", reason.detail, error.column()),
        Ok(_) => format!("{place}{}", reason.detail),
    }
}

fn csv_rows(text: &str) -> Rows {
    // Spreadsheets put a byte order mark first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(error) => return vec![(1, Err(error.to_string()))],
    };
    for column in ["id", "kind"] {
        if !headers.iter().any(|header| header == column) {
            return vec![(1, Err(format!("{column}: there is no such column")))];
        }
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let (line, row) = match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                (line, entity(&headers, &record))
            }
            Err(error) => (error.position().map_or(0, csv::Position::line), Err(error.to_string())),
        };
        rows.push((line, row));
    }
    rows
}

fn entity(headers: &csv::StringRecord, record: &csv::StringRecord) -> Result<Entity, String> {
    let cells = headers.iter().zip(record).filter(|(_, cell)| !cell.is_empty());
    let mut cells: BTreeMap<&str, &str> = cells.collect();
    let mut take = |column: &str| cells.remove(column).unwrap_or_default().to_owned();
    let (id, kind) = (take("id"), take("kind"));
    let name = Text { en: take("name"), zh: take("name_zh") };
    let departments =
        Departments { supervising: take("supervising"), owning: take("owning"), maintaining: take("maintaining") };
    let position = position(&take("lon"), &take("lat"), &take("accuracy_m"))?;
    let attributes = cells.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Entity {
        id,
        kind,
        name,
        position,
        departments: (departments != Departments::default()).then_some(departments),
        attributes: attributes.collect(),
    })
}

fn position(lon: &str, lat: &str, accuracy_m: &str) -> Result<Option<Position>, String> {
    if lon.is_empty() && lat.is_empty() {
        return Ok(None);
    }
    let number = |field: &str, cell: &str| {
        let parsed: Result<f64, _> = cell.parse();
        parsed.map_err(|_| format!("{field}: {cell:?} is not a number"))
    };
    let accuracy_m = if accuracy_m.is_empty() { None } else { Some(number("accuracy_m", accuracy_m)? as f32) };
    Ok(Some(Position { lon: number("lon", lon)?, lat: number("lat", lat)?, accuracy_m }))
}
