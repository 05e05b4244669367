//! From the engine's last words to one sentence.

use super::ClickHouseError;
use std::path::Path;
use std::process::ExitStatus;

/// Why it ended, by how it ended and what it wrote.
pub(super) fn of_the_end(data: &Path, log: &Path, status: ExitStatus, words: &str) -> ClickHouseError {
    if words.contains("No space left on device") {
        return ClickHouseError::DiskFull(data.to_owned());
    }
    ClickHouseError::Ended { status, why: last_words(words), log: log.to_owned() }
}

/// Our own last line, and the engine's exception where ours only says that there was one.
fn last_words(words: &str) -> String {
    let lines = || words.lines().map(str::trim).filter(|line| !line.is_empty());
    let last = lines().next_back().unwrap_or("it wrote nothing to its log");
    let ours = ["error: ", "gridwarden: "].iter().find_map(|mark| last.strip_prefix(mark));
    let exception = lines().rfind(|line| line.contains("DB::") && Some(*line) != ours && *line != last);
    let exception = exception.map(|line| line.split_once("Exception: ").map_or(line, |(_, said)| said));
    let text = match (ours, exception) {
        (Some(ours), Some(exception)) if !ours.contains(exception) => format!("{ours}: {exception}"),
        (Some(ours), _) => ours.to_owned(),
        (None, Some(exception)) => exception.to_owned(),
        (None, None) => last.to_owned(),
    };
    text.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn sentence(words: &str) -> String {
        of_the_end(Path::new("/d"), Path::new("/l/c.log"), ExitStatus::from_raw(256), words).to_string()
    }

    #[test]
    fn the_cause_is_told() {
        assert_eq!(
            sentence("Code: 243. DB::Exception: x: errno: 28, strerror: No space left on device\nerror: no\n"),
            "the disk is full: ClickHouse cannot write to /d"
        );
        assert_eq!(
            sentence(
                "Code: 76. DB::Exception: Cannot lock file /d/status\n\ngridwarden: ClickHouse did not open its data in /d\n"
            ),
            "ClickHouse ended (exit status: 1): ClickHouse did not open its data in /d: Cannot lock file /d/status (its log: /l/c.log)"
        );
        assert!(sentence("error: the address is taken\n").contains("): the address is taken (its log"));
        assert!(sentence("").contains("it wrote nothing to its log"));
    }
}
