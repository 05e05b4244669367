//! Rule documents from files: one, a list, or a folder of them, with the days of the city's calendars. Errors name file, document and
//! field.

use anyhow::{Context, Result, anyhow, bail};
use gridwarden_domain::rule::{Calendars, DocumentError, Rule, read_document};
use gridwarden_runtime::city;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};

/// The documents at some paths, for a city.
pub(crate) fn of_city(paths: &[PathBuf], folder: &Path) -> Result<Vec<Rule>> {
    let calendars = city::head(folder)?.calendars;
    let read = paths.iter().map(|path| read(path, Some(&calendars))).collect::<Result<Vec<_>>>()?;
    Ok(read.into_iter().flatten().collect())
}

/// The documents at a path; without calendars the days of those they name stay open.
pub(crate) fn read(path: &Path, calendars: Option<&Calendars>) -> Result<Vec<Rule>> {
    let name = path.display();
    if !path.is_dir() {
        return file(path, calendars);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{name} cannot be read"))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    let is_document = |file: &PathBuf| {
        file.extension().is_some_and(|extension| ["json", "yaml", "yml"].iter().any(|known| extension == *known))
    };
    files.retain(is_document);
    files.sort();
    if files.is_empty() {
        bail!("{name} holds no file whose name ends in .json, .yaml or .yml");
    }
    Ok(files.iter().map(|path| file(path, calendars)).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn file(path: &Path, calendars: Option<&Calendars>) -> Result<Vec<Rule>> {
    let name = path.display();
    let text = std::fs::read(path).with_context(|| format!("{name} cannot be read"))?;
    if !text.trim_ascii_start().starts_with(b"[") {
        let text = String::from_utf8(text).with_context(|| format!("{name} is not UTF-8"))?;
        return Ok(vec![read_document(&text, calendars).map_err(|error| anyhow!("{name}: {error}"))?]);
    }
    let list: Vec<&RawValue> =
        serde_json::from_slice(&text).with_context(|| format!("{name} is no list of documents"))?;
    let document = |(number, text): (usize, &&RawValue)| {
        // The line would be one of the document alone.
        let wrong = |error: DocumentError| anyhow!("{name}: document {}: {}", number + 1, error.error);
        read_document(text.get(), calendars).map_err(wrong)
    };
    list.iter().enumerate().map(document).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"id":"a","version":1,"title":{"en":"x"},"severity":"minor","silence":{"after_s":5}}"#;

    fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        (folder, path)
    }

    #[test]
    fn a_document_a_list_and_a_folder_are_read() {
        let two = ONE.replace("\"a\"", "\"b\"");
        let (folder, path) = written("rules.json", &format!("[{ONE}, {two}]"));
        let ids = |path: &Path| read(path, None).expect("read").iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&path), ["a", "b"]);
        std::fs::write(folder.path().join("a.json"), ONE.replace("\"a\"", "\"c\"")).expect("written");
        std::fs::write(folder.path().join("notes.txt"), "later").expect("written");
        assert_eq!(ids(folder.path()), ["c", "a", "b"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |name: &str, text: &str| {
            let (_folder, path) = written(name, text);
            read(&path, None).expect_err("refused").to_string()
        };
        let bad = ONE.replace(":5", ":0");
        assert!(said("r.json", &bad).ends_with("r.json: line 1: silence.after_s: must be 1 to 604800"));
        assert!(said("r.json", &format!("[{ONE},{bad}]")).contains("r.json: document 2: silence.after_s"));
        assert!(said("r.json", "[1").contains("is no list of documents"));
        let (folder, _path) = written("notes.txt", "");
        assert!(read(folder.path(), None).expect_err("empty").to_string().contains("holds no file"));
        assert!(read(Path::new("/no/such"), None).expect_err("missing").to_string().contains("cannot be read"));
    }

    #[test]
    fn a_calendar_the_city_does_not_have_is_refused_with_rule_and_calendar() {
        let named = ONE.replace(
            "\"silence\"",
            r#""schedule":{"periods":[{"from":"08:00","to":"12:00"}],"calendar":"cn"},"silence""#,
        );
        let (_folder, path) = written("r.json", &format!("[{named}]"));
        let error = read(&path, Some(&Calendars::new())).expect_err("refused").to_string();
        let said = "r.json: document 1: schedule.calendar: cn is no calendar of this city; it has none (rule a)";
        assert!(error.ends_with(said), "{error}");
        assert_eq!(read(&path, None).expect("nobody knows the city").len(), 1);
    }
}
