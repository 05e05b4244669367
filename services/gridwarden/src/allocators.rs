//! Options of the allocators, for services and commands that reach all over a large memory and ask for much of it again and again.
//! Those options are read before `main` begins, so the program sets them and begins again: same process, same arguments.
//!
//! * What is given back stays with the process for a second, and another thread gives it to the system: chunks of rows, blocks and
//!   copies for checkpoints come and go, and the system clears a page before it gives it out again.
//! * Large buffers are among it: by default those go back to the system at once.
//! * The same for the C library's allocator, which librdkafka uses: a fetched batch is large enough that each was a mapping of its own.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Name and value. A name that is set already stays as whoever set it wants it.
const OPTIONS: [(&str, &str); 2] = [
    // See `infra/adr/0031`; milliseconds.
    ("_RJEM_MALLOC_CONF", "background_thread:true,dirty_decay_ms:1000,oversize_threshold:0"),
    // Bytes; the first is the most it takes.
    ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=67108864"),
];

/// Begins again with these options. Comes back when all are set, as they are after that, or when it cannot be done.
pub(crate) fn begin_again() {
    let unset: Vec<_> = OPTIONS.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    if unset.is_empty() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Comes back only when it fails.
    let error = again.args(arguments).envs(unset).exec();
    crate::output::progress(&format!("goes on with the allocators' own options: {error}"));
}
