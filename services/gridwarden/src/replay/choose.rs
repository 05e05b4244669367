//! Which file is played, and through which mapping.

use anyhow::{Context, Result, bail};
use gridwarden_domain::{city::CityFile, mapping::Mapping};
use std::path::{Path, PathBuf};

/// What is played.
pub(super) struct Chosen {
    pub(super) file: PathBuf,
    /// Without one the lines are messages of the contract.
    pub(super) mapping: Option<Mapping>,
}

/// A city folder and its `city.toml`.
pub(super) type City<'a> = Option<(&'a Path, &'a CityFile)>;

/// The mapping asked for, else the one of the city that reads this file.
pub(super) fn choose(pack: &Path, name: Option<&str>, city: City<'_>) -> Result<Chosen> {
    let mapping = match name {
        Some(name) => Some(named(name, city.map(|(folder, _)| folder))?),
        None => matching(pack, city)?,
    };
    Ok(Chosen { file: file_of(pack, mapping.as_ref())?, mapping })
}

/// A mapping by path, or by name in the city folder.
fn named(name: &str, city: Option<&Path>) -> Result<Mapping> {
    let mut places = vec![PathBuf::from(name)];
    if let Some(folder) = city {
        places.extend([folder.join(name), folder.join(format!("{name}.toml"))]);
        places.extend([folder.join("mappings").join(name), folder.join("mappings").join(format!("{name}.toml"))]);
    }
    let Some(path) = places.iter().find(|path| path.is_file()) else {
        let tried: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        bail!("there is no mapping `{name}` (looked for {})", tried.join(", "));
    };
    read(path)
}

fn read(path: &Path) -> Result<Mapping> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Mapping::parse(&text, &path.display().to_string())?)
}

/// The one mapping of the city that names this file, or one in this folder.
fn matching(pack: &Path, city: City<'_>) -> Result<Option<Mapping>> {
    let Some((folder, file)) = city else { return Ok(None) };
    let reads = |mapping: &Mapping| {
        mapping.file().is_some_and(|file| {
            if pack.is_dir() { pack.join(file).is_file() } else { pack.file_name() == Path::new(file).file_name() }
        })
    };
    let mut found: Vec<Mapping> = Vec::new();
    for mapping in &file.mappings {
        found.extend(Some(read(&folder.join(&mapping.file))?).filter(reads));
    }
    if found.len() > 1 {
        let names: Vec<&str> = found.iter().map(Mapping::name).collect();
        bail!("{} is read by more than one mapping ({}); choose with --mapping", pack.display(), names.join(", "));
    }
    Ok(found.pop())
}

fn file_of(pack: &Path, mapping: Option<&Mapping>) -> Result<PathBuf> {
    if !pack.is_dir() {
        return Ok(pack.to_owned());
    }
    match mapping.and_then(Mapping::file) {
        Some(file) => Ok(pack.join(file)),
        None => bail!("{} is a folder, and no mapping names the file in it", pack.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "target = \"observations\"\nformat = \"csv\"\nfile = \"rows.csv\"\n\
        fields = { source = \"s\", kind = { const = \"air\" }, time = \"t\" }\n";

    fn folder(mappings: &[&str]) -> (tempfile::TempDir, CityFile) {
        let folder = tempfile::tempdir().expect("folder");
        let mut head = "name = { en = \"x\" }\ntimezone = \"UTC\"\n".to_owned();
        for name in mappings {
            std::fs::write(folder.path().join(name), ROWS).expect("written");
            head += &format!("[[mappings]]\nfile = \"{name}\"\n");
        }
        std::fs::write(folder.path().join("rows.csv"), "s,t\n").expect("written");
        (folder, toml::from_str(&head).expect("city"))
    }

    #[test]
    fn mappings_are_found_by_name_and_said_when_missing() {
        let (folder, file) = folder(&[]);
        let text = "target = \"reports\"\nformat = \"csv\"\n[fields]\n";
        std::fs::write(folder.path().join("a.toml"), text).expect("written");
        let city = Some((folder.path(), &file));
        let fault = |name: &str| choose(Path::new("x.csv"), Some(name), city).err().expect("a fault").to_string();
        assert!(fault("a").contains("a.toml: fields: `id` is required"), "{}", fault("a"));
        assert!(fault("b").starts_with("there is no mapping `b`"), "{}", fault("b"));
    }

    #[test]
    fn the_city_knows_which_mapping_reads_a_file() {
        let (folder, file) = folder(&["m.toml"]);
        let city = Some((folder.path(), &file));
        for pack in [folder.path().to_path_buf(), PathBuf::from("/elsewhere/rows.csv")] {
            let chosen = choose(&pack, None, city).expect("chosen");
            assert!(chosen.mapping.is_some() && chosen.file.ends_with("rows.csv"));
        }
        let other = choose(Path::new("other.ndjson"), None, city).expect("messages of the contract");
        assert!(other.mapping.is_none());
        assert!(choose(folder.path(), None, None).is_err(), "a folder needs a mapping");
    }

    #[test]
    fn two_mappings_of_one_file_are_a_question() {
        let (folder, file) = folder(&["m.toml", "n.toml"]);
        let fault = choose(folder.path(), None, Some((folder.path(), &file))).err().expect("a question").to_string();
        assert!(fault.ends_with("choose with --mapping"), "{fault}");
    }
}
