//! The part of the city folder the archive needs: limits, feeds, mappings. Layers and registry reach it through Kafka, so a
//! mistake in their files never keeps it from archiving.

use gridwarden_domain::city::{CityFile, MappingFile};
use std::path::{Path, PathBuf};

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CityError {
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} is not a city file: {source}", path.display())]
    Wrong { path: PathBuf, source: Box<toml::de::Error> },
}

/// What is needed of the city.
pub(crate) struct City {
    pub(crate) file: CityFile,
    /// Mappings and their texts.
    pub(crate) mappings: Vec<(MappingFile, String)>,
}

impl City {
    pub(crate) fn load(folder: &Path) -> Result<Self, CityError> {
        let path = folder.join("city.toml");
        let file: CityFile =
            toml::from_str(&read(&path)?).map_err(|error| CityError::Wrong { path, source: Box::new(error) })?;
        let mut mappings = Vec::with_capacity(file.mappings.len());
        for mapping in &file.mappings {
            mappings.push((mapping.clone(), read(&folder.join(&mapping.file))?));
        }
        Ok(Self { file, mappings })
    }
}

fn read(path: &Path) -> Result<String, CityError> {
    std::fs::read_to_string(path).map_err(|source| CityError::Unreadable { path: path.to_owned(), source })
}
