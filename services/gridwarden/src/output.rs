//! What the binary says to people: the only place that prints. Answers go to stdout, progress and failures to stderr.
//!
//! What cannot be said, to a full disk or a closed pipe, ends nothing: `println!` and `eprintln!` would.

use std::io::Write;

/// A line of progress.
pub(crate) fn progress(line: &str) {
    say(format_args!("gridwarden: {line}"));
}

/// A line of an answer.
pub(crate) fn answer(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}

/// A failure as one sentence with its causes.
pub(crate) fn failure(error: &anyhow::Error) {
    say(format_args!("gridwarden: {}", sentence(error)));
}

fn say(line: std::fmt::Arguments<'_>) {
    writeln!(std::io::stderr(), "{line}").ok();
}

/// The chain of causes, less those that only repeat the words before them.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text.replace('\n', " ")
}

/// What clap has to say: help, version, or what is wrong with the command line.
pub(crate) fn usage(error: &clap::Error) {
    // Nobody is left to tell when even this cannot be written.
    error.print().ok();
}

/// A panic in any thread is a bug: it ends the process with a line, not with a stack trace and half of its threads.
pub(crate) fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let words = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        say(format_args!("gridwarden: this is a bug: {} ({place})", words.unwrap_or("no words")));
        std::process::exit(101);
    }));
}

/// A crash in native code, in one line: the signal, the thread, the functions that were under way.
pub(crate) fn crash(signal: i32, thread: &str, callers: &str) {
    say(format_args!("gridwarden: this is a bug: signal {signal} in native code, thread {thread}: {callers}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_failure_is_one_line_that_says_nothing_twice() {
        let error = anyhow!("line 1:\nbad").context("cannot read a.toml").context("cannot read a.toml: line 1");
        assert_eq!(sentence(&error), "cannot read a.toml: line 1: line 1: bad");
        assert_eq!(sentence(&anyhow!("why").context("what: why")), "what: why");
    }
}
