//! The binary under test: `gridwarden`, built beside the test.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Path of an executable that was built into the same target folder as the running test.
///
/// # Panics
/// When it is not there: `cargo build -p gridwarden -p gridwarden-embedded --bins` makes it (`make test` does).
pub fn path(name: &str) -> PathBuf {
    let binary = folder().join(name);
    assert!(binary.is_file(), "{} is not there: build it with `cargo build -p gridwarden --bins`", binary.display());
    binary
}

/// `target/<profile>`, from where this program runs: a test stands in `deps` below it.
pub fn folder() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let folder = own.parent().expect("a folder");
    let above = folder.parent().filter(|_| folder.ends_with("deps"));
    above.unwrap_or(folder).to_path_buf()
}

/// `gridwarden`.
pub fn gridwarden() -> Command {
    let mut command = Command::new(path("gridwarden"));
    command.stdin(Stdio::null());
    command
}

/// Runs `gridwarden` with `args` to its end.
pub fn run(args: &[&str]) -> Output {
    gridwarden().args(args).output().expect("gridwarden starts")
}

/// What a finished command wrote to stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts the manners of a refusal: exit code not 0, a sentence that holds every one of `words`, no stack trace.
pub fn assert_refused(output: &Output, words: &[&str]) {
    let said = stderr(output);
    assert!(!output.status.success(), "it should have been refused, but: {said}");
    for word in words {
        assert!(said.contains(word), "the refusal does not say {word:?}:\n{said}");
    }
    for trace in ["panicked at", "stack backtrace", "RUST_BACKTRACE"] {
        assert!(!said.contains(trace), "a stack trace is no answer:\n{said}");
    }
}
