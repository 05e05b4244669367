//! From the broker's last words to one sentence.

use super::{KafkaError, KafkaOptions};
use std::process::ExitStatus;

/// Why it ended, by how it ended and what it wrote.
pub(super) fn of_the_end(options: &KafkaOptions, status: ExitStatus, words: &str) -> KafkaError {
    if words.contains("No space left on device") {
        return KafkaError::DiskFull(options.data.clone());
    }
    if let Some(line) = words.lines().find(|line| line.contains("Stored node id")) {
        let why = line.split_once("Exception: ").map_or(line, |(_, said)| said);
        return KafkaError::OtherNode { log: options.data.join("log"), why: why.trim().chars().take(200).collect() };
    }
    if words.contains("Failed to acquire lock on file .lock") {
        return KafkaError::Locked(options.data.clone());
    }
    if words.contains("Address already in use") {
        let named = |port: u16| words.contains(&format!(":{port}"));
        let port = if named(options.ports.controller) { options.ports.controller } else { options.ports.client };
        return KafkaError::UsedPort(port);
    }
    KafkaError::Ended { status: status.to_string(), why: last_words(words), log: options.log.clone() }
}

/// The innermost cause, else the last line that is not part of a stack trace.
fn last_words(words: &str) -> String {
    let spoken = |line: &&str| !line.is_empty() && !line.starts_with("at ") && !line.starts_with("...");
    let lines = || words.lines().map(str::trim).filter(spoken);
    let cause = lines().rfind(|line| line.starts_with("Caused by: "));
    let line = cause.or_else(|| lines().next_back()).unwrap_or("it said nothing");
    line.trim_start_matches("Caused by: ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::KafkaPorts;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;

    fn sentence(words: &str) -> String {
        let options =
            KafkaOptions::under(Path::new("/d"), Path::new("/c"), KafkaPorts { client: 1000, controller: 2000 });
        of_the_end(&options, ExitStatus::from_raw(256), words).to_string()
    }

    #[test]
    fn known_causes_have_their_own_sentence() {
        assert_eq!(
            sentence("java.io.IOException: No space left on device"),
            "the disk is full: Kafka cannot write to /d/kafka"
        );
        assert_eq!(sentence("x Failed to acquire lock on file .lock in /d"), "another Kafka already uses /d/kafka");
        let used = sentence("Socket server failed to bind to 127.0.0.1:2000: Address already in use.");
        assert!(used.starts_with("Kafka's port 127.0.0.1:2000 is already in use"), "{used}");
        assert_eq!(
            sentence("x\njava.lang.RuntimeException: Stored node id 7 doesn't match previous node id 1 in a.\n\tat b"),
            "the log in /d/kafka/log was not made here: Stored node id 7 doesn't match previous node id 1 in a."
        );
    }

    #[test]
    fn others_are_told_without_their_stack() {
        let words = "[ERROR] Exiting\norg.x.ConfigException: outer\n\tat a.b(C.java:1)\nCaused by: java.lang.X: inner\n\tat a.b\n\t... 7 more\n";
        assert_eq!(
            sentence(words),
            "Kafka ended while starting (exit status: 1): java.lang.X: inner (its log: /d/kafka.log)"
        );
        assert!(sentence("").contains("it said nothing"));
    }
}
