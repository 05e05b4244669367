//! Large pages for services that reach all over a large memory: without them every look at an entity or a window also waits for the
//! page table, and a tenth of the stream's time goes there.
//!
//! The allocator reads its options before `main` begins, so the program sets them and begins again: same process, same arguments.
//! Where the system has no large pages, nothing changes.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The allocator's option: "1" asks for large pages, "0" keeps them away.
const OPTION: &str = "MIMALLOC_ALLOW_LARGE_OS_PAGES";

/// Begins again with large pages, unless that was decided already. Comes back when it was, or when it cannot be done.
pub(crate) fn begin_again() {
    if std::env::var_os(OPTION).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Comes back only when it fails.
    let error = again.args(arguments).env(OPTION, "1").exec();
    crate::output::progress(&format!("goes on without large pages: {error}"));
}
