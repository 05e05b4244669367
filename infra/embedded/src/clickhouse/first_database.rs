//! The library's database `default` shows every file of this machine as a table (`SELECT * FROM '/etc/passwd'`). At each start
//! an ordinary one, kept in the same folder under the same name, takes its place.
//!
//! What the library expects: without any `default` it opens no connection; one with tables has a link to its folder
//! (`metadata/default`), one without has none and cannot be attached, only made anew.

use std::{fs, io, path::Path};

/// Its name.
pub(super) const NAME: &str = "default";

/// Makes it when it is not there.
pub(super) const CREATE: &str = "CREATE DATABASE IF NOT EXISTS default ENGINE = Atomic";

const DETACH: &str = "DETACH DATABASE default";
const ATTACH: &str = "ATTACH DATABASE default";

/// The statements that put an ordinary one in its place, for data in `folder`.
pub(super) fn replacement(folder: &Path) -> io::Result<[&'static str; 2]> {
    let metadata = folder.join("metadata");
    let definition = metadata.join(format!("{NAME}.sql"));
    match fs::read_link(metadata.join(NAME)) {
        Ok(target) => {
            if !definition.exists() {
                let id = target.file_name().unwrap_or_default().to_string_lossy();
                fs::write(&definition, format!("ATTACH DATABASE _ UUID '{id}'\nENGINE = Atomic\n"))?;
            }
            Ok([DETACH, ATTACH])
        }
        Err(_) => match fs::remove_file(&definition) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok([DETACH, CREATE]),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_with_tables_is_attached_and_one_without_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let metadata = folder.path().join("metadata");
        fs::create_dir(&metadata).unwrap();
        let definition = metadata.join("default.sql");
        assert_eq!(replacement(folder.path()).unwrap(), [DETACH, CREATE]);
        fs::write(&definition, "left behind").unwrap();
        assert_eq!(replacement(folder.path()).unwrap(), [DETACH, CREATE]);
        assert!(!definition.exists());
        let link = "../store/6fa/6fa9e0dd-cde0-477a-a81d-ac758fe3b8fb";
        std::os::unix::fs::symlink(link, metadata.join("default")).unwrap();
        assert_eq!(replacement(folder.path()).unwrap(), [DETACH, ATTACH]);
        assert!(fs::read_to_string(&definition).unwrap().contains("'6fa9e0dd-cde0-477a-a81d-ac758fe3b8fb'"));
    }
}
