//! Mappings: documents (TOML) that say how an integrator's own JSON or CSV becomes the contract's observations or reports.
//!
//! The same engine serves `replay` (files) and, per topic, [`crate::decode`].

use crate::{crs::Crs, observation::Observation, reject::{Code, Reason}, report::Report};
use serde::{Deserialize, Serialize};

/// What messages become.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Observations.
    Observations,
    /// Reports.
    Reports,
}

/// How an integrator writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object per message or line.
    Json,
    /// CSV with a header line; as messages, one row each with the columns named in the mapping.
    Csv,
}

/// What is wrong with a mapping document, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("mapping {name}: {place}: {detail}")]
pub struct MappingError {
    /// Name of the mapping (its file).
    pub name: String,
    /// Place in the document, e.g. `fields.time.zone`.
    pub place: String,
    /// A sentence for people.
    pub detail: String,
}

/// A mapped message.
#[derive(Clone, PartialEq, Debug)]
pub enum Mapped {
    /// For [`Target::Observations`].
    Observation(Observation),
    /// For [`Target::Reports`].
    Report(Box<Report>),
}

/// A mapping, checked whole.
#[derive(Clone, Debug)]
pub struct Mapping {
    name: String,
    target: Target,
    format: Format,
    crs: Crs,
}

/// A row of a CSV file with the names of its columns.
#[derive(Clone, Copy, Debug)]
pub struct CsvRow<'a> {
    /// Column names.
    pub header: &'a csv::StringRecord,
    /// Cells.
    pub cells: &'a csv::StringRecord,
}

impl Mapping {
    /// Reads and checks a document; `name` (its file) stands in errors.
    pub fn parse(text: &str, name: &str) -> Result<Self, MappingError> {
        let _ = text;
        Err(MappingError { name: name.to_owned(), place: String::new(), detail: "not read yet".to_owned() })
    }

    /// Name given to [`Self::parse`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What messages become.
    pub fn target(&self) -> Target {
        self.target
    }

    /// How the integrator writes.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Reference system of positions.
    pub fn crs(&self) -> Crs {
        self.crs
    }

    /// Maps one JSON object.
    pub fn map_json(&self, payload: &[u8]) -> Result<Mapped, Reason> {
        let _ = payload;
        Err(Reason::new(Code::Malformed, "", "not read yet"))
    }

    /// Maps a message of a mapped topic.
    pub(crate) fn map_message(&self, text: &str) -> Result<Mapped, Reason> {
        self.map_json(text.as_bytes())
    }

    /// Maps one CSV row.
    pub fn map_csv(&self, row: &CsvRow<'_>) -> Result<Mapped, Reason> {
        let _ = row;
        Err(Reason::new(Code::Malformed, "", "not read yet"))
    }
}
