//! One feature of a layer's file.

use super::{Problem, geometry, short};
use crate::{city::LayerFile, crs::Crs, layer::Area, text::Text};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde::Deserialize;
use sonic_rs::LazyValue;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Feature<'a> {
    #[serde(borrow, default)]
    properties: Option<BTreeMap<String, LazyValue<'a>>>,
    #[serde(borrow, default)]
    geometry: Option<LazyValue<'a>>,
}

type Properties<'a> = BTreeMap<String, LazyValue<'a>>;

pub(super) struct Reader<'a> {
    pub(super) file: &'a LayerFile,
    pub(super) zone: &'a TimeZone,
    /// What outlines are drawn in.
    pub(super) crs: Crs,
}

impl Reader<'_> {
    /// The feature's name for people, and its area with what is odd about it.
    pub(super) fn read(&self, number: usize, raw: &str) -> (String, Result<(Area, Vec<Problem>), Problem>) {
        let unnamed = format!("feature {number}");
        let feature: Feature<'_> = match sonic_rs::from_str(raw) {
            Ok(feature) => feature,
            Err(error) => return (unnamed, Err(Problem::new("", short(&error.to_string())))),
        };
        let properties = feature.properties.unwrap_or_default();
        let code = match text(&properties, &self.file.fields.code) {
            Ok(Some(code)) => code,
            Ok(None) => {
                let problem = Problem::new(&self.file.fields.code, "is missing or empty (the area's code)");
                return (unnamed, Err(problem));
            }
            Err(problem) => return (unnamed, Err(problem)),
        };
        let name = format!("feature {number} (code {code})");
        let outcome = self.area(code, &properties, feature.geometry.as_ref());
        (name, outcome)
    }

    fn area(
        &self,
        code: String,
        properties: &Properties<'_>,
        geometry: Option<&LazyValue<'_>>,
    ) -> Result<(Area, Vec<Problem>), Problem> {
        let fields = &self.file.fields;
        if code.len() > 64 || code.chars().any(char::is_control) {
            return Err(Problem::new(&fields.code, "must have at most 64 bytes and no control characters"));
        }
        let mut odd = Vec::new();
        let name = text(properties, &fields.name)?.unwrap_or_else(|| code.clone());
        let name_zh = text(properties, &fields.name_zh)?.unwrap_or_else(|| name.clone());
        let valid_from = self.moment(properties, &fields.valid_from)?;
        let valid_to = self.moment(properties, &fields.valid_to)?;
        if let (Some(from), Some(to)) = (valid_from, valid_to)
            && from >= to
        {
            return Err(Problem::new(&fields.valid_to, "does not lie after the begin of validity"));
        }
        let priority = if self.file.partition { self.priority(properties)? } else { None };
        let mut polygons = match geometry {
            Some(raw) => geometry::read(raw.as_raw_str())?,
            None => None,
        };
        let level = self.level(properties)?;
        let above = usize::from(level) + 1 < self.file.levels.len();
        match &mut polygons {
            Some(polygons) => odd.extend(geometry::check(polygons, self.file.repair)?),
            None if above => odd.push(Problem::new("geometry", "is missing; it will not be drawn")),
            None => odd.push(Problem::new("geometry", "is missing; nothing will be located in it")),
        }
        let area = Area {
            level,
            name: Text { en: name, zh: name_zh },
            parent: text(properties, &fields.parent)?,
            code,
            valid_from,
            valid_to,
            priority,
            polygons: polygons.map(|polygons| geometry::in_wgs84(polygons, self.crs)),
        };
        Ok((area, odd))
    }

    fn level(&self, properties: &Properties<'_>) -> Result<u8, Problem> {
        let field = &self.file.fields.level;
        let levels = &self.file.levels;
        let number = match text(properties, field)? {
            None => levels.len().saturating_sub(1),
            Some(id) => {
                let known = levels.iter().position(|level| level.id == id);
                known.ok_or_else(|| Problem::new(field, format!("{id} is not a level of this layer")))?
            }
        };
        u8::try_from(number).map_err(|_| Problem::new(field, "too many levels"))
    }

    fn priority(&self, properties: &Properties<'_>) -> Result<Option<i32>, Problem> {
        let field = &self.file.fields.priority;
        let read = |written: String| {
            let range = format!("{} to {}", i32::MIN, i32::MAX);
            written.parse().map_err(|_| Problem::new(field, format!("{written} is not a whole number from {range}")))
        };
        text(properties, field)?.map(read).transpose()
    }

    /// RFC 3339, or a date: then midnight in the city.
    fn moment(&self, properties: &Properties<'_>, field: &str) -> Result<Option<i64>, Problem> {
        let Some(written) = text(properties, field)? else {
            return Ok(None);
        };
        if let Ok(moment) = written.parse::<Timestamp>() {
            return Ok(Some(moment.as_millisecond()));
        }
        // Only a date: a time without an offset would be read as midnight otherwise.
        let date = (written.len() == 10).then(|| written.parse::<civil::Date>().ok()).flatten();
        let midnight = date.and_then(|date| date.to_zoned_datetime(self.zone.clone()).ok());
        match midnight {
            Some(midnight) => Ok(Some(midnight.timestamp().as_millisecond())),
            None => Err(Problem::new(field, format!("{written} is neither a date nor an RFC 3339 time"))),
        }
    }
}

/// A text or a number as text; `None` when missing, null or blank.
fn text(properties: &Properties<'_>, field: &str) -> Result<Option<String>, Problem> {
    let Some(raw) = properties.get(field).map(|value| value.as_raw_str().trim()) else {
        return Ok(None);
    };
    let first = raw.bytes().next();
    let value = match first {
        Some(b'"') => {
            sonic_rs::from_str::<String>(raw).map_err(|error| Problem::new(field, short(&error.to_string())))?
        }
        Some(b'0'..=b'9' | b'-') => raw.to_owned(),
        Some(b'n') => return Ok(None),
        _ => return Err(Problem::new(field, "is neither a text nor a number")),
    };
    let value = value.trim();
    Ok((!value.is_empty()).then(|| value.to_owned()))
}
