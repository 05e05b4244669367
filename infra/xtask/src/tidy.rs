//! How files look: an opening `//!` page, a length one can read, no leftovers, tables read through views only.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines beyond which a file must be cut, tests included.
const LONGEST: usize = 600;

const TOP: &[&str] = &["services", "shared", "infra", "tests"];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | "node_modules" | "dist") {
                rust_files(&path, found)?;
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// Every broken rule, one sentence each.
pub(crate) fn faults(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for top in TOP {
        rust_files(&root.join(top), &mut files)?;
    }
    files.sort();
    let mut faults = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        faults.extend(faults_in(&name, &text));
    }
    Ok(faults)
}

/// The words a file must not hold are built from halves, so that this file does not hold them.
fn leftovers() -> [String; 4] {
    [["todo", "!("].concat(), ["unimplemented", "!("].concat(), ["#[ign", "ore"].concat(), ["FIX", "ME"].concat()]
}

fn faults_in(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST {
        faults.push(format!("{name}: {lines} lines, more than {LONGEST}"));
    }
    if !text.starts_with("//!") {
        faults.push(format!("{name}: does not open with a //! page"));
    }
    for word in leftovers() {
        if text.contains(&word) {
            faults.push(format!("{name}: holds {word}"));
        }
    }
    let reads_rows = text.lines().any(|line| line.contains("FROM ") && line.contains("_rows"));
    let may = name.starts_with("tests/") || name.starts_with("infra/") || name.contains("/tests/");
    if reads_rows && !may {
        faults.push(format!("{name}: reads a *_rows table; readers use the view without the suffix"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let root = crate::root().expect("root");
        assert_eq!(faults(&root).expect("files"), Vec::<String>::new());
    }

    #[test]
    fn each_rule_can_be_broken() {
        let long = format!("//! Page.\n{}", "x\n".repeat(LONGEST));
        assert_eq!(faults_in("a.rs", &long).len(), 1);
        assert_eq!(faults_in("a.rs", "fn main() {}").len(), 1);
        assert_eq!(faults_in("a.rs", &format!("//! Page.\n{}", leftovers()[0])).len(), 1);
        assert_eq!(faults_in("shared/store/src/a.rs", "//! Page.\n\"SELECT 1 FROM alerts_rows\"").len(), 1);
        assert_eq!(faults_in("tests/a.rs", "//! Page.\n\"SELECT 1 FROM alerts_rows\""), Vec::<String>::new());
    }
}
