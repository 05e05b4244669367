//! Whose log it is: the cluster's id, kept beside the log. A log that was put here from elsewhere has other topic ids than what
//! was derived from this one; starting on it would look as if all were well.

use super::{KafkaError, file_error, write};
use std::fs;
use std::path::{Path, PathBuf};

fn file(data: &Path) -> PathBuf {
    data.join("cluster")
}

/// Notes whose log stands in this folder.
pub(super) fn keep(data: &Path, id: &str) -> Result<(), KafkaError> {
    let (file, new) = (file(data), data.join("cluster.new"));
    write(&new, id)?;
    fs::rename(&new, &file).map_err(|error| file_error(&file, &error))
}

/// Refuses a log of another cluster. A folder that has no note yet gets one.
pub(super) fn check(data: &Path, log: &Path) -> Result<(), KafkaError> {
    let properties = log.join("meta.properties");
    let text = fs::read_to_string(&properties).map_err(|error| file_error(&properties, &error))?;
    let unnamed = || KafkaError::File { path: properties.clone(), why: "it names no cluster.id".to_owned() };
    let found = text.lines().find_map(|line| line.strip_prefix("cluster.id=")).map(str::trim).ok_or_else(unnamed)?;
    match fs::read_to_string(file(data)) {
        Ok(expected) if expected.trim() == found => Ok(()),
        Ok(expected) if !expected.trim().is_empty() => Err(KafkaError::OtherCluster {
            log: log.to_owned(),
            found: found.to_owned(),
            expected: expected.trim().to_owned(),
        }),
        _ => keep(data, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_another_cluster_is_refused() {
        let data = tempfile::tempdir().expect("folder");
        let log = data.path().join("log");
        fs::create_dir(&log).expect("folder");
        let say = |text: &str| fs::write(log.join("meta.properties"), text).expect("write");
        say("#\n#Mon\ncluster.id=AAA\nversion=1\n");
        check(data.path(), &log).expect("noted");
        check(data.path(), &log).expect("the same");
        say("cluster.id=BBB\n");
        let said = check(data.path(), &log).expect_err("another").to_string();
        assert!(said.contains("belongs to the Kafka cluster BBB, this data folder to AAA"), "{said}");
        say("version=1\n");
        assert!(
            check(data.path(), &log)
                .expect_err("nobody's")
                .to_string()
                .contains("meta.properties: it names no cluster.id")
        );
    }
}
