//! A list of what truly happened: one JSON object a line. Errors name file, line and field.

use crate::moment;
use anyhow::{Context, Result, anyhow, bail};
use gridwarden_domain::{alert::AreaRef, rule::MAX_RADIUS_M};
use gridwarden_geo::is_in_degrees;
use gridwarden_stream::{Incident, Sign};
use serde::Deserialize;
use std::path::Path;

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    from: Moment,
    to: Moment,
    source: Option<String>,
    area: Option<AreaRef>,
    /// [lon, lat].
    position: Option<[f64; 2]>,
    radius_m: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Ms(i64),
    Text(String),
}

/// Reads the list.
pub(super) fn read(path: &Path) -> Result<Vec<Incident>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| incident(line).map_err(|error| anyhow!("{name}: line {number}: {error}"))).collect()
}

fn incident(text: &str) -> Result<Incident> {
    let line: Line = serde_json::from_str(text).map_err(|error| {
        // The place of the line is known already.
        anyhow!("{}", error.to_string().split(" at line ").next().unwrap_or_default())
    })?;
    let (from_ms, to_ms) = (ms("from", &line.from)?, ms("to", &line.to)?);
    if from_ms > to_ms {
        bail!("to: lies before from");
    }
    let mut signs: Vec<Sign> = line.source.into_iter().map(Sign::Source).collect();
    signs.extend(line.area.map(Sign::Area));
    match (line.position, line.radius_m) {
        (Some(place), Some(metres)) => {
            if !is_in_degrees(place) {
                let [lon, lat] = place;
                bail!("position: {lon}, {lat} is not a position in degrees");
            }
            if !(metres > 0.0 && metres <= MAX_RADIUS_M) {
                bail!("radius_m: {metres} must be above 0 and at most {MAX_RADIUS_M} metres");
            }
            signs.push(Sign::Near(place, metres));
        }
        (None, None) => {}
        _ => bail!("position and radius_m belong together"),
    }
    if signs.is_empty() {
        bail!("names neither source, area nor position; no alert can be known to be of it");
    }
    Ok(Incident { id: line.id, from_ms, to_ms, signs })
}

fn ms(field: &str, moment: &Moment) -> Result<i64> {
    match moment {
        Moment::Ms(ms) => Ok(*ms),
        Moment::Text(text) => moment::read(text).map_err(|error| anyhow!("{field}: {text} {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_what_is_wrong_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let said = |text: &str| {
            std::fs::write(file.path(), text).expect("written");
            read(file.path())
        };
        let good = r#"{"id":"i-1","from":"2026-11-01T10:00:00Z","to":1793600000000,"source":"s","position":[121.5,31.2],"radius_m":50}"#;
        let read = said(&format!("{good}\n\n{good}\n")).expect("read");
        assert_eq!((read.len(), read[0].from_ms, read[0].to_ms), (2, 1_793_527_200_000, 1_793_600_000_000));
        assert_eq!(read[1].signs, [Sign::Source("s".to_owned()), Sign::Near([121.5, 31.2], 50.0)]);
        for (from, to, wrong) in [
            ("\"source\":\"s\"", "\"sauce\":\"s\"", "line 2: unknown field `sauce`"),
            ("2026-11-01T10:00:00Z", "Sunday", "line 2: from: Sunday is neither"),
            ("1793600000000", "5", "line 2: to: lies before from"),
            (",\"radius_m\":50", "", "line 2: position and radius_m belong together"),
            ("121.5", "181.5", "line 2: position: 181.5"),
            ("50}", "0}", "line 2: radius_m: 0 must"),
            (",\"source\":\"s\",\"position\":[121.5,31.2],\"radius_m\":50", "", "line 2: names neither"),
        ] {
            let error = said(&format!("{good}\n{}", good.replace(from, to))).expect_err(to).to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
