//! The Java that runs the broker: where it is, and whether it is new enough.

use super::KafkaError;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest Java that runs this Kafka.
const OLDEST: u32 = 17;

/// Where `java` is looked for: `$JAVA_HOME/bin/java` when that is there, else the PATH.
pub(super) fn path() -> PathBuf {
    let home = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    home.filter(|java| java.is_file()).unwrap_or_else(|| PathBuf::from("java"))
}

/// Its version; an error when it is missing, too old or does not run.
pub(super) fn version(java: &Path) -> Result<u32, KafkaError> {
    let broken = |why: String| KafkaError::BadJava { java: java.to_owned(), why };
    let output = Command::new(java).arg("-version").output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => KafkaError::NoJava,
        _ => broken(error.to_string()),
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let version = major(&said).filter(|_| output.status.success());
    match version {
        Some(found) if found < OLDEST => Err(KafkaError::OldJava { java: java.to_owned(), found }),
        Some(found) => Ok(found),
        None => {
            let line = said.lines().map(str::trim).find(|line| !line.is_empty());
            Err(broken(line.unwrap_or("it does not say its version").chars().take(200).collect()))
        }
    }
}

/// 17 of `openjdk version "17.0.15" …`, 8 of `java version "1.8.0_402"`.
fn major(said: &str) -> Option<u32> {
    let version = said.split('"').nth(1)?;
    let mut parts = version.split(['.', '-', '_', '+']).map_while(|part| part.parse::<u32>().ok());
    match parts.next()? {
        1 => parts.next(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(major("openjdk version \"21-ea\" 2023"), Some(21));
        assert_eq!(major("openjdk version \"25\" 2025"), Some(25));
        assert_eq!(major("java version \"1.8.0_402\""), Some(8));
        assert_eq!(major("nonsense"), None);
    }

    /// A program that says what a Java of this version says.
    fn saying(folder: &Path, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let java = folder.join("java");
        std::fs::write(&java, format!("#!/bin/sh\n{script}\n")).expect("write");
        std::fs::set_permissions(&java, std::fs::Permissions::from_mode(0o755)).expect("mode");
        java
    }

    #[test]
    fn a_java_that_will_not_do_is_a_sentence() {
        let folder = tempfile::tempdir().expect("folder");
        let refused = |script: &str| {
            let java = saying(folder.path(), script);
            (version(&java).expect_err(script).to_string(), java)
        };
        let (said, java) = refused("echo 'openjdk version \"11.0.2\" 2019-01-15' >&2");
        let java = java.display();
        assert_eq!(
            said,
            format!(
                "{java} is Java 11, which is too old: Kafka 4.4.0 needs Java 17 or newer (apt-get install openjdk-17-jre-headless)"
            )
        );
        let (said, _) = refused("echo 'Error occurred during initialization of VM' >&2; exit 1");
        assert_eq!(said, format!("{java} does not run: Error occurred during initialization of VM"));
        let (said, _) = refused(":");
        assert_eq!(said, format!("{java} does not run: it does not say its version"));
        assert!(matches!(version(&folder.path().join("none")), Err(KafkaError::NoJava)));
    }
}
