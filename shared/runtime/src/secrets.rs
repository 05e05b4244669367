//! Secrets: given literally, by an environment variable (`env:NAME`) or by a file (`file:PATH`); never printed (`RUN-4`).

use serde::{Deserialize, Deserializer, de};
use std::fmt;
use subtle::ConstantTimeEq;

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// `env:NAME` names a variable that is not set.
    #[error("the environment variable {0} is not set")]
    Variable(String),
    /// `file:PATH` names a file that cannot be read.
    #[error("the file {path} cannot be read: {why}")]
    File {
        /// The file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// It is there and holds nothing.
    #[error("the secret is empty")]
    Empty,
}

/// A text that `Debug` does not print. In configuration: literal, `env:NAME` or `file:PATH`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a text as it is.
    pub fn literal(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Do not log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in a time that does not tell where the two differ.
    pub fn matches(&self, other: &str) -> bool {
        same(self.0.as_bytes(), other.as_bytes())
    }
}

/// Equality in a time that depends on the lengths only.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Reads `env:NAME`, `file:PATH` (trailing line ends cut) or takes the text literally.
pub fn resolve(text: &str) -> Result<Secret, SecretError> {
    let found = if let Some(name) = text.strip_prefix("env:") {
        std::env::var(name).map_err(|_| SecretError::Variable(name.to_owned()))?
    } else if let Some(path) = text.strip_prefix("file:") {
        let read = std::fs::read_to_string(path);
        read.map_err(|e| SecretError::File { path: path.to_owned(), why: e.to_string() })?.trim_end().to_owned()
    } else {
        text.to_owned()
    };
    if found.is_empty() { Err(SecretError::Empty) } else { Ok(Secret(found)) }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own words would repeat what was found.
        let text = String::deserialize(deserializer).map_err(|_| de::Error::custom("a text is expected"))?;
        resolve(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_tell() {
        assert_eq!(format!("{:?}", Secret::literal("abc")), "***");
    }

    #[test]
    fn the_three_ways() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "abc\n").expect("write");
        let file = format!("file:{}", path.display());
        assert!(resolve(&file).expect("file").matches("abc"));
        assert!(resolve("abc").expect("literal").matches("abc"));
        assert!(!resolve("abc").expect("literal").matches("abcd"));
        assert!(resolve("env:PATH").is_ok());
        assert_eq!(resolve("env:NO_SUCH_X").err(), Some(SecretError::Variable("NO_SUCH_X".into())));
        assert_eq!(resolve("").err(), Some(SecretError::Empty));
    }
}
