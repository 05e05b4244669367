//! Mappings: documents (TOML) that say how an integrator's own JSON or CSV becomes the contract's observations or reports.
//! The same engine serves `replay` (files) and, per topic, [`crate::decode`].
//!
//! ```toml
//! target = "reports"                 # or "observations"
//! format = "csv"                     # or "json"
//! # delimiter = ";"                  # of CSV; a comma when missing
//! zone = "America/Los_Angeles"       # of local times, unless a field says otherwise
//! # clock_change = "reject"          # refuses local times the clocks skipped or showed twice; else see `MAP-1`
//! [fields]
//! id = "srnumber"                    # a column; in JSON a path such as `device.readings[0].id`
//! time = { from = "createddate", time = "%m/%d/%y %H:%M" }   # or rfc3339, epoch_s, epoch_ms
//! channel = { from = "requestsource", table = { Call = "hotline" }, otherwise = "citizen" }
//! class.catalogue = { const = "la311" }
//! attributes.speed_unit = { const = "km/h" }
//! # also: from = ["a", "b"] (the first that holds something), template = "la-{srnumber}", default, required,
//! # and for numbers unit = "m/s to km/h", or multiply and add
//! ```
//!
//! Texts are trimmed; an empty one, null and a missing one are the same: nothing. What stands where something else should
//! (a list for a number, a text on the way to a field, a key that stands twice) is refused. A reason names our field as
//! `field` and the integrator's in its sentence. `MAP-1`: a local time the clocks show twice is the first of the two, one
//! they skip is as much later as they were moved. What a mapping makes is held to the same limits as any message.

mod build;
mod document;
mod field;
mod path;
mod unit;
mod when;

use crate::{
    crs::Crs,
    decode, json,
    observation::Observation,
    reject::{Code, Reason},
    report::Report,
};
use field::Field;
use path::Input;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What messages become.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Observations.
    Observations,
    /// Reports.
    Reports,
}

impl Target {
    /// The word in documents and topic names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observations => "observations",
            Self::Reports => "reports",
        }
    }
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
    file: Option<String>,
    columns: csv::StringRecord,
    delimiter: u8,
    crs: Option<Crs>,
    fields: BTreeMap<String, Field>,
}

/// A row of a CSV file with the names of its columns.
#[derive(Clone, Copy, Debug)]
pub struct CsvRow<'a> {
    /// Column names.
    pub header: &'a csv::StringRecord,
    /// Cells.
    pub cells: &'a csv::StringRecord,
}

impl<'a> CsvRow<'a> {
    /// The cell of a column.
    fn get(&self, column: &str) -> Option<&'a str> {
        self.header.iter().position(|name| name == column).and_then(|at| self.cells.get(at))
    }
}

impl Mapping {
    /// Reads and checks a document; `name` (its file) stands in errors.
    pub fn parse(text: &str, name: &str) -> Result<Self, MappingError> {
        let fault = |place: String, detail: String| MappingError { name: name.to_owned(), place, detail };
        let document: document::Document = toml::from_str(text).map_err(|error| {
            let line =
                error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
            fault(line.map_or_else(|| "document".to_owned(), |line| format!("line {line}")), error.message().to_owned())
        })?;
        let fields = document::compile(&document).map_err(|(place, detail)| fault(place, detail))?;
        let mapping = Self {
            name: name.to_owned(),
            target: document.target,
            format: document.format,
            file: document.file,
            columns: document.columns.into(),
            delimiter: document.delimiter.and_then(|c| u8::try_from(c).ok()).unwrap_or(b','),
            crs: document.crs,
            fields,
        };
        if !mapping.columns.is_empty() {
            mapping.check_header(&mapping.columns)?;
        }
        Ok(mapping)
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

    /// File that `replay` reads when it is given a folder.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Reference system of positions, WGS-84 when the mapping does not say.
    pub fn crs(&self) -> Crs {
        self.crs.unwrap_or_default()
    }

    /// The same mapping for a sender whose positions are in another system where the mapping says nothing.
    #[must_use]
    pub fn with_default_crs(mut self, crs: Crs) -> Self {
        self.crs = Some(self.crs.unwrap_or(crs));
        self
    }

    /// What stands between the cells of a row.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Whether messages of a topic can be read: rows have no header there, so the mapping must name their columns.
    pub fn check_for_topic(&self) -> Result<(), MappingError> {
        if self.format == Format::Json || !self.columns.is_empty() {
            return Ok(());
        }
        let detail = "are needed to read the rows of a topic, which have no header".to_owned();
        Err(MappingError { name: self.name.clone(), place: "columns".to_owned(), detail })
    }

    /// Whether a CSV header holds every column the mapping looks at, once.
    pub fn check_header(&self, header: &csv::StringRecord) -> Result<(), MappingError> {
        for (ours, field) in &self.fields {
            for path in field.paths() {
                let found = header.iter().filter(|name| *name == path.text()).count();
                if found != 1 {
                    let many = if found == 0 { "is no" } else { "is more than one" };
                    let detail = format!("there {many} column `{}`", path.text());
                    return Err(MappingError { name: self.name.clone(), place: format!("fields.{ours}"), detail });
                }
            }
        }
        Ok(())
    }

    /// Maps one JSON object and holds the result to the contract's limits.
    pub fn map_json(&self, payload: &[u8]) -> Result<Mapped, Reason> {
        let text = decode::text_of(payload)?;
        self.checked(self.map_text(text)?)
    }

    /// Maps one CSV row and holds the result to the contract's limits.
    pub fn map_csv(&self, row: &CsvRow<'_>) -> Result<Mapped, Reason> {
        self.checked(self.build(Input::Csv(*row))?)
    }

    /// Maps a message of a mapped topic; the limits are the decoder's to check.
    pub fn map_message(&self, text: &str) -> Result<Mapped, Reason> {
        match self.format {
            Format::Json => self.map_text(text),
            Format::Csv => {
                let cells = self.row(text).map_err(|detail| Reason::new(Code::Malformed, "", detail))?;
                self.build(Input::Csv(CsvRow { header: &self.columns, cells: &cells }))
            }
        }
    }

    fn map_text(&self, text: &str) -> Result<Mapped, Reason> {
        let root = json::parse(text).map_err(|fault| Reason::new(Code::Malformed, "", fault.to_string()))?;
        match root {
            json::Node::Object(_) => self.build(Input::Json(&root)),
            other => Err(Reason::new(Code::WrongType, "", format!("is {}, not an object", other.sort()))),
        }
    }

    /// The one row of a message.
    fn row(&self, text: &str) -> Result<csv::StringRecord, String> {
        if self.columns.is_empty() {
            return Err(format!("mapping {} names no `columns`, so a message of one row cannot be read", self.name));
        }
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(self.delimiter);
        let mut reader = builder.from_reader(text.as_bytes());
        let mut rows = reader.records();
        let row = rows.next().and_then(Result::ok).ok_or("not a CSV row")?;
        if rows.next().is_some() {
            return Err("holds more than one row".to_owned());
        }
        if row.len() == self.columns.len() {
            Ok(row)
        } else {
            Err(format!("has {} cells; the mapping names {} columns", row.len(), self.columns.len()))
        }
    }

    fn checked(&self, mapped: Mapped) -> Result<Mapped, Reason> {
        match mapped {
            Mapped::Observation(observation) => {
                decode::observation_of(observation.clone(), Crs::default()).map_err(|reason| self.naming(reason))?;
                Ok(Mapped::Observation(observation))
            }
            Mapped::Report(report) => {
                let mut report = decode::report_of(*report, Crs::default()).map_err(|reason| self.naming(reason))?;
                // It says so, or its readers take it for one in the system of its feed.
                report.crs = Some(Crs::Wgs84);
                Ok(Mapped::Report(Box::new(report)))
            }
        }
    }

    /// Adds the integrator's field to a reason that only names ours.
    pub(crate) fn naming(&self, reason: Reason) -> Reason {
        match self.fields.get(&reason.field) {
            Some(field) => field.naming(reason),
            None => reason,
        }
    }
}

#[cfg(test)]
mod tests;
