//! A list of what truly happened: one JSON object a line. Errors name file, line and field.

use anyhow::{Context, Result, anyhow};
use gridwarden_stream::Incident;
use std::path::Path;

/// Reads the list.
pub(super) fn read(path: &Path) -> Result<Vec<Incident>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| incident(line).map_err(|error| anyhow!("{name}: line {number}: {error}"))).collect()
}

fn incident(text: &str) -> Result<Incident> {
    serde_json::from_str(text).map_err(|error| {
        // The place of the line is known already.
        anyhow!("{}", error.to_string().split(" at line ").next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_stream::Sign;

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
